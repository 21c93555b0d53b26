//! A store that counts what is asked of it and what it gives.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::table::TableStore;

/// Keys on a page of a listing, as every provider gives them.
const LISTED_PER_REQUEST: u64 = 1_000;

/// What was asked of a store, and what it gave.
#[derive(Debug, Default)]
pub struct StoreCounts {
    requests: AtomicU64,
    bytes_read: AtomicU64,
}

impl StoreCounts {
    /// Requests, one for each page of a listing.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Bytes of objects that were read.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Returns the table over a store that counts.
#[must_use]
pub fn counted(table: TableStore, counts: Arc<StoreCounts>) -> TableStore {
    let store = Arc::new(CountedStore { inner: table.store, counts });
    TableStore { store, ..table }
}

#[derive(Debug)]
struct CountedStore {
    inner: Arc<dyn ObjectStore>,
    counts: Arc<StoreCounts>,
}

impl CountedStore {
    fn listing(
        &self,
        keys: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let counts = Arc::clone(&self.counts);
        counts.request();
        let mut listed = 0;
        keys.inspect(move |_| {
            listed += 1;
            if listed % LISTED_PER_REQUEST == 1 && listed > 1 {
                counts.request();
            }
        })
        .boxed()
    }
}

impl fmt::Display for CountedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

#[async_trait]
impl ObjectStore for CountedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.counts.request();
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.counts.request();
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.counts.request();
        let is_head = options.head;
        let answer = self.inner.get_opts(location, options).await?;
        if !is_head {
            self.counts.read(answer.range.end.saturating_sub(answer.range.start));
        }
        Ok(answer)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.counts.request();
        let found = self.inner.get_ranges(location, ranges).await?;
        self.counts.read(found.iter().map(|bytes| bytes.len() as u64).sum());
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let counts = Arc::clone(&self.counts);
        self.inner.delete_stream(locations.inspect(move |_| counts.request()).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.counts.request();
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.counts.request();
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.counts.request();
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn requests_and_bytes_are_counted_and_listings_by_page() {
        let counts = Arc::new(StoreCounts::default());
        let inner = TableStore {
            store: Arc::new(InMemory::new()),
            root: Path::default(),
            uri: String::new(),
        };
        let store = counted(inner, Arc::clone(&counts)).store;
        let seen = || (counts.requests(), counts.bytes_read());
        let path = Path::from("a/b");
        store.put(&path, "12345".into()).await.unwrap();
        assert_eq!(seen(), (1, 0));
        store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(seen(), (2, 5));
        store.get_range(&path, 1..3).await.unwrap();
        assert_eq!(seen(), (3, 7));
        store.head(&path).await.unwrap();
        assert!(store.get(&Path::from("none")).await.is_err());
        assert_eq!(seen(), (5, 7));
        for number in 0..1_000 {
            store.put(&Path::from(format!("c/{number}")), "".into()).await.unwrap();
        }
        for (prefix, pages) in [("c", 1), ("none", 1), ("", 2)] {
            let before = counts.requests();
            let prefix = Path::from(prefix);
            let _keys: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
            assert_eq!(counts.requests() - before, pages, "{prefix}");
        }
    }
}
