//! Multipart uploads that were opened and never ended: no listing of objects shows them, and they
//! are paid for until somebody throws them away.
//!
//! `object_store` has no such listing. It is asked for an object of a made-up key, and the
//! request's extensions tell the connector of [`crate::store::client`] to ask for the bucket's
//! uploads instead and to sign again. S3 and Google Cloud Storage have such a listing; Azure throws
//! what was not committed away by itself after a week.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use chrono::DateTime;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, ETAG, HeaderValue, LAST_MODIFIED};
use object_store::client::{HttpError, HttpRequest};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{StoreError, StoreErrorKind};
use super::signing::Signing;
use super::uri::with_path_and_query;
use super::xml::{elements, unescaped};

/// The key that the client is asked for: one segment, which no client encodes.
const STAND_IN: &str = "uploadsOfTheBucket";
/// Pages of a listing, a thousand uploads each: more are no accident of ours.
const PAGES_MAX: usize = 100;
/// What a value of a query keeps as it is (RFC 3986).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An upload that was opened and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    pub path: Path,
    pub id: String,
    /// Milliseconds since 1970 (UTC); `None` when the store does not say it.
    pub begun_ms: Option<i64>,
}

/// What the caller wants, in the extensions of a request.
#[derive(Clone, Debug)]
struct ListUploads {
    prefix: String,
    /// The key and the id after which the page begins.
    after: Option<(String, String)>,
    /// Set by the connector once the request asks for uploads.
    is_asked: Arc<AtomicBool>,
}

/// Returns the open uploads whose keys begin with `prefix`. Keys that cannot be named are left out.
///
/// # Errors
/// `Unsupported` where the store has no such listing; else the store's.
pub async fn open_uploads(
    store: &dyn ObjectStore,
    prefix: &str,
) -> Result<Vec<OpenUpload>, StoreError> {
    let mut found = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let page = page(store, prefix, after).await?;
        let text = String::from_utf8_lossy(&page);
        found.extend(elements(&text, "Upload").filter_map(|(_, upload)| open_upload(upload)));
        let next = |name| elements(&text, name).next().map(|(_, value)| unescaped(value));
        let is_cut = next("IsTruncated").is_some_and(|value| value == "true");
        let (Some(key), Some(id), true) =
            (next("NextKeyMarker"), next("NextUploadIdMarker"), is_cut)
        else {
            return Ok(found);
        };
        after = Some((key.into_owned(), id.into_owned()));
    }
    let message = format!("there are more than {} open uploads", found.len());
    Err(StoreError::new(StoreErrorKind::Other, message))
}

fn open_upload(upload: &str) -> Option<OpenUpload> {
    let value = |name| elements(upload, name).next().map(|(_, value)| unescaped(value));
    let begun = value("Initiated").and_then(|time| DateTime::parse_from_rfc3339(&time).ok());
    Some(OpenUpload {
        path: Path::parse(value("Key")?).ok()?,
        id: value("UploadId")?.into_owned(),
        begun_ms: begun.map(|time| time.timestamp_millis()),
    })
}

async fn page(
    store: &dyn ObjectStore,
    prefix: &str,
    after: Option<(String, String)>,
) -> Result<Bytes, StoreError> {
    let wanted = ListUploads { prefix: prefix.to_owned(), after, is_asked: Arc::default() };
    let mut options = GetOptions::default();
    options.extensions.insert(wanted.clone());
    let answer = store.get_opts(&Path::from(STAND_IN), options).await;
    if !wanted.is_asked.load(Ordering::Relaxed) {
        let message = "the store has no listing of uploads that were not ended";
        return Err(StoreError::new(StoreErrorKind::Unsupported, message));
    }
    Ok(answer?.bytes().await?)
}

/// Makes a request whose extensions want that ask for uploads. Returns whether it does.
pub(super) async fn ask(request: &mut HttpRequest, signing: &Signing) -> Result<bool, HttpError> {
    let Some(wanted) = request.extensions().get::<ListUploads>().cloned() else {
        return Ok(false);
    };
    if matches!(signing, Signing::Azure(_)) || !signing.can_sign(request) {
        return Ok(false);
    }
    let path = request.uri().path();
    let bucket = path.strip_suffix(STAND_IN).unwrap_or(path);
    let bucket = if bucket == "/" { bucket } else { bucket.trim_end_matches('/') };
    let encoded = |value: &str| utf8_percent_encode(value, KEPT).to_string();
    let mut whole = format!("{bucket}?uploads=&prefix={}", encoded(&wanted.prefix));
    if let Some((key, id)) = &wanted.after {
        let (key, id) = (encoded(key), encoded(id));
        whole = format!("{whole}&key-marker={key}&upload-id-marker={id}");
    }
    *request.uri_mut() = with_path_and_query(request.uri(), &whole)?;
    signing.sign(request).await?;
    wanted.is_asked.store(true, Ordering::Relaxed);
    Ok(true)
}

/// Gives an answer the headers that the client wants of an object.
pub(super) fn as_an_object(headers: &mut HeaderMap, length: usize) {
    headers.insert(ETAG, HeaderValue::from_static("\"uploads\""));
    headers.insert(LAST_MODIFIED, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}

#[cfg(test)]
mod tests;
