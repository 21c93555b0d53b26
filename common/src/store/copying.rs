//! Lets a store of S3's kind copy bytes by itself: from one of its objects into a part of an upload
//! to it. None of them come here.
//!
//! The `object_store` client has no such request between two buckets. It is asked to write an empty
//! part, and a task-local value tells the connector of [`super::client`] what the part is a copy
//! of. The connector adds the headers of `UploadPartCopy`, signs again, and shows the client the
//! entity tag of the answer where it looks for one. The two find each other as in
//! [`super::streaming`], and an empty part that no connector replaced is an error here, too.
//!
//! The copy is of one state of the source (`x-amz-copy-source-if-match`). The completion of the
//! upload has its condition as ever, so nothing is overwritten.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{ETAG, HeaderName, HeaderValue};
use http::response::Parts;
use http::{Method, StatusCode};
use object_store::PutPayload;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};
use object_store::multipart::PartId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{StoreError, StoreErrorKind};
use super::signing::Signing;
use super::stall::STALL_TIMEOUT;
use super::streaming::{StreamingStore, UploadId};
use super::xml::{elements, unescaped};

const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const COPY_SOURCE_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
const COPY_SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");
const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");
const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");
/// The characters of a key that a header holds as they are.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The slowest rate of a store's own copy.
const FLOOR_BYTES_PER_SECOND: u64 = 1 << 20;

tokio::task_local! {
    /// What the part that this task writes is a copy of.
    static COPYING: Arc<CopyOrder>;
    /// Set while this task opens an upload whose object is to have its checksum.
    static CHECKSUMMED: ();
}

/// Bytes of one state of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyRange {
    pub bucket: String,
    pub key: String,
    /// The entity tag of that state, a strong one.
    pub etag: String,
    /// `None` for all bytes: stores cut only objects of more than 5 MB.
    pub range: Option<Range<u64>>,
    /// How many bytes there are.
    pub length: u64,
}

/// Lets the store write a part, from 0, by a copy of its own.
///
/// # Errors
/// `Precondition` when the source is in another state; `Unsupported` when the store's client has no
/// such request; else the store's.
pub async fn copy_part(
    store: &StreamingStore,
    upload: &UploadId,
    number: usize,
    source: CopyRange,
) -> Result<PartId, StoreError> {
    let order =
        Arc::new(CopyOrder { source, is_taken: AtomicBool::new(false), checksum: OnceLock::new() });
    let empty = PutPayload::default();
    let put = store.plain_uploads().put_part(&upload.path, &upload.id, number, empty);
    let part = COPYING.scope(Arc::clone(&order), put).await?;
    if !order.is_taken.load(Ordering::Relaxed) {
        let message = "the store's client cannot let it copy by itself";
        return Err(StoreError::new(StoreErrorKind::Unsupported, message));
    }
    Ok(match order.checksum.get() {
        Some(checksum) => with_checksum(&part, checksum),
        None => part,
    })
}

/// Opens an upload by `open` whose object has a checksum of all its bytes, where the store can.
pub async fn checksummed<T>(open: impl Future<Output = T>) -> T {
    CHECKSUMMED.scope((), open).await
}

/// Takes the copy that the write of this task is to be: for a store that has no connector.
#[must_use]
pub fn take() -> Option<CopyRange> {
    let order = COPYING.try_with(Arc::clone).ok()?;
    let is_first = !order.is_taken.swap(true, Ordering::Relaxed);
    is_first.then(|| order.source.clone())
}

/// The form in which the client takes a part's checksum into the completion, which S3 may want.
fn with_checksum(part: &PartId, checksum: &str) -> PartId {
    let (etag, mut text) = (&part.content_id, String::from("<PartMetadata>"));
    // A string takes everything.
    let _whole = write!(text, "<e_tag>{etag}</e_tag>");
    let _whole = write!(text, "<checksum_crc64nvme>{checksum}</checksum_crc64nvme>");
    text.push_str("</PartMetadata>");
    PartId { content_id: text }
}

/// A copy between the caller and the connector.
struct CopyOrder {
    source: CopyRange,
    is_taken: AtomicBool,
    /// The checksum of the part, where the store says it, in its own form.
    checksum: OnceLock<String>,
}

/// A request for a copy that is under way.
pub(super) struct Copying(Arc<CopyOrder>);

/// Makes the request of a task that copies one for a copy, and returns it; asks for a checksum
/// where an upload is opened that wants one.
pub(super) async fn extend(
    request: &mut HttpRequest,
    signing: &Signing,
) -> Result<Option<Copying>, HttpError> {
    if !matches!(signing, Signing::S3(_)) || !signing.can_sign(request) {
        return Ok(None);
    }
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    if *request.method() == Method::POST && has("uploads") && CHECKSUMMED.try_with(|()| ()).is_ok()
    {
        let headers = request.headers_mut();
        headers.insert(CHECKSUM_ALGORITHM, HeaderValue::from_static("CRC64NVME"));
        headers.insert(CHECKSUM_TYPE, HeaderValue::from_static("FULL_OBJECT"));
        signing.sign(request).await?;
        return Ok(None);
    }
    let writes_part = *request.method() == Method::PUT && has("uploadId") && has("partNumber");
    if !writes_part || request.body().content_length() > 0 {
        return Ok(None);
    }
    let Ok(order) = COPYING.try_with(Arc::clone) else { return Ok(None) };
    if order.is_taken.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    let CopyRange { bucket, key, etag, range, .. } = &order.source;
    let key = utf8_percent_encode(key, ENCODED);
    let headers = request.headers_mut();
    headers.insert(COPY_SOURCE, value(format!("/{bucket}/{key}"))?);
    headers.insert(COPY_SOURCE_IF_MATCH, value(etag.clone())?);
    if let Some(Range { start, end }) = range {
        let last = end.saturating_sub(1);
        headers.insert(COPY_SOURCE_RANGE, value(format!("bytes={start}-{last}"))?);
    }
    signing.sign(request).await?;
    Ok(Some(Copying(order)))
}

fn value(text: String) -> Result<HeaderValue, HttpError> {
    text.try_into().map_err(|error| HttpError::new(HttpErrorKind::Unknown, InHeader(error)))
}

#[derive(Debug, thiserror::Error)]
#[error("a request for a copy cannot be written: {0}")]
struct InHeader(http::header::InvalidHeaderValue);

impl Copying {
    /// How long the store may take.
    pub(super) fn deadline(&self) -> Duration {
        STALL_TIMEOUT + Duration::from_secs(self.0.source.length / FLOOR_BYTES_PER_SECOND)
    }

    /// Makes the successful answer that to the write of a part, which has the entity tag in a
    /// header. A store that says none in the body wrote the empty part.
    pub(super) fn note(&self, parts: &mut Parts, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let value = |name| elements(&text, name).next().map(|(_, value)| unescaped(value));
        let is_copied = elements(&text, "CopyPartResult").next().is_some();
        let etag = value("ETag").and_then(|etag| HeaderValue::try_from(&*etag).ok());
        match etag.filter(|_| is_copied) {
            Some(etag) => {
                parts.headers.insert(ETAG, etag);
            }
            None => parts.status = StatusCode::NOT_IMPLEMENTED,
        }
        if let Some(checksum) = value("ChecksumCRC64NVME") {
            let _first = self.0.checksum.set(checksum.into_owned());
        }
    }
}

#[cfg(test)]
mod tests;
