//! Requests to a table's store, with bounded, jittered retries: the clients below never retry.
//!
//! Retried: 5xx, 429, time-outs, broken connections. Never retried: absent, denied, malformed; and
//! never a put-if-absent, whose unknown outcome only a read settles (I5).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deepclone_common::store_errors::{StoreError, StoreErrorKind};
use deepclone_common::table_store::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::limits::{BACKOFF_MAX, BACKOFF_MIN};
use deepclone_core::reason::Reason;
use futures::TryStreamExt;
use object_store::client::{HttpError, HttpErrorKind};
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
            let unsettled = is_transient(&error)
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

async fn retrying<T, F: Future<Output = Result<T, Error>>>(
    request: impl Fn() -> F,
) -> Result<T, Error> {
    let mut pause_max = BACKOFF_MIN;
    let mut tries = 1;
    loop {
        match request().await {
            Err(error) if is_transient(&error) && tries < tries_max(&error) => {
                tracing::debug!(tries, cause = cause_of(&error), "a request is tried again");
            }
            settled => return settled,
        }
        tokio::time::sleep(jittered(pause_max)).await;
        pause_max = (pause_max * 2).min(BACKOFF_MAX);
        tries += 1;
    }
}

fn tries_max(error: &Error) -> u32 {
    match StoreError::of(error).kind {
        StoreErrorKind::Throttled => TRIES_THROTTLED_MAX,
        _ => TRIES_MAX,
    }
}

/// Between half and all of `pause_max`.
fn jittered(pause_max: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_bytes()[0];
    pause_max / 2 + pause_max / 2 * u32::from(random) / 255
}

/// True when the same request may well succeed in a moment.
fn is_transient(error: &Error) -> bool {
    let Error::Generic { source, .. } = error else { return false };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
    while let Some(error) = cause {
        if let Some(status) = status_of(error) {
            return status >= 500 || matches!(status, 408 | 429);
        }
        if let Some(http) = error.downcast_ref::<HttpError>() {
            return matches!(
                http.kind(),
                HttpErrorKind::Connect
                    | HttpErrorKind::Request
                    | HttpErrorKind::Timeout
                    | HttpErrorKind::Interrupted
                    | HttpErrorKind::Decode
            );
        }
        cause = error.source();
    }
    false
}

/// How object_store opens the text of an answer that is an error.
const PREFIX: &str = "Server returned non-2xx status code: ";

/// The HTTP status in an error's text: object_store keeps the type that holds it to itself.
fn status_of(error: &(dyn std::error::Error + 'static)) -> Option<u16> {
    let text = error.to_string();
    let rest = text.strip_prefix(PREFIX)?;
    rest.get(..3)?.parse().ok()
}

/// The failure of `operation` on `relative`, with the innermost cause only: outer layers repeat
/// URLs, which may carry signatures.
fn storage(
    operation: &'static str,
    table: &TableStore,
    relative: &str,
    error: &Error,
) -> DeltaError {
    let denied = matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. });
    DeltaError::Storage {
        operation,
        key: format!("{}/{relative}", table.uri.trim_end_matches('/')),
        cause: cause_of(error),
        denied,
    }
}

fn cause_of(error: &Error) -> String {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(status) = status_of(cause) {
            let text = cause.to_string();
            let code = error_code(&text).unwrap_or_default();
            return format!("the store answered {status} {code}").trim_end().to_owned();
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    // reqwest puts the URL, and with it a SAS token, into its text.
    let text = cause.to_string();
    let text = text.split(" for url").next().unwrap_or_default();
    text.split('?').next().unwrap_or_default().to_owned()
}

/// `NoSuchBucket` of `<Code>NoSuchBucket</Code>`.
fn error_code(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    code.chars().all(|c| c.is_ascii_alphanumeric()).then_some(code)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn answered(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn only_passing_failures_are_tried_again() {
        let status = |status: &str| answered(&format!("{PREFIX}{status}"));
        for (error, wanted) in [
            (status("503 Service Unavailable: <Code>SlowDown</Code>"), true),
            (status("500 Internal Server Error"), true),
            (status("429 Too Many Requests"), true),
            (status("400 Bad Request"), false),
            (answered("anything else"), false),
            (Error::NotFound { path: "k".into(), source: "x".into() }, false),
            (Error::PermissionDenied { path: "k".into(), source: "503".into() }, false),
            (Error::AlreadyExists { path: "k".into(), source: "x".into() }, false),
        ] {
            assert_eq!(is_transient(&error), wanted, "{error}");
        }
    }

    #[test]
    fn causes_hold_no_signatures() {
        let slow = answered(&format!("{PREFIX}503 X: <Code>SlowDown</Code><Host>h</Host>"));
        assert_eq!(cause_of(&slow), "the store answered 503 SlowDown");
        let url = answered("connect failed for url (https://x/y?sig=SECRET)");
        assert_eq!(cause_of(&url), "connect failed");
        assert!(!cause_of(&answered("https://x/y?sig=SECRET")).contains("SECRET"));
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
