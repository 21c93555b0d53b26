//! The table of cases: what each answer means, whether it is retried, and that no secret shows.

use StoreErrorKind as Kind;

use super::*;

fn generic(text: &str) -> Error {
    Error::Generic { store: "S3", source: text.to_owned().into() }
}

/// An answer with this status line and body, as the client words it.
fn status(line: &str, body: &str) -> Error {
    generic(&answer(line, body))
}

fn answer(line: &str, body: &str) -> String {
    format!(
        "Error performing GET https://h/b/k?X-Amz-Signature=hunter2 in 1ms - Server returned \
         non-2xx status code: {line}: {body}"
    )
}

fn code(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>why</Message></Error>")
}

fn path() -> String {
    "k".to_owned()
}

fn http(kind: HttpErrorKind) -> Error {
    let error = HttpError::new(kind, io::Error::other("slow"));
    Error::Generic { store: "S3", source: Box::new(error) }
}

fn disk(kind: io::ErrorKind) -> Error {
    Error::Generic { store: "LocalFileSystem", source: io::Error::from(kind).into() }
}

#[track_caller]
fn check(error: Error, kind: Kind, part: &str) {
    let shown = error.to_string();
    let found = StoreError::from(error);
    assert_eq!(found.kind, kind, "{shown}");
    assert!(found.message.contains(part), "{shown}: {found}");
    assert!(!found.message.contains("hunter2"), "{found}");
    assert!(!found.message.contains('\n'), "{found}");
    assert!(found.message.chars().count() < MESSAGE_CHARS_MAX + 60, "{found}");
}

#[test]
fn statuses_and_codes() {
    for (line, body, kind, part) in [
        ("400 Bad Request", code("ExpiredToken"), Kind::Denied, "ExpiredToken: why"),
        ("400 Bad Request", code("InvalidToken"), Kind::Denied, "refuses our credentials"),
        ("400 Bad Request", code("InvalidAccessKeyId"), Kind::Denied, "InvalidAccessKeyId"),
        ("400 Bad Request", code("AuthorizationHeaderMalformed"), Kind::Denied, "Malformed"),
        ("400 Bad Request", code("RequestTimeout"), Kind::TimedOut, "RequestTimeout"),
        ("400 Bad Request", code("BadDigest"), Kind::Other, "status 400: BadDigest: why"),
        ("400 Bad Request", String::new(), Kind::Other, "status 400"),
        ("401 Unauthorized", String::new(), Kind::Denied, "refuses our credentials"),
        ("403 Forbidden", code("AccessDenied"), Kind::Denied, "AccessDenied"),
        ("404 Not Found", code("NoSuchKey"), Kind::NotFound, "NoSuchKey"),
        ("404 Not Found", code("NoSuchBucket"), Kind::BucketMissing, "does not exist"),
        ("404 Not Found", code("ContainerNotFound"), Kind::BucketMissing, "does not exist"),
        ("408 Request Timeout", String::new(), Kind::TimedOut, "status 408"),
        ("411 Length Required", String::new(), Kind::Other, "status 411"),
        ("429 Too Many Requests", String::new(), Kind::Throttled, "status 429"),
        ("500 Internal Server Error", code("InternalError"), Kind::Transient, "InternalError"),
        ("500 Internal", "<html>".to_owned(), Kind::Transient, "status 500"),
        ("501 Not Implemented", code("NotImplemented"), Kind::Unsupported, "not support this"),
        ("502 Bad Gateway", String::new(), Kind::Transient, "status 502"),
        ("503 Service Unavailable", code("SlowDown"), Kind::Throttled, "status 503: SlowDown"),
        ("504 Gateway Timeout", String::new(), Kind::TimedOut, "status 504"),
    ] {
        check(status(line, &body), kind, part);
    }
    // Without a status: an answer 200 with an error in its body.
    check(generic(&code("SlowDown")), Kind::Throttled, "SlowDown");
    check(generic(&code("InternalError")), Kind::Transient, "InternalError");
    let unmeasured = "Content-Length Header missing from response";
    check(generic(unmeasured), Kind::Denied, "how long the object is");
    check(generic("GET http://169.254.169.254/latest"), Kind::Other, "no credentials are");
    let url = "cannot reach https://u:hunter2@h/b?sig=hunter2\n now";
    check(generic(url), Kind::Other, "h/b?*** now");
    check(generic(&"x".repeat(1_000)), Kind::Other, "xxx");
}

#[test]
fn variants_of_the_client() {
    let source = |text: &str| text.to_owned().into();
    let absent = |text: &str| Error::NotFound { path: path(), source: source(text) };
    check(absent("x"), Kind::NotFound, "x");
    check(absent(&answer("404 Not Found", &code("NoSuchKey"))), Kind::NotFound, "NoSuchKey");
    for text in ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"] {
        check(absent(text), Kind::BucketMissing, "the bucket or container does not exist");
    }
    let exists = |text: &str| Error::AlreadyExists { path: path(), source: source(text) };
    check(exists("x"), Kind::AlreadyExists, "x");
    check(exists(&code("ConditionalRequestConflict")), Kind::Transient, "RequestConflict");
    let precondition = Error::Precondition { path: path(), source: source("x") };
    check(precondition, Kind::Precondition, "x");
    let not_modified = Error::NotModified { path: path(), source: source("x") };
    check(not_modified, Kind::Precondition, "x");
    let denied = "x <Code>SignatureDoesNotMatch</Code><Message>a\nb</Message> \
                  <StringToSign>hunter2</StringToSign>";
    let denied = Error::PermissionDenied { path: path(), source: source(denied) };
    check(denied, Kind::Denied, "refuses our credentials: SignatureDoesNotMatch: a");
    let outside = LeadsOutside { path: "/t/link".to_owned() };
    let outside = Error::PermissionDenied { path: path(), source: outside.into() };
    check(outside, Kind::Denied, "a link leads out of");
    let unknown = Error::Unauthenticated { path: path(), source: source("503 x") };
    check(unknown, Kind::Denied, "503 x");
    let unsupported = Error::NotSupported { source: source("x") };
    check(unsupported, Kind::Unsupported, "not support this");
    let (operation, implementer) = (String::new(), String::new());
    let not_built = Error::NotImplemented { operation, implementer };
    check(not_built, Kind::Unsupported, "not support this");
    let unknown = Error::UnknownConfigurationKey { store: "S3", key: "k".to_owned() };
    check(unknown, Kind::Other, "");
}

#[test]
fn requests_without_an_answer() {
    for kind in [
        HttpErrorKind::Connect,
        HttpErrorKind::Request,
        HttpErrorKind::Interrupted,
        HttpErrorKind::Decode,
        HttpErrorKind::Unknown,
    ] {
        check(http(kind), Kind::Transient, "slow");
    }
    check(http(HttpErrorKind::Timeout), Kind::TimedOut, "slow");
    for (kind, wanted) in [
        (io::ErrorKind::PermissionDenied, Kind::Denied),
        (io::ErrorKind::ReadOnlyFilesystem, Kind::Denied),
        (io::ErrorKind::AlreadyExists, Kind::AlreadyExists),
        (io::ErrorKind::Unsupported, Kind::Unsupported),
        (io::ErrorKind::TimedOut, Kind::TimedOut),
        (io::ErrorKind::Interrupted, Kind::Transient),
        (io::ErrorKind::NotFound, Kind::Transient),
        (io::ErrorKind::StorageFull, Kind::Other),
        (io::ErrorKind::Other, Kind::Other),
    ] {
        check(disk(kind), wanted, "");
        assert_eq!(StoreError::from(io::Error::from(kind)).kind, wanted, "{kind:?}");
    }
}

#[test]
fn what_was_found_in_an_answer_is_found_again() {
    let found = StoreError {
        pause: Some(Duration::from_secs(3)),
        ..StoreError::new(Kind::Throttled, "busy")
    };
    let http = HttpError::new(HttpErrorKind::Unknown, found.clone());
    let error = Error::Generic { store: "S3", source: Box::new(http) };
    assert_eq!(StoreError::from(error), found);
}

#[test]
fn what_is_retried_and_what_must_be_read_back() {
    for (kind, retried, unsettled, when_absent) in [
        (Kind::NotFound, false, false, Kind::NotFound),
        (Kind::BucketMissing, false, false, Kind::BucketMissing),
        (Kind::Denied, false, false, Kind::Denied),
        (Kind::Stale, true, true, Kind::Stale),
        (Kind::Throttled, true, true, Kind::Throttled),
        (Kind::AlreadyExists, false, true, Kind::Transient),
        (Kind::Precondition, false, true, Kind::Transient),
        (Kind::TimedOut, true, true, Kind::TimedOut),
        (Kind::Transient, true, true, Kind::Transient),
        (Kind::UploadLost, false, true, Kind::Transient),
        (Kind::ChecksumMismatch, false, false, Kind::ChecksumMismatch),
        (Kind::Unsupported, false, false, Kind::Unsupported),
        (Kind::Other, false, false, Kind::Other),
    ] {
        assert_eq!(kind.is_retryable(), retried, "{kind:?}");
        assert_eq!(kind.is_unsettled(), unsettled, "{kind:?}");
        assert_eq!(StoreError::new(kind, "x").when_absent().kind, when_absent, "{kind:?}");
    }
}
