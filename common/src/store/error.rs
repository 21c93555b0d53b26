//! What stores answer, classified in one place, and told without secrets.
//!
//! `object_store` has a variant for a few statuses; the others (a missing bucket, throttling,
//! time-outs) are found in its causes and, where it keeps them private, in their texts.

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

use crate::local_folder::LeadsOutside;
use crate::store::redact::redact_line;

/// What to do about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreErrorKind {
    /// No object at this key.
    NotFound,
    /// No such bucket or container.
    BucketMissing,
    /// Credentials that are wrong, missing or not sufficient.
    Denied,
    /// 429 or 503: slower.
    Throttled,
    /// Put-if-absent: somebody was first, or we were and did not hear it.
    AlreadyExists,
    /// `If-Match`: another object is there now.
    Precondition,
    /// A time-out, a cut connection or a 5xx: again.
    Transient,
    /// The store does not do what was asked (501): never again.
    Unsupported,
    /// Anything else: again makes no sense.
    Other,
}

/// A store's answer: its kind and one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What to do about it.
    pub kind: StoreErrorKind,
    /// One line for people. It does not name the object: its user does.
    pub message: String,
}

/// The longest message; a store's page of HTML says nothing more.
const MESSAGE_CHARS_MAX: usize = 240;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

impl StoreError {
    /// Classifies an error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        if let Some(outside) = leads_outside(error) {
            return Self { kind: StoreErrorKind::Denied, message: outside.to_string() };
        }
        let text = innermost_text(error);
        let kind = kind_of(error, &text);
        Self { kind, message: message_of(kind, &text) }
    }

    /// True when the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Transient | StoreErrorKind::Throttled)
    }
}

/// Not the store refuses, but we.
fn leads_outside(error: &Error) -> Option<&LeadsOutside> {
    match error {
        Error::PermissionDenied { source, .. } => source.downcast_ref(),
        _ => None,
    }
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
            408 | 500..=599 => Kind::Transient,
            401 | 403 => Kind::Denied,
            404 if is_bucket_missing(text) => Kind::BucketMissing,
            404 => Kind::NotFound,
            400 if is_denied_code(text) => Kind::Denied,
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
        if let Some(http) = current.downcast_ref::<HttpError>() {
            return match http.kind() {
                HttpErrorKind::Decode => Kind::Other,
                _ => Kind::Transient,
            };
        }
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::PermissionDenied => Kind::Denied,
                std::io::ErrorKind::AlreadyExists => Kind::AlreadyExists,
                std::io::ErrorKind::TimedOut | std::io::ErrorKind::Interrupted => Kind::Transient,
                _ => Kind::Other,
            };
        }
        cause = current.source();
    }
    Kind::Other
}

fn is_denied_code(text: &str) -> bool {
    ["ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "InvalidAccessKeyId"]
        .iter()
        .any(|code| text.contains(code))
}

/// The text of the cause that says most: the last one in the chain that is not empty, with the
/// answer's status and body where there was an answer.
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

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}

/// One line of bounded length without secrets.
fn one_line(text: &str) -> String {
    redact_line(text).chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    fn status(line: &str, body: &str) -> Error {
        generic(&format!(
            "Error performing GET https://h/b/k?X-Amz-Signature=hunter2 in 1ms - Server returned \
             non-2xx status code: {line}: {body}"
        ))
    }

    #[test]
    fn answers_are_told_apart_and_show_no_secret() {
        use StoreErrorKind as Kind;
        let path = || "k".to_owned();
        let http = HttpError::new(HttpErrorKind::Timeout, std::io::Error::other("slow"));
        for (error, kind, part) in [
            (status("503 Service Unavailable", ""), Kind::Throttled, "status 503"),
            (status("429 Too Many", "<Code>SlowDown</Code>"), Kind::Throttled, "SlowDown"),
            (status("500 Internal", "<html>"), Kind::Transient, "status 500"),
            (status("501 X", "<Code>NotImplemented</Code>"), Kind::Unsupported, "NotImplemented"),
            (status("400 Bad", "<Code>ExpiredToken</Code>"), Kind::Denied, "ExpiredToken"),
            (status("400 Bad", "<Code>BadDigest</Code>"), Kind::Other, "BadDigest"),
            (
                Error::NotFound { path: path(), source: "<Code>NoSuchBucket</Code>".into() },
                Kind::BucketMissing,
                "does not exist",
            ),
            (Error::NotFound { path: path(), source: "x".into() }, Kind::NotFound, ""),
            (
                Error::PermissionDenied {
                    path: path(),
                    source: "x <Code>SignatureDoesNotMatch</Code><Message>a\nb</Message> \
                             <StringToSign>hunter2</StringToSign>"
                        .into(),
                },
                Kind::Denied,
                "refuses our credentials: SignatureDoesNotMatch: a",
            ),
            (Error::AlreadyExists { path: path(), source: "x".into() }, Kind::AlreadyExists, ""),
            (
                Error::AlreadyExists {
                    path: path(),
                    source: "<Code>ConditionalRequestConflict</Code>".into(),
                },
                Kind::Transient,
                "ConditionalRequestConflict",
            ),
            (Error::Precondition { path: path(), source: "x".into() }, Kind::Precondition, ""),
            (Error::Generic { store: "S3", source: Box::new(http) }, Kind::Transient, "slow"),
            (
                generic("cannot reach https://u:hunter2@h/b?sig=hunter2\n now"),
                Kind::Other,
                "h/b?*** now",
            ),
        ] {
            let found = StoreError::of(&error);
            assert_eq!(found.kind, kind, "{error}");
            assert!(found.message.contains(part), "{error}: {found}");
            assert!(!found.message.contains("hunter2"), "{found}");
            assert!(!found.message.contains('\n'), "{found}");
        }
    }
}
