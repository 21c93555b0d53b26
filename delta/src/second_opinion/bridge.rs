//! An adapter from our store to the object_store version of deltalake: read only, and limited to
//! the table's folder.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deepclone_common::store::table::{TableStore, join};
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store as ours;
use object_store::ObjectStore as _;
use object_store_013 as theirs;
use theirs::path::Path;
use theirs::{GetRange, GetResult, GetResultPayload, ListResult, ObjectMeta, ObjectStore};

/// The read-only store of one table.
#[derive(Debug)]
pub(super) struct Bridge {
    store: Arc<dyn ours::ObjectStore>,
    root: ours::path::Path,
}

impl Bridge {
    pub(super) fn new(table: &TableStore) -> Self {
        Self { store: table.store.clone(), root: table.root.clone() }
    }

    fn inwards(&self, path: Option<&Path>) -> Result<ours::path::Path, theirs::Error> {
        let below = path.map(Path::as_ref).unwrap_or_default();
        ours::path::Path::parse(join(self.root.as_ref(), below)).map_err(generic)
    }

    fn outwards(root: &str, meta: ours::ObjectMeta) -> Result<ObjectMeta, theirs::Error> {
        let location = meta.location.as_ref();
        let below = location.strip_prefix(root).unwrap_or(location).trim_start_matches('/');
        Ok(ObjectMeta {
            location: Path::parse(below).map_err(generic)?,
            last_modified: meta.last_modified,
            size: meta.size,
            e_tag: meta.e_tag,
            version: meta.version,
        })
    }
}

impl fmt::Display for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bridge to {}", self.root)
    }
}

#[async_trait]
impl ObjectStore for Bridge {
    async fn get_opts(
        &self,
        location: &Path,
        options: theirs::GetOptions,
    ) -> Result<GetResult, theirs::Error> {
        let asked = ours::GetOptions {
            head: options.head,
            range: options.range.map(|range| match range {
                GetRange::Bounded(range) => ours::GetRange::Bounded(range),
                GetRange::Offset(offset) => ours::GetRange::Offset(offset),
                GetRange::Suffix(length) => ours::GetRange::Suffix(length),
            }),
            ..ours::GetOptions::default()
        };
        let got = self.store.get_opts(&self.inwards(Some(location))?, asked).await;
        let got = got.map_err(outwards_error)?;
        let (range, meta) = (got.range.clone(), got.meta.clone());
        Ok(GetResult {
            payload: GetResultPayload::Stream(got.into_stream().map_err(outwards_error).boxed()),
            meta: Self::outwards(self.root.as_ref(), meta)?,
            range,
            attributes: theirs::Attributes::default(),
        })
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta, theirs::Error>> {
        let prefix = match self.inwards(prefix) {
            Ok(prefix) => prefix,
            Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
        };
        let root = self.root.to_string();
        let listed = self.store.list(Some(&prefix)).map_err(outwards_error);
        let listed = listed.and_then(move |meta| std::future::ready(Self::outwards(&root, meta)));
        // Local stores list in any order; delta-rs expects the keys sorted.
        let sorted = async {
            let mut metas: Vec<ObjectMeta> = listed.try_collect().await?;
            metas.sort_by(|left, right| left.location.cmp(&right.location));
            Ok::<_, theirs::Error>(futures::stream::iter(metas.into_iter().map(Ok)))
        };
        sorted.try_flatten_stream().boxed()
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&Path>,
    ) -> Result<ListResult, theirs::Error> {
        let prefix = self.inwards(prefix)?;
        let found = self.store.list_with_delimiter(Some(&prefix)).await.map_err(outwards_error)?;
        let root = self.root.as_ref();
        let objects: Result<_, _> =
            found.objects.into_iter().map(|meta| Self::outwards(root, meta)).collect();
        let prefixes: Result<_, _> = found
            .common_prefixes
            .iter()
            .map(|path| {
                let below = path.as_ref().strip_prefix(root).unwrap_or(path.as_ref());
                Path::parse(below.trim_start_matches('/')).map_err(generic)
            })
            .collect();
        Ok(ListResult { objects: objects?, common_prefixes: prefixes? })
    }

    async fn put_opts(
        &self,
        _: &Path,
        _: theirs::PutPayload,
        _: theirs::PutOptions,
    ) -> Result<theirs::PutResult, theirs::Error> {
        Err(read_only("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: theirs::PutMultipartOptions,
    ) -> Result<Box<dyn theirs::MultipartUpload>, theirs::Error> {
        Err(read_only("put_multipart"))
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path, theirs::Error>>,
    ) -> BoxStream<'static, Result<Path, theirs::Error>> {
        futures::stream::once(async { Err(read_only("delete")) }).boxed()
    }

    async fn copy_opts(
        &self,
        _: &Path,
        _: &Path,
        _: theirs::CopyOptions,
    ) -> Result<(), theirs::Error> {
        Err(read_only("copy"))
    }
}

fn outwards_error(error: ours::Error) -> theirs::Error {
    match error {
        ours::Error::NotFound { path, source } => theirs::Error::NotFound { path, source },
        other => generic(other),
    }
}

fn generic(error: impl std::error::Error + Send + Sync + 'static) -> theirs::Error {
    theirs::Error::Generic { store: "bridge", source: Box::new(error) }
}

fn read_only(operation: &str) -> theirs::Error {
    theirs::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "a second opinion, which only reads".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ours::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_bridge_writes_and_deletes_nothing() {
        let root = ours::path::Path::from("t");
        let table = TableStore {
            store: Arc::new(InMemory::new()),
            root,
            uri: "memory:///t".into(),
            large: None,
        };
        let (bridge, path) = (Bridge::new(&table), Path::from("a"));
        let deleted = bridge.delete_stream(futures::stream::iter([Ok(path.clone())]).boxed());
        for refused in [
            bridge.put_opts(&path, "x".into(), Default::default()).await.map(drop),
            bridge.put_multipart_opts(&path, Default::default()).await.map(drop),
            bridge.copy_opts(&path, &Path::from("b"), Default::default()).await,
            deleted.try_collect::<Vec<_>>().await.map(drop),
        ] {
            assert!(refused.unwrap_err().to_string().contains("only reads"));
        }
    }
}
