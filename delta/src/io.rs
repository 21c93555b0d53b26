//! Requests to a table's store, with bounded, jittered retries: the clients below never retry.
//!
//! Retried: 5xx, 429, time-outs, broken connections. Never retried: absent, denied, malformed; and
//! never a put-if-absent, whose unknown outcome only a read settles (I5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use deepclone_common::store::error::{StoreError, StoreErrorKind};
use deepclone_common::store::requests;
use deepclone_common::store::table::TableStore;
use deepclone_core::evidence::Described;
use deepclone_core::failure::Failure;
use deepclone_core::limits::{BACKOFF_MAX, BACKOFF_MIN};
use deepclone_core::reason::Reason;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};

use crate::error::DeltaError;

/// Tries of one request.
const TRIES_MAX: u32 = 5;
/// Tries of one that the store throttles: with their pauses more than half a minute.
const TRIES_THROTTLED_MAX: u32 = 8;

/// An object with what the store says about it.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The whole object.
    pub bytes: Bytes,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// What became of a put-if-absent.
#[derive(Debug)]
pub enum PutOutcome {
    /// The object is ours.
    Written,
    /// It may be ours, another's or absent: read it back.
    Unsettled(DeltaError),
}

/// The key of `relative` below the table's folder; `relative` is not encoded again.
///
/// # Errors
/// When a store cannot name it (empty, `.` or `..` segments).
pub fn key(table: &TableStore, relative: &str) -> Result<Path, DeltaError> {
    let whole = match table.root.as_ref() {
        "" => relative.to_owned(),
        root => format!("{root}/{relative}"),
    };
    Path::parse(&whole).map_err(|_| DeltaError::Path {
        path: relative.to_owned(),
        problem: "no object store can name this key",
    })
}

/// The object at `relative`, or `None` when it is absent.
///
/// # Errors
/// When the store cannot be read.
pub async fn get(table: &TableStore, relative: &str) -> Result<Option<Fetched>, DeltaError> {
    let key = key(table, relative)?;
    let fetch = || {
        let (store, key) = (Arc::clone(&table.store), key.clone());
        async move {
            let result = store.get(&key).await?;
            let modified_ms = result.meta.last_modified.timestamp_millis();
            Ok(Fetched { bytes: result.bytes().await?, modified_ms })
        }
    };
    match retrying(fetch).await {
        Ok(fetched) => Ok(Some(fetched)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// Whether there is an object at `relative`.
///
/// # Errors
/// When the store does not say.
pub async fn exists(table: &TableStore, relative: &str) -> Result<bool, DeltaError> {
    let key = key(table, relative)?;
    match retrying(|| table.store.head(&key)).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// The object at `relative` as its store describes it, or `None` when it is absent.
///
/// # Errors
/// When the store cannot be read.
pub async fn describe(table: &TableStore, relative: &str) -> Result<Option<Described>, DeltaError> {
    let key = key(table, relative)?;
    match retrying(|| requests::describe(&*table.store, &key)).await {
        Ok(described) => Ok(Some(described)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// The CRC-64/NVME of the object at `relative`, read as a stream, or `None` when it is absent.
/// Bytes that come are added to `bytes_read`, those of broken tries included.
///
/// # Errors
/// When the store cannot be read.
pub async fn digest(
    table: &TableStore,
    relative: &str,
    bytes_read: &AtomicU64,
) -> Result<Option<u64>, DeltaError> {
    let key = key(table, relative)?;
    let read = || {
        let (store, key) = (Arc::clone(&table.store), key.clone());
        async move {
            let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
            let mut body = store.get(&key).await?.into_stream();
            while let Some(bytes) = body.try_next().await? {
                bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                digest.update(&bytes);
            }
            Ok(digest.finalize())
        }
    };
    match retrying(read).await {
        Ok(digest) => Ok(Some(digest)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(storage("reading", table, relative, &error)),
    }
}

/// The objects below the folder `relative` whose keys come after `after` (a name in that folder),
/// with keys relative to the folder. A store may answer with more than asked: callers filter.
///
/// # Errors
/// When the store cannot be listed; a missing bucket is one of these.
pub async fn list(
    table: &TableStore,
    relative: &str,
    after: Option<&str>,
) -> Result<Vec<(String, ObjectMeta)>, DeltaError> {
    let folder = key(table, relative)?;
    let offset = after.map(|name| key(table, &format!("{relative}/{name}"))).transpose()?;
    let fetch = || {
        let stream = match &offset {
            Some(offset) => table.store.list_with_offset(Some(&folder), offset),
            None => table.store.list(Some(&folder)),
        };
        stream.try_collect::<Vec<_>>()
    };
    let metas =
        retrying(fetch).await.map_err(|error| storage("listing", table, relative, &error))?;
    let prefix = format!("{folder}/");
    Ok(metas
        .into_iter()
        .filter_map(|meta| {
            let name = meta.location.as_ref().strip_prefix(&prefix)?.to_owned();
            Some((name, meta))
        })
        .collect())
}

/// Writes the object at `relative` unless something is there: one try.
///
/// # Errors
/// When the store refuses for a reason that leaves no doubt (denied, not supported).
pub async fn put_if_absent(
    table: &TableStore,
    relative: &str,
    payload: PutPayload,
) -> Result<PutOutcome, DeltaError> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    match table.store.put_opts(&key(table, relative)?, payload, options).await {
        Ok(_) => Ok(PutOutcome::Written),
        Err(error) => {
            let unsettled = StoreError::of(&error).is_retryable()
                || matches!(error, Error::AlreadyExists { .. } | Error::Precondition { .. });
            let error = storage("writing", table, relative, &error);
            if unsettled { Ok(PutOutcome::Unsettled(error)) } else { Err(error) }
        }
    }
}

/// Writes the object at `relative` over whatever is there: for hints and checkpoints.
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
    retrying(write).await.map(|_| ()).map_err(|error| storage("writing", table, relative, &error))
}

/// Deletes the object at `relative`; absent is fine.
///
/// # Errors
/// When the store refuses.
pub async fn delete(table: &TableStore, relative: &str) -> Result<(), DeltaError> {
    let key = key(table, relative)?;
    let delete = || {
        let (store, key) = (Arc::clone(&table.store), key.clone());
        async move { store.delete(&key).await }
    };
    match retrying(delete).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(storage("deleting", table, relative, &error)),
    }
}

/// Runs `work`, which takes long and waits for nothing, away from the async threads.
///
/// # Errors
/// What `work` says.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeltaError> + Send + 'static,
) -> Result<T, DeltaError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(Failure::new(Reason::Internal, format!("reading the log stopped: {error}")).into())
        }
    }
}

/// Sends a request until it settles.
pub(crate) async fn retrying<T, F: Future<Output = Result<T, Error>>>(
    request: impl Fn() -> F,
) -> Result<T, Error> {
    let mut pause_max = BACKOFF_MIN;
    let mut tries = 1;
    loop {
        let settled = request().await;
        match settled.as_ref().map_err(StoreError::of) {
            Err(error) if error.is_retryable() && tries < tries_max(&error) => {
                tracing::debug!(tries, %error, "a request is tried again");
            }
            _ => return settled,
        }
        tokio::time::sleep(jittered(pause_max)).await;
        pause_max = (pause_max * 2).min(BACKOFF_MAX);
        tries += 1;
    }
}

fn tries_max(error: &StoreError) -> u32 {
    match error.kind {
        StoreErrorKind::Throttled => TRIES_THROTTLED_MAX,
        _ => TRIES_MAX,
    }
}

/// Between half and all of `pause_max`.
fn jittered(pause_max: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes()[0];
    pause_max / 2 + pause_max / 2 * u32::from(random) / 255
}

/// The failure of `operation` on `relative`, told without secrets.
pub(crate) fn storage(
    operation: &'static str,
    table: &TableStore,
    relative: &str,
    error: &Error,
) -> DeltaError {
    let error = StoreError::of(error);
    DeltaError::Storage {
        operation,
        key: format!("{}/{relative}", table.uri.trim_end_matches('/')).trim_end_matches('/').into(),
        denied: error.kind == StoreErrorKind::Denied,
        cause: error.message,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// How object_store opens the text of an answer that is an error.
    const PREFIX: &str = "Server returned non-2xx status code: ";

    fn answered(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[tokio::test(start_paused = true)]
    async fn only_passing_failures_are_tried_again() {
        let status = |status: &str| answered(&format!("{PREFIX}{status}"));
        type Case = (fn() -> Error, u32);
        let cases: [Case; 7] = [
            (|| answered(&format!("{PREFIX}500 Internal Server Error")), TRIES_MAX),
            (|| answered(&format!("{PREFIX}429 Too Many Requests")), TRIES_THROTTLED_MAX),
            (|| answered(&format!("{PREFIX}501 Not Implemented")), 1),
            (|| answered(&format!("{PREFIX}400 Bad Request")), 1),
            (|| answered("anything else"), 1),
            (|| Error::NotFound { path: "k".into(), source: "x".into() }, 1),
            (|| Error::PermissionDenied { path: "k".into(), source: "503".into() }, 1),
        ];
        for (error, wanted) in cases {
            let tries = AtomicU32::new(0);
            let request = || async {
                tries.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(error())
            };
            retrying(request).await.unwrap_err();
            assert_eq!(tries.load(Ordering::Relaxed), wanted, "{}", error());
        }
        let slow = status("503 X: <Code>SlowDown</Code><Host>h</Host>");
        let table = TableStore {
            store: Arc::new(object_store::memory::InMemory::new()),
            root: Path::default(),
            uri: "memory:///t".into(),
        };
        let failure = storage("reading", &table, "k", &slow).failure();
        assert_eq!(failure.message, "reading memory:///t/k: status 503: SlowDown");
        let url = answered("connect failed for url (https://x/y?sig=SECRET)");
        let failure = storage("reading", &table, "k", &url).failure();
        assert!(!failure.message.contains("SECRET"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_throttles_for_half_a_minute_is_waited_for() {
        for (status, seconds_min) in [("503 Slow Down", 30), ("500 Internal", 3)] {
            let begun = tokio::time::Instant::now();
            let request = || async { Err::<(), _>(answered(&format!("{PREFIX}{status}"))) };
            retrying(request).await.unwrap_err();
            let waited = begun.elapsed().as_secs();
            assert!((seconds_min..seconds_min * 3).contains(&waited), "{status}: {waited} s");
        }
    }

    #[tokio::test]
    async fn a_request_is_tried_again_until_it_settles() {
        let tries = AtomicU32::new(0);
        let request = || async {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0 => Err(answered(&format!("{PREFIX}503 Service Unavailable"))),
                _ => Err::<(), _>(answered("final")),
            }
        };
        assert!(retrying(request).await.unwrap_err().to_string().contains("final"));
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }
}
