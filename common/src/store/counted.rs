//! A store that counts what is asked of it and what it gives.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

pub use super::store_counts::StoreCounts;
use super::table::TableStore;

/// Keys on a page of a listing, as every provider gives them.
const LISTED_PER_REQUEST: u64 = 1_000;

/// Returns the table over a store that counts.
#[must_use]
pub fn counted(table: TableStore, counts: Arc<StoreCounts>) -> TableStore {
    let large = table.large.map(|large| large.counted(Arc::clone(&counts)));
    let store = Arc::new(CountedStore { inner: table.store, counts });
    TableStore { store, large, ..table }
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
        counts.list(1);
        let mut listed = 0;
        keys.inspect(move |_| {
            listed += 1;
            if listed % LISTED_PER_REQUEST == 1 && listed > 1 {
                counts.list(1);
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
        self.counts.write();
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.counts.write();
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.counts.read_one();
        let is_head = options.head;
        let answer = self.inner.get_opts(location, options).await?;
        if !is_head {
            self.counts.read(answer.range.end.saturating_sub(answer.range.start));
        }
        Ok(answer)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.counts.read_one();
        let found = self.inner.get_ranges(location, ranges).await?;
        self.counts.read(found.iter().map(|bytes| bytes.len() as u64).sum());
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let counts = Arc::clone(&self.counts);
        self.inner.delete_stream(locations.inspect(move |_| counts.write()).boxed())
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
        let found = self.inner.list_with_delimiter(prefix).await;
        let keys = found
            .as_ref()
            .map_or(0, |found| found.objects.len().saturating_add(found.common_prefixes.len()));
        self.counts.list((keys as u64).div_ceil(LISTED_PER_REQUEST).max(1));
        found
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.counts.write();
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.counts.write();
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
            large: None,
        };
        let store = counted(inner, Arc::clone(&counts)).store;
        let seen = || (counts.reads(), counts.writes(), counts.bytes_read());
        let path = Path::from("a/b");
        store.put(&path, "12345".into()).await.unwrap();
        assert_eq!(seen(), (0, 1, 0));
        store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(seen(), (1, 1, 5));
        store.get_range(&path, 1..3).await.unwrap();
        assert_eq!(seen(), (2, 1, 7));
        store.head(&path).await.unwrap();
        assert!(store.get(&Path::from("none")).await.is_err());
        assert_eq!(seen(), (4, 1, 7));
        assert_eq!(counts.lists(), 0);
        for number in 0..1_000 {
            store.put(&Path::from(format!("c/{number}")), "".into()).await.unwrap();
        }
        for (prefix, pages) in [("c", 1), ("none", 1), ("", 2)] {
            let before = counts.lists();
            let prefix = Path::from(prefix);
            let _keys: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
            assert_eq!(counts.lists() - before, pages, "{prefix}");
        }
        store.put(&Path::from("c/more"), "".into()).await.unwrap();
        for (prefix, pages) in [("c", 2), ("none", 1), ("", 1)] {
            let before = counts.lists();
            store.list_with_delimiter(Some(&Path::from(prefix))).await.unwrap();
            assert_eq!(counts.lists() - before, pages, "{prefix}");
        }
        assert_eq!(counts.reads(), 4);
        store.delete(&path).await.unwrap();
        assert_eq!(counts.writes(), 1_003);
    }
}
