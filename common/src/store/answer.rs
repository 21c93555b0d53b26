//! What an unsuccessful answer means where its status alone would mislead.
//!
//! The `object_store` client tells its caller a few statuses: each 409 becomes "exists", each 404
//! "not found", each 403 "permission denied", and a redirect loses its region. The code in the body
//! says more. An answer that means something else than its status is replaced by a [`StoreError`],
//! which [`super::error`] finds again among the causes of the client's error.
//!
//! The client also searches the body of a completed upload for the words of two errors, and so
//! takes an object whose key has such a word for a failure; and it takes any other error in the
//! body of an answer 200 for one that it cannot parse.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody};

use super::error::{StoreError, StoreErrorKind, between, one_line};
use super::redact::without_credentials;

/// What is read of an error's body: a page of a proxy says nothing more.
const ERROR_BYTES_MAX: usize = 64 << 10;
const REGION: &str = "x-amz-bucket-region";
/// Azure's code, also in the answer to a HEAD.
const CODE: &str = "x-ms-error-code";

/// What a request does, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
    /// Completes an upload or deletes many objects: the answer 200 may hold an error.
    Post,
}

impl Purpose {
    pub(super) fn of(request: &HttpRequest) -> Self {
        match *request.method() {
            Method::GET | Method::HEAD => Self::Read,
            Method::POST => Self::Post,
            _ => Self::Write,
        }
    }

    /// Reads the answer as far as its meaning depends on its body.
    ///
    /// # Errors
    /// A [`StoreError`] in place of an answer that the client would misunderstand.
    pub(super) async fn judge(self, answer: HttpResponse) -> Result<HttpResponse, HttpError> {
        let (mut parts, mut body) = answer.into_parts();
        let status = parts.status;
        let whole = match self {
            Self::Post if status.is_success() => body.bytes().await?,
            _ if status.is_success() || status == StatusCode::NOT_MODIFIED => {
                return Ok(HttpResponse::from_parts(parts, body));
            }
            _ => start_of(&mut body).await,
        };
        parts.headers.remove(CONTENT_LENGTH);
        let text = String::from_utf8_lossy(&whole);
        if status.is_success() {
            match status_inside(&text) {
                Some(inside) => parts.status = inside,
                None => {
                    let text = without_words(&text);
                    return Ok(HttpResponse::from_parts(parts, text.into()));
                }
            }
        }
        match Refused::of(parts.status, &parts.headers, &text).error(self) {
            Some(error) => Err(HttpError::new(HttpErrorKind::Unknown, error)),
            None => Ok(HttpResponse::from_parts(parts, whole.into())),
        }
    }
}

/// The body as far as it comes, up to a bound: a cut one still has a status.
async fn start_of(body: &mut HttpResponseBody) -> Bytes {
    let mut start = BytesMut::new();
    while start.len() < ERROR_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(bytes) = frame.into_data() {
            let room = (ERROR_BYTES_MAX - start.len()).min(bytes.len());
            start.extend_from_slice(&bytes[..room]);
        }
    }
    start.freeze()
}

/// The status that belongs to the error in the body of an answer 200; `None` where there is none.
fn status_inside(text: &str) -> Option<StatusCode> {
    let text = text.trim_start();
    let root = match text.strip_prefix("<?") {
        Some(declared) => declared.split_once("?>").map_or("", |(_, root)| root).trim_start(),
        None => text,
    };
    if !root.starts_with("<Error>") && !root.starts_with("<Error ") {
        return None;
    }
    Some(match between(root, "<Code>", "</Code>").unwrap_or_default() {
        "SlowDown" | "ServiceUnavailable" | "Throttling" => StatusCode::SERVICE_UNAVAILABLE,
        "PreconditionFailed" => StatusCode::PRECONDITION_FAILED,
        "ConditionalRequestConflict" | "OperationAborted" => StatusCode::CONFLICT,
        "NoSuchUpload" | "NoSuchBucket" => StatusCode::NOT_FOUND,
        "AccessDenied" => StatusCode::FORBIDDEN,
        "NotImplemented" => StatusCode::NOT_IMPLEMENTED,
        code if code.starts_with("Invalid") || code == "EntityTooSmall" => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

/// A successful answer in which the client does not find the words of errors. One letter of each
/// becomes a character reference, which its parser resolves.
fn without_words(text: &str) -> String {
    text.replace("InternalError", "&#73;nternalError").replace("SlowDown", "&#83;lowDown")
}

struct Refused<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    code: &'a str,
    /// The text for people.
    message: &'a str,
    /// Where the bucket lies, if the answer says it.
    region: Option<&'a str>,
}

/// Codes that mean the same whatever their status is, and what to tell people. The store's own
/// text follows.
const CODES: &[(&[&str], StoreErrorKind, &str)] = &[
    (
        &["InvalidObjectState", "BlobArchived", "BlobBeingRehydrated"],
        StoreErrorKind::Denied,
        "the object is archived, restore it first",
    ),
    (
        &["BlobImmutableDueToPolicy", "ObjectLocked", "FileImmutable", "ObjectLockConfiguration"],
        StoreErrorKind::Denied,
        "a lock or retention policy protects the object",
    ),
    (
        &["LeaseIdMissing", "LeaseIdMismatchWithBlobOperation", "LeaseLost"],
        StoreErrorKind::Denied,
        "another client holds a lease on the object",
    ),
    (
        &["ResourceTypeMismatch", "XMinioObjectExistsAsDirectory", "XMinioParentIsObject"],
        StoreErrorKind::Denied,
        "an object or folder is in the way of its path",
    ),
    (
        &["QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"],
        StoreErrorKind::Denied,
        FULL,
    ),
    (
        &["Md5Mismatch"],
        StoreErrorKind::ChecksumMismatch,
        "the bytes do not have the MD5 that was said of them",
    ),
    (
        &["BadDigest", "XAmzContentChecksumMismatch"],
        StoreErrorKind::ChecksumMismatch,
        "the bytes that came do not have the checksum that was sent with them",
    ),
    (
        &["RequestTimeTooSkewed"],
        StoreErrorKind::Stale,
        "the clocks of this machine and of the store differ too much",
    ),
    (
        &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"],
        StoreErrorKind::Stale,
        "the credentials have expired",
    ),
    (
        &["ConditionalRequestConflict", "OperationAborted"],
        StoreErrorKind::Transient,
        "another request for the object is under way",
    ),
    (&["NoSuchUpload", "InvalidBlockList"], StoreErrorKind::UploadLost, "the upload is gone"),
    (&["InvalidPart", "InvalidPartOrder"], StoreErrorKind::UploadLost, "the upload lacks a part"),
    (
        &["InvalidBlobOrBlock"],
        StoreErrorKind::Denied,
        "blocks of another tool, which it never committed, are in the way: Azure drops them within \
         a week, or when a blob of this name is written and deleted",
    ),
];

const FULL: &str = "the store is full, or a quota is used up";

/// Codes of a 409 that do say that the object exists.
const EXISTS: &[&str] = &["BlobAlreadyExists", "FileAlreadyExists", "ObjectAlreadyExists"];

impl<'a> Refused<'a> {
    fn of(status: StatusCode, headers: &'a HeaderMap, text: &'a str) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let code = between(text, "<Code>", "</Code>").or_else(|| header(CODE));
        Self {
            status,
            headers,
            code: code.unwrap_or_default(),
            message: between(text, "<Message>", "</Message>").unwrap_or_default(),
            region: between(text, "<Region>", "</Region>").or_else(|| header(REGION)),
        }
    }

    /// The error in place of the answer; `None` where its status is enough.
    fn error(&self, purpose: Purpose) -> Option<StoreError> {
        let known = CODES.iter().find(|(codes, ..)| codes.contains(&self.code));
        if let Some((_, kind, what)) = known {
            return Some(self.named(*kind, what));
        }
        if self.status.is_redirection() || self.is_of_another_region() {
            return Some(self.misplaced());
        }
        let denied = |what| Some(self.named(StoreErrorKind::Denied, what));
        if self.code.starts_with("KMS") || self.message.contains("kms:") {
            return denied("the store may not use the encryption key (KMS)");
        }
        if self.message.contains("WORM") || self.message.contains("retention") {
            return denied("a lock or retention policy protects the object");
        }
        if self.asks_for_checksum() {
            let kind = StoreErrorKind::ChecksumWanted;
            return Some(self.named(kind, "the store wants a checksum with each write"));
        }
        match self.status {
            StatusCode::INSUFFICIENT_STORAGE => denied(FULL),
            StatusCode::CONFLICT if purpose == Purpose::Read => {
                denied("the store does not give the object")
            }
            StatusCode::CONFLICT if !self.code.is_empty() && !EXISTS.contains(&self.code) => {
                denied("the store does not take the object")
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let pause = self.retry_after()?;
                let error = self.named(StoreErrorKind::Throttled, "the store is busy");
                Some(StoreError { pause: Some(pause), ..error })
            }
            _ => None,
        }
    }

    /// True when the store names another region than the one that was signed for.
    fn is_of_another_region(&self) -> bool {
        let codes = ["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];
        codes.contains(&self.code) && self.region.is_some()
    }

    /// A bucket with Object Lock: "Content-MD5 OR x-amz-checksum- HTTP header is required for …".
    fn asks_for_checksum(&self) -> bool {
        let names = ["Content-MD5", "x-amz-checksum-"];
        self.status == StatusCode::BAD_REQUEST
            && self.message.contains("required")
            && names.iter().any(|name| self.message.contains(name))
    }

    fn misplaced(&self) -> StoreError {
        let location = self.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let what = match (self.region, location) {
            (Some(region), _) => {
                format!("the bucket is in the region {region}, set that as its region")
            }
            (None, Some(location)) => {
                let location = without_credentials(location);
                format!("the store is at {location}, set that as its endpoint")
            }
            (None, None) => {
                "the bucket is in another region or at another endpoint, and the store does not \
                 say where"
                    .to_owned()
            }
        };
        self.named(StoreErrorKind::Denied, &what)
    }

    fn named(&self, kind: StoreErrorKind, what: &str) -> StoreError {
        let mut message = format!("{what}: status {}", self.status.as_u16());
        for part in [self.code, self.message.lines().next().unwrap_or_default()] {
            if !part.is_empty() {
                message.push_str(": ");
                message.push_str(&one_line(part));
            }
        }
        StoreError::new(kind, message)
    }

    /// How long the store asks to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests;
