//! Requests to a table's store, retried as `common` decides; a put-if-absent never is, for only
//! reading it back settles an unknown outcome (I5).

mod body;
mod body_put;
mod bounded;
mod compute;
mod hashed;
mod listed;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::literal::ObjectPath;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::requests;
use deepclone_common::store::retry::{Patience, retrying};
use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::Described;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};
use serde::Serialize;

pub(crate) use body::Body;
pub(crate) use body_put::{BodyPut, put_body_if_absent};
pub use bounded::ReadBound;
pub use compute::compute;
pub(crate) use compute::compute_here;
pub(crate) use hashed::sha256;
pub(crate) use listed::select;

use crate::error::DeltaError;
use crate::spool::Spool;

/// An object's bytes, modification time and entity tag.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// All bytes of the object.
    pub bytes: Bytes,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its entity tag, if the store gives one.
    pub etag: Option<String>,
}

/// The outcome of a put-if-absent.
#[derive(Debug)]
pub enum PutOutcome {
    /// The object was written, with this entity tag.
    Written(Option<String>),
    /// Unknown: the object may be ours, another writer's or absent. Reading it back decides.
    Unsettled(StoreError),
}

/// Returns the key of `relative` below the table's folder; `relative` is not encoded again.
///
/// # Errors
/// When a store cannot name it (empty, `.` or `..` segments).
pub fn key(table: &TableStore, relative: &str) -> Result<Path, DeltaError> {
    table.key(relative).map_err(|_| unnameable(relative))
}

/// Returns the place of an object of data for reads, whose key may have empty segments.
fn object(table: &TableStore, relative: &str) -> Result<ObjectPath, DeltaError> {
    table.object(relative).map_err(|_| unnameable(relative))
}

fn unnameable(relative: &str) -> DeltaError {
    let problem = "no object store can name this key";
    DeltaError::Path { path: relative.to_owned(), problem }
}

/// Reads the object at `relative` within the bound; `None` when it is absent.
///
/// # Errors
/// When the store cannot be read, or the object is beyond the bound.
pub async fn get(
    table: &TableStore,
    relative: &str,
    bound: ReadBound,
) -> Result<Option<Fetched>, DeltaError> {
    let key = key(table, relative)?;
    let fetch = || {
        let (store, key) = (Arc::clone(&table.store), key.clone());
        async move {
            let result = store.get(&key).await?;
            let modified_ms = result.meta.last_modified.timestamp_millis();
            let etag = result.meta.e_tag.clone();
            let bytes = bounded::collect(result, bound).await?;
            Ok::<_, Error>(bytes.map(|bytes| Fetched { bytes, modified_ms, etag }))
        }
    };
    match retrying(Patience::LOG, table.asked(StoreOperation::Get), fetch).await {
        Ok(Ok(fetched)) => Ok(Some(fetched)),
        Ok(Err(problem)) => Err(DeltaError::damaged(relative, problem)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Fetches the object at `relative` within the bound into a file without a name; a file of a local
/// disk is taken as it is. `None` when it is absent.
///
/// # Errors
/// When the store cannot be read, the object is beyond the bound, or the file cannot be written.
pub(crate) async fn spool(
    table: &TableStore,
    relative: &str,
    bound: ReadBound,
) -> Result<Option<Spool>, DeltaError> {
    let key = key(table, relative)?;
    let fetch = || {
        let (store, key) = (Arc::clone(&table.store), key.clone());
        async move { bounded::spool(store.get(&key).await?, bound).await }
    };
    match retrying(Patience::LOG, table.asked(StoreOperation::Get), fetch).await {
        Ok(Ok(spool)) => Ok(Some(spool)),
        Ok(Err(problem)) => Err(DeltaError::damaged(relative, problem)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Reads a small object whose content is a help and no need; `None` when it is absent, or larger
/// than any such object.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn get_hint(
    table: &TableStore,
    relative: &str,
) -> Result<Option<Fetched>, DeltaError> {
    match get(table, relative, ReadBound::SMALL).await {
        Err(error @ DeltaError::Damaged { .. }) => {
            tracing::warn!(%error, table = table.uri, "a hint is not read");
            Ok(None)
        }
        settled => settled,
    }
}

/// Reads byte ranges of the object at `relative`; `None` when it is absent.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn get_ranges(
    table: &TableStore,
    relative: &str,
    ranges: &[Range<u64>],
) -> Result<Option<Vec<Bytes>>, DeltaError> {
    let key = key(table, relative)?;
    match retrying(Patience::LOG, table.asked(StoreOperation::Get), || {
        table.store.get_ranges(&key, ranges)
    })
    .await
    {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Returns whether there is an object at `relative`.
///
/// # Errors
/// When the store does not answer.
pub async fn exists(table: &TableStore, relative: &str) -> Result<bool, DeltaError> {
    let key = key(table, relative)?;
    match retrying(Patience::LOG, table.asked(StoreOperation::Head), || table.store.head(&key))
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(false),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Asks the store to describe the object at `relative`; `None` when it is absent.
///
/// # Errors
/// When the store cannot be read.
pub async fn describe(table: &TableStore, relative: &str) -> Result<Option<Described>, DeltaError> {
    let at = object(table, relative)?;
    match retrying(Patience::LOG, table.asked(StoreOperation::Head), || {
        requests::describe(&*table.store, &at)
    })
    .await
    {
        Ok(described) => Ok(Some(described)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Computes the CRC-64/NVME of the object at `relative` while reading it as a stream; `None` when
/// it is absent. Adds every byte that arrives to `bytes_read`, failed attempts included.
///
/// # Errors
/// When the store cannot be read.
pub async fn digest(
    table: &TableStore,
    relative: &str,
    bytes_read: &AtomicU64,
) -> Result<Option<u64>, DeltaError> {
    let at = object(table, relative)?;
    let read = || {
        let (store, at) = (Arc::clone(&table.store), at.clone());
        async move {
            let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
            let mut body = at.get(&*store, GetOptions::default()).await?.into_stream();
            while let Some(bytes) = body.try_next().await? {
                bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                digest.update(&bytes);
            }
            Ok::<_, StoreError>(digest.finalize())
        }
    };
    match retrying(Patience::LOG, table.asked(StoreOperation::Get), read).await {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Lists the objects below the folder `relative` whose keys come after `after` (a name in that
/// folder), with keys relative to the folder. A store may list more than asked, so callers filter.
///
/// # Errors
/// When the store cannot be listed; a missing bucket is one of these.
pub async fn list(
    table: &TableStore,
    relative: &str,
    after: Option<&str>,
) -> Result<Vec<(String, ObjectMeta)>, DeltaError> {
    list_up_to(table, relative, after, usize::MAX).await
}

/// Like [`list`] of a whole folder; `None` when it holds more than `most` objects.
///
/// # Errors
/// As [`list`].
pub(crate) async fn list_few(
    table: &TableStore,
    relative: &str,
    most: usize,
) -> Result<Option<Vec<(String, ObjectMeta)>>, DeltaError> {
    let found = list_up_to(table, relative, None, most + 1).await?;
    Ok((found.len() <= most).then_some(found))
}

async fn list_up_to(
    table: &TableStore,
    relative: &str,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<(String, ObjectMeta)>, DeltaError> {
    let folder = key(table, relative)?;
    let offset = after.map(|name| key(table, &format!("{relative}/{name}"))).transpose()?;
    let fetch = || {
        let stream = match &offset {
            Some(offset) => table.store.list_with_offset(Some(&folder), offset),
            None => table.store.list(Some(&folder)),
        };
        stream.take(most).try_collect::<Vec<_>>()
    };
    let metas = retrying(Patience::LOG, table.asked(StoreOperation::List), fetch)
        .await
        .map_err(|error| storage("listing", table, relative, &error))?;
    let prefix = format!("{folder}/");
    Ok(metas
        .into_iter()
        .filter_map(|meta| {
            let name = meta.location.as_ref().strip_prefix(&prefix)?.to_owned();
            Some((name, meta))
        })
        .collect())
}

/// Lists the size of every object below the table's folder, by its key relative to it.
///
/// # Errors
/// When the store cannot be listed.
pub(crate) async fn sizes(table: &TableStore) -> Result<BTreeMap<String, u64>, DeltaError> {
    let prefix = match table.root.as_ref() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    let list = || table.store.list(Some(&table.root)).try_collect::<Vec<_>>();
    let metas = retrying(Patience::LOG, table.asked(StoreOperation::List), list)
        .await
        .map_err(|error| storage("listing", table, "", &error))?;
    Ok(metas
        .into_iter()
        .filter_map(|meta| {
            Some((meta.location.as_ref().strip_prefix(&prefix)?.to_owned(), meta.size))
        })
        .collect())
}

/// Writes the object at `relative` unless an object is there, in one attempt.
///
/// # Errors
/// When the store refuses for a reason that leaves no doubt (denied, not supported).
pub async fn put_if_absent(
    table: &TableStore,
    relative: &str,
    payload: PutPayload,
) -> Result<PutOutcome, DeltaError> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let put = table.store.put_opts(&key(table, relative)?, payload, options).await;
    settled(table, relative, put.map(|written| written.e_tag).map_err(StoreError::from))
}

fn settled(
    table: &TableStore,
    relative: &str,
    put: Result<Option<String>, StoreError>,
) -> Result<PutOutcome, DeltaError> {
    match put {
        Ok(etag) => Ok(PutOutcome::Written(etag)),
        Err(error) if error.kind.is_unsettled() => Ok(PutOutcome::Unsettled(error)),
        Err(error) => Err(storage("writing", table, relative, &error)),
    }
}

/// Writes the object at `relative`, replacing what is there. For hints and ledgers only.
///
/// # Errors
/// When the store cannot be written.
pub async fn put(
    table: &TableStore,
    relative: &str,
    payload: PutPayload,
) -> Result<(), DeltaError> {
    let key = key(table, relative)?;
    let write = || {
        let (store, key, payload) = (Arc::clone(&table.store), key.clone(), payload.clone());
        async move { store.put(&key, payload).await }
    };
    retrying(Patience::LOG, table.asked(StoreOperation::Put), write)
        .await
        .map(|_| ())
        .map_err(|error| storage("writing", table, relative, &error))
}

/// Writes `value` as JSON to `relative`, replacing what is there.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn put_json(
    table: &TableStore,
    relative: &str,
    value: &impl Serialize,
) -> Result<(), DeltaError> {
    let json = serde_json::to_vec(value)
        .map_err(|error| DeltaError::damaged(relative, format!("cannot be written: {error}")))?;
    put(table, relative, Bytes::from(json).into()).await
}

/// Deletes the object at `relative`, if it is there.
///
/// # Errors
/// When the store refuses.
pub async fn delete(table: &TableStore, relative: &str) -> Result<(), DeltaError> {
    let key = key(table, relative)?;
    let delete = || {
        let (store, key) = (Arc::clone(&table.store), key.clone());
        async move { store.delete(&key).await }
    };
    match retrying(Patience::LOG, table.asked(StoreOperation::Delete), delete).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
        Err(error) => Err(storage("deleting", table, relative, &error)),
    }
}

/// Builds the error of `operation` on `relative`, without secrets.
pub(crate) fn storage(
    operation: &'static str,
    table: &TableStore,
    relative: &str,
    error: &StoreError,
) -> DeltaError {
    DeltaError::Storage {
        operation,
        key: format!("{}/{relative}", table.uri.trim_end_matches('/')).trim_end_matches('/').into(),
        denied: error.kind.is_denied(),
        cause: error.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn what_is_absent_is_no_failure() {
        let disk = LocalFileSystem::new_with_prefix(std::env::temp_dir()).unwrap();
        let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(InMemory::new()), Arc::new(disk)];
        for store in stores {
            let table =
                TableStore { store, root: Path::default(), uri: "memory:///t".into(), large: None };
            let absent = format!("deepclone-absent-{}", uuid::Uuid::new_v4());
            let bytes_read = AtomicU64::new(0);
            assert!(get(&table, &absent, ReadBound::LOG).await.unwrap().is_none());
            assert!(get_ranges(&table, &absent, &[0..1, 2..3]).await.unwrap().is_none());
            assert!(sha256(&table, &absent).await.unwrap().is_none());
            assert!(!exists(&table, &absent).await.unwrap());
            assert!(describe(&table, &absent).await.unwrap().is_none());
            assert_eq!(digest(&table, &absent, &bytes_read).await.unwrap(), None);
            assert_eq!(bytes_read.into_inner(), 0);
            delete(&table, &absent).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_range_that_cannot_be_read_is_a_failure() {
        let store = Arc::new(InMemory::new());
        let table =
            TableStore { store, root: Path::default(), uri: "memory:///t".into(), large: None };
        put(&table, "a", Bytes::from_static(b"xyz").into()).await.unwrap();
        let found = get_ranges(&table, "a", &[1..3, 0..1]).await.unwrap();
        assert_eq!(found, Some([&b"yz"[..], b"x"].map(Bytes::from_static).into()));
        let error = get_ranges(&table, "a", &[0..1, 5..9]).await.unwrap_err();
        assert!(matches!(error, DeltaError::Storage { .. }), "{error:?}");
    }

    #[test]
    fn a_failure_names_the_object_and_shows_no_secret() {
        let table = TableStore {
            store: Arc::new(InMemory::new()),
            root: Path::default(),
            uri: "memory:///t".into(),
            large: None,
        };
        for (text, message) in [
            (
                "Server returned non-2xx status code: 503 X: <Code>SlowDown</Code><Host>h</Host>",
                "reading memory:///t/k: status 503: SlowDown",
            ),
            (
                "connect failed for url (https://x/y?sig=SECRET)",
                "reading memory:///t/k: connect failed for url (https://x/y?***)",
            ),
        ] {
            let error = Error::Generic { store: "S3", source: text.into() };
            let failure = storage("reading", &table, "k", &error.into()).failure();
            assert_eq!(failure.message, message);
        }
    }
}
