//! Multipart uploads that were opened and never ended: no listing of objects shows them, and they
//! are paid for until somebody throws them away.
//!
//! S3 and Google Cloud Storage list them ([`super::bucket_request`]); Azure throws what was not
//! committed away by itself after a week.

use bytes::Bytes;
use chrono::DateTime;
use object_store::ObjectStore;
use object_store::path::Path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bucket_request::of_bucket;
use super::error::{StoreError, StoreErrorKind};
use super::xml::{elements, unescaped};

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
    let encoded = |value: &str| utf8_percent_encode(value, KEPT).to_string();
    let mut query = format!("uploads=&prefix={}", encoded(prefix));
    if let Some((key, id)) = &after {
        let (key, id) = (encoded(key), encoded(id));
        query = format!("{query}&key-marker={key}&upload-id-marker={id}");
    }
    of_bucket(store, query).await
}

#[cfg(test)]
mod tests;
