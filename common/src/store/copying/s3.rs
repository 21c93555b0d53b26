//! How S3 is asked to copy a part by itself (`UploadPartCopy`), and what it answers.

use std::fmt::Write as _;
use std::ops::Range;

use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use http::{Method, StatusCode};
use object_store::client::{HttpError, HttpRequest};
use object_store::multipart::PartId;
use percent_encoding::utf8_percent_encode;

use super::header::{ENCODED, value};
use crate::store::xml::{elements, unescaped};

pub(super) const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
pub(super) const COPY_SOURCE_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
pub(super) const COPY_SOURCE_IF_MATCH: HeaderName =
    HeaderName::from_static("x-amz-copy-source-if-match");
pub(super) const CHECKSUM_ALGORITHM: HeaderName =
    HeaderName::from_static("x-amz-checksum-algorithm");
pub(super) const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");

/// Whether a request opens an upload.
pub(super) fn opens_upload(request: &HttpRequest) -> bool {
    *request.method() == Method::POST && has(request, "uploads")
}

/// Whether a request writes a part of an upload.
pub(super) fn writes_part(request: &HttpRequest) -> bool {
    *request.method() == Method::PUT && has(request, "uploadId") && has(request, "partNumber")
}

fn has(request: &HttpRequest, name: &str) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair.split('=').next() == Some(name))
}

/// Asks for a checksum of all bytes of the object that an upload makes.
pub(super) fn ask_for_checksum(headers: &mut HeaderMap) {
    headers.insert(CHECKSUM_ALGORITHM, HeaderValue::from_static("CRC64NVME"));
    headers.insert(CHECKSUM_TYPE, HeaderValue::from_static("FULL_OBJECT"));
}

/// Names the bytes that a part is a copy of, and the state of their object.
pub(super) fn name_source(
    headers: &mut HeaderMap,
    (bucket, key): (&str, &str),
    etag: &str,
    range: Option<&Range<u64>>,
) -> Result<(), HttpError> {
    let key = utf8_percent_encode(key, ENCODED);
    headers.insert(COPY_SOURCE, value(format!("/{bucket}/{key}"))?);
    headers.insert(COPY_SOURCE_IF_MATCH, value(etag.to_owned())?);
    if let Some(Range { start, end }) = range {
        let last = end.saturating_sub(1);
        headers.insert(COPY_SOURCE_RANGE, value(format!("bytes={start}-{last}"))?);
    }
    Ok(())
}

/// Makes the successful answer that to the write of a part, which has the entity tag in a header. A
/// store that says none in the body wrote the empty part. Returns the checksum of the part, in the
/// store's own form.
pub(super) fn as_of_part(parts: &mut Parts, body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let is_copied = elements(&text, "CopyPartResult").next().is_some();
    let value_of = |name| elements(&text, name).next().map(|(_, inside)| unescaped(inside));
    let etag = value_of("ETag").and_then(|etag| HeaderValue::from_str(&etag).ok());
    match etag.filter(|_| is_copied) {
        Some(etag) => {
            parts.headers.insert(ETAG, etag);
        }
        None => parts.status = StatusCode::NOT_IMPLEMENTED,
    }
    value_of("ChecksumCRC64NVME").map(std::borrow::Cow::into_owned)
}

/// The form in which the client takes a part's checksum into the completion, which S3 may want.
pub(super) fn with_checksum(part: &PartId, checksum: &str) -> PartId {
    let (etag, mut text) = (&part.content_id, String::from("<PartMetadata>"));
    // A string takes everything.
    let _whole = write!(text, "<e_tag>{etag}</e_tag>");
    let _whole = write!(text, "<checksum_crc64nvme>{checksum}</checksum_crc64nvme>");
    text.push_str("</PartMetadata>");
    PartId { content_id: text }
}
