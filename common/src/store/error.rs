//! What a store's error means: the only classification, and a message without secrets.
//!
//! `object_store` has a variant for a few statuses; the others (a missing bucket, throttling,
//! time-outs) are found in its causes and, where it keeps them private, in their texts. An answer
//! that it would misunderstand is among its causes as a [`StoreError`] of `answer`.

use std::io;
use std::time::Duration;

use deepclone_core::visible::visible;
use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

use super::redact::redact_line;
use crate::local_folder::LeadsOutside;

/// What a store's error means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreErrorKind {
    /// No object has this key.
    NotFound,
    /// The bucket or container does not exist.
    BucketMissing,
    /// The store refuses the request for good: for the credentials, or because the object is
    /// archived or locked, a quota is used up, or the bucket is in another region.
    Denied,
    /// The request is too old for the store (its date, its token): a new one may be taken. Lasting,
    /// it is as [`Self::Denied`].
    Stale,
    /// The store asks for fewer requests (429 or 503).
    Throttled,
    /// An object has this key already; it may be the caller's own, if an answer was lost.
    AlreadyExists,
    /// The object does not have the entity tag of `If-Match`.
    Precondition,
    /// No answer came in time: the store or the line may have too much to do.
    TimedOut,
    /// A cut connection, a 5xx, or another request under way: the same request may succeed later.
    Transient,
    /// The upload is not there any more, or not with these parts.
    UploadLost,
    /// The store takes no write without a checksum in a header.
    ChecksumWanted,
    /// The bytes that the store got do not have the checksum that the request says.
    ChecksumMismatch,
    /// The store does not implement the request (501).
    Unsupported,
    /// Any other error: the same request fails again.
    Other,
}

impl StoreErrorKind {
    /// Returns its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::BucketMissing => "bucket_missing",
            Self::Denied => "denied",
            Self::Stale => "stale",
            Self::Throttled => "throttled",
            Self::AlreadyExists => "already_exists",
            Self::Precondition => "precondition",
            Self::TimedOut => "timed_out",
            Self::Transient => "transient",
            Self::UploadLost => "upload_lost",
            Self::ChecksumWanted => "checksum_wanted",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::Unsupported => "unsupported",
            Self::Other => "other",
        }
    }

    /// Returns true when the same request may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Transient | Self::Throttled | Self::TimedOut | Self::Stale)
    }

    /// Returns true when the store refused the request for good.
    #[must_use]
    pub fn is_denied(self) -> bool {
        matches!(self, Self::Denied | Self::Stale)
    }

    /// Returns true when a put-if-absent with this error may still have written the object: only a
    /// read-back tells (I5).
    #[must_use]
    pub fn is_unsettled(self) -> bool {
        // A lost answer to the completion of an upload may be why there is no upload any more.
        self.is_retryable()
            || matches!(self, Self::AlreadyExists | Self::Precondition | Self::UploadLost)
    }
}

/// A store's error: its kind and one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What the error means.
    pub kind: StoreErrorKind,
    /// One line for people. It does not name the object: the caller does.
    pub message: String,
    /// How long the store asks to be left alone.
    pub pause: Option<Duration>,
}

/// The longest message: an HTML page of a proxy says nothing more.
const MESSAGE_CHARS_MAX: usize = 240;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if let Some(outside) = leads_outside(&error) {
            return Self::new(StoreErrorKind::Denied, outside.to_string());
        }
        if let Some(judged) = judged(&error) {
            return judged.clone();
        }
        let text = innermost_text(&error);
        if text.contains("Content-Length Header missing") {
            let message = "the store does not say how long the object is: it, or a proxy, unpacks \
                           what was stored (content-encoding)";
            return Self::new(StoreErrorKind::Denied, message);
        }
        let kind = kind_of(&error, &text);
        Self::new(kind, message_of(kind, &text))
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::new(io_kind(error.kind()), error.to_string())
    }
}

impl StoreError {
    /// Creates an error; `message` is one line without secrets.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), pause: None }
    }

    /// Returns the error of a put-if-absent after a read-back that found no object: a conflict has
    /// passed, and the put may be sent again, by another upload if need be.
    #[must_use]
    pub fn when_absent(self) -> Self {
        let kind = match self.kind {
            StoreErrorKind::AlreadyExists
            | StoreErrorKind::Precondition
            | StoreErrorKind::UploadLost => StoreErrorKind::Transient,
            kind => kind,
        };
        Self { kind, ..self }
    }
}

/// Returns the refusal of a link, which comes from us and not from the store.
fn leads_outside(error: &Error) -> Option<&LeadsOutside> {
    match error {
        Error::PermissionDenied { source, .. } => source.downcast_ref(),
        _ => None,
    }
}

/// Returns what `answer` found in the store's answer.
fn judged(error: &Error) -> Option<&StoreError> {
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        if let Some(judged) = current.downcast_ref() {
            return Some(judged);
        }
        cause = current.source();
    }
    None
}

fn kind_of(error: &Error, text: &str) -> StoreErrorKind {
    use StoreErrorKind as Kind;
    match error {
        Error::NotFound { .. } if is_bucket_missing(text) => Kind::BucketMissing,
        Error::NotFound { .. } => Kind::NotFound,
        Error::AlreadyExists { .. } if text.contains("ConditionalRequestConflict") => {
            Kind::Transient
        }
        Error::AlreadyExists { .. } => Kind::AlreadyExists,
        Error::Precondition { .. } | Error::NotModified { .. } => Kind::Precondition,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Kind::Denied,
        Error::NotImplemented { .. } | Error::NotSupported { .. } => Kind::Unsupported,
        Error::Generic { .. } => generic_kind(error, text),
        _ => Kind::Other,
    }
}

fn is_bucket_missing(text: &str) -> bool {
    ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]
        .iter()
        .any(|mark| text.contains(mark))
}

fn generic_kind(error: &Error, text: &str) -> StoreErrorKind {
    use StoreErrorKind as Kind;
    if let Some(status) = status_in(text) {
        return match status {
            429 | 503 => Kind::Throttled,
            501 => Kind::Unsupported,
            408 | 504 => Kind::TimedOut,
            500..=599 => Kind::Transient,
            401 | 403 => Kind::Denied,
            404 if is_bucket_missing(text) => Kind::BucketMissing,
            404 => Kind::NotFound,
            400 if is_denied_code(text) => Kind::Denied,
            // S3: the request's body did not come in time.
            400 if text.contains("<Code>RequestTimeout</Code>") => Kind::TimedOut,
            _ => Kind::Other,
        };
    }
    if text.contains("SlowDown") {
        return Kind::Throttled;
    }
    if text.contains("InternalError") {
        return Kind::Transient;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        // No answer, or one that cannot be decoded: cut, or written by a proxy.
        if let Some(error) = current.downcast_ref::<HttpError>() {
            return match error.kind() {
                HttpErrorKind::Timeout => Kind::TimedOut,
                _ => Kind::Transient,
            };
        }
        if let Some(error) = current.downcast_ref::<io::Error>() {
            return io_kind(error.kind());
        }
        cause = current.source();
    }
    Kind::Other
}

fn io_kind(kind: io::ErrorKind) -> StoreErrorKind {
    use StoreErrorKind as Kind;
    use io::ErrorKind as Io;
    match kind {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => Kind::Denied,
        Io::AlreadyExists => Kind::AlreadyExists,
        Io::Unsupported => Kind::Unsupported,
        Io::TimedOut => Kind::TimedOut,
        Io::Interrupted => Kind::Transient,
        // A folder or a temporary file that was removed while it was in use. A file that is
        // absent from the start is `Error::NotFound`.
        Io::NotFound => Kind::Transient,
        _ => Kind::Other,
    }
}

fn is_denied_code(text: &str) -> bool {
    ["ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "InvalidAccessKeyId"]
        .iter()
        .any(|code| text.contains(code))
}

/// Returns the text of the most specific cause: the one with the status and body of the answer, or
/// else the last one that is not empty.
fn innermost_text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        let next = current.to_string();
        if status_in(&text).is_none() && !next.is_empty() {
            text = next;
        }
        cause = current.source();
    }
    text
}

fn status_in(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

fn message_of(kind: StoreErrorKind, text: &str) -> String {
    if text.contains("169.254.") {
        return "no credentials are configured, and this machine's metadata service gives none"
            .to_owned();
    }
    let mut parts = Vec::new();
    if let Some(status) = status_in(text) {
        parts.push(format!("status {status}"));
    }
    match (between(text, "<Code>", "</Code>"), between(text, "<Message>", "</Message>")) {
        (None, None) if !parts.is_empty() => {}
        (None, None) => parts.push(one_line(text)),
        (code, message) => {
            let both = [code, message].into_iter().flatten();
            // Azure's messages go on with ids and times on further lines.
            parts.extend(both.map(|part| one_line(part.lines().next().unwrap_or_default())));
        }
    }
    let message = parts.join(": ");
    match kind {
        StoreErrorKind::BucketMissing => {
            format!("the bucket or container does not exist: {message}")
        }
        StoreErrorKind::Denied => format!("the store refuses our credentials: {message}"),
        StoreErrorKind::Unsupported => format!("the store does not support this: {message}"),
        _ => message,
    }
}

/// Returns the text between the first `open` and the `close` after it.
pub(super) fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}

/// Returns one line of bounded length without secrets.
pub(super) fn one_line(text: &str) -> String {
    let line = redact_line(text);
    visible(&line).chars().take(MESSAGE_CHARS_MAX).collect()
}

mod credentials;
#[cfg(test)]
mod tests;
