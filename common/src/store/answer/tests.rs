//! The table of answers: what each means, and what is said of it.

use StoreErrorKind as Kind;

use super::*;

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpResponseBody::from(Bytes::from(body.to_owned())));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

fn code(code: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>why</Message></Error>")
}

/// The error in place of the answer, or its status and body.
async fn judged(
    purpose: Purpose,
    answer: HttpResponse,
) -> Result<(u16, String), object_store::Error> {
    match purpose.judge(answer).await {
        Ok(answer) => {
            let (parts, body) = answer.into_parts();
            let body = body.bytes().await.unwrap().to_vec();
            Ok((parts.status.as_u16(), String::from_utf8(body).unwrap()))
        }
        Err(error) => Err(object_store::Error::Generic { store: "S3", source: Box::new(error) }),
    }
}

#[tokio::test]
async fn a_code_that_means_another_thing_than_its_status_is_named() {
    use Purpose::{Post, Read, Write};
    for (purpose, status, named, kind, part) in [
        (Read, 403, "InvalidObjectState", Kind::Denied, "archived"),
        (Read, 409, "BlobArchived", Kind::Denied, "archived"),
        (Write, 409, "BlobImmutableDueToPolicy", Kind::Denied, "retention policy"),
        (Write, 412, "LeaseIdMissing", Kind::Denied, "lease"),
        (Write, 409, "ResourceTypeMismatch", Kind::Denied, "in the way"),
        (Write, 507, "XMinioStorageFull", Kind::Denied, "full"),
        (Write, 507, "Other", Kind::Denied, "full"),
        (Write, 403, "QuotaExceeded", Kind::Denied, "quota"),
        (Write, 400, "KMS.DisabledException", Kind::Denied, "KMS"),
        (Write, 403, "RequestTimeTooSkewed", Kind::Stale, "clocks"),
        (Write, 400, "ExpiredToken", Kind::Stale, "expired"),
        (Write, 400, "BadDigest", Kind::ChecksumMismatch, "bytes that came"),
        (Write, 400, "XAmzContentChecksumMismatch", Kind::ChecksumMismatch, "bytes that came"),
        (Write, 409, "ConditionalRequestConflict", Kind::Transient, "under way"),
        (Write, 409, "OperationAborted", Kind::Transient, "under way"),
        (Read, 409, "OperationAborted", Kind::Transient, "under way"),
        (Write, 409, "Whatever", Kind::Denied, "does not take"),
        (Read, 409, "BlobAlreadyExists", Kind::Denied, "does not give"),
        (Post, 404, "NoSuchUpload", Kind::UploadLost, "gone"),
        (Post, 400, "InvalidPart", Kind::UploadLost, "lacks a part"),
        (Write, 400, "InvalidBlockList", Kind::UploadLost, "gone"),
        (Post, 200, "ConditionalRequestConflict", Kind::Transient, "under way"),
    ] {
        let error = judged(purpose, answer(status, &[], &code(named))).await.unwrap_err();
        let error = StoreError::from(error);
        let message = &error.message;
        assert_eq!(error.kind, kind, "{purpose:?} {status} {named}: {message}");
        assert!(message.contains(part) && message.contains(named), "{named}: {message}");
        assert!(message.ends_with(": why"), "{message}");
    }
}

#[tokio::test]
async fn an_answer_that_means_what_it_says_passes_unchanged() {
    use Purpose::{Post, Read, Write};
    for (purpose, status, body) in [
        (Read, 200, "bytes".to_owned()),
        (Write, 200, String::new()),
        (Read, 304, String::new()),
        (Read, 404, code("NoSuchKey")),
        (Write, 404, code("NoSuchBucket")),
        (Write, 412, code("PreconditionFailed")),
        (Write, 409, code("BlobAlreadyExists")),
        (Write, 409, String::new()),
        (Write, 403, code("AccessDenied")),
        (Write, 500, code("InternalError")),
        (Write, 503, code("SlowDown")),
        (Post, 200, "<CompleteMultipartUploadResult><ETag>x</ETag>".to_owned()),
    ] {
        let found = judged(purpose, answer(status, &[], &body)).await;
        assert_eq!(found.unwrap(), (status, body.clone()), "{purpose:?} {status} {body}");
    }
}

#[tokio::test]
async fn an_error_inside_a_success_has_its_own_status() {
    for (named, status) in [
        ("SlowDown", 503),
        ("InternalError", 500),
        ("Unheard", 500),
        ("PreconditionFailed", 412),
        ("InvalidRequest", 400),
        ("AccessDenied", 403),
    ] {
        let found = judged(Purpose::Post, answer(200, &[], &code(named))).await;
        assert_eq!(found.unwrap().0, status, "{named}");
    }
    let body = "<R><Key>d/SlowDown-InternalError</Key></R>";
    let (status, body) = judged(Purpose::Post, answer(200, &[], body)).await.unwrap();
    assert_eq!((status, &*body), (200, "<R><Key>d/&#83;lowDown-&#73;nternalError</Key></R>"));
}

#[tokio::test]
async fn a_redirect_names_the_region_or_the_place() {
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>why</Message>\
                     <Region>eu-west-1</Region></Error>";
    for (status, headers, body, part) in [
        (301, &[(REGION, "eu-west-1")][..], "", "region eu-west-1"),
        (307, &[("location", "https://u:p@h/b?X-Amz-Signature=s")], "", "at https://h/b, set"),
        (301, &[], "", "does not say where"),
        (400, &[], malformed, "region eu-west-1"),
    ] {
        let error = judged(Purpose::Read, answer(status, headers, body)).await.unwrap_err();
        let error = StoreError::from(error);
        assert_eq!(error.kind, Kind::Denied, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_bucket_with_object_lock_says_that_it_wants_a_checksum() {
    for (message, wanted) in [
        ("Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests", true),
        ("The Content-MD5 you specified did not match what we received.", false),
    ] {
        let body = format!("<Error><Code>InvalidRequest</Code><Message>{message}</Message>");
        let found = judged(Purpose::Write, answer(400, &[], &body)).await;
        let is_wanted =
            found.is_err_and(|error| StoreError::from(error).kind == Kind::ChecksumWanted);
        assert_eq!(is_wanted, wanted, "{message}");
    }
}

#[tokio::test]
async fn a_store_that_is_busy_says_for_how_long() {
    let busy = answer(503, &[("retry-after", "3")], &code("SlowDown"));
    let error = StoreError::from(judged(Purpose::Write, busy).await.unwrap_err());
    assert_eq!((error.kind, error.pause), (Kind::Throttled, Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn the_body_of_an_error_is_read_up_to_a_bound() {
    let body = "x".repeat(ERROR_BYTES_MAX + 10);
    let (status, body) = judged(Purpose::Write, answer(500, &[], &body)).await.unwrap();
    assert_eq!((status, body.len()), (500, ERROR_BYTES_MAX));
}
