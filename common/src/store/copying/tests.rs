//! The real client before a server that answers copies.

use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, HeaderName};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ClientOptions, RetryConfig};

use super::s3::{
    CHECKSUM_ALGORITHM, CHECKSUM_TYPE, COPY_SOURCE, COPY_SOURCE_IF_MATCH, COPY_SOURCE_RANGE,
};
use super::*;
use crate::store::client::{Completion, TimedConnector};
use crate::store::signing::S3Signer;
use crate::store::streaming::Streaming;

mod azure;
mod google;

const CHECKSUM: &str = "rosUhgp5mIg=";
const COPIED: &str = "<CopyPartResult><ETag>&quot;p&quot;</ETag></CopyPartResult>";
const COMPLETED: &str =
    "<R><ETag>\"e\"</ETag><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></R>";

/// A request, as the server saw it.
#[derive(Debug)]
struct Seen {
    method: Method,
    query: String,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Seen {
    fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// True when the signature covers the header.
    fn signs(&self, name: &HeaderName) -> bool {
        let signed = self.header(&AUTHORIZATION).split("SignedHeaders=").nth(1).unwrap();
        signed.split(',').next().unwrap().split(';').any(|signed| signed == name.as_str())
    }
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// A server that gives this answer to each part.
async fn server(status: u16, answer: &'static str) -> (String, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let answers = move |request: Request| {
        let log = Arc::clone(&kept);
        async move {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default().to_owned();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let (status, xml) = match parts.method {
                Method::PUT => (status, answer),
                _ if query.starts_with("uploads") => (200, "<R><UploadId>u1</UploadId></R>"),
                _ => (200, COMPLETED),
            };
            let (method, headers) = (parts.method, parts.headers);
            log.lock().unwrap().push(Seen { method, query, headers, body });
            Response::builder().status(status).body(Body::from(xml)).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answers));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), log)
}

fn store(endpoint: &str) -> StreamingStore {
    let signer = Arc::new(OnceLock::new());
    let signing = Signing::S3(Arc::clone(&signer));
    let s3 = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_bucket_name("b")
        .with_access_key_id("k")
        .with_secret_access_key("s")
        .with_unsigned_payload(true)
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(TimedConnector { completion: Completion::S3, signing });
    let s3 = Arc::new(s3.build().unwrap());
    let region = "us-east-1".to_owned();
    assert!(signer.set(S3Signer::new(Arc::clone(s3.credentials()), region)).is_ok());
    StreamingStore::new(s3.clone(), s3, Streaming::Sent)
}

fn source(range: Option<Range<u64>>) -> CopyRange {
    let (source, key) = (CopySource::S3("from".to_owned()), "t/p=1/a%20b c+é//d".to_owned());
    CopyRange { source, key, etag: "\"s\"".to_owned(), range, length: 10, md5: None }
}

#[tokio::test]
async fn a_part_is_copied_by_a_signed_request_without_a_body() {
    let (endpoint, log) = server(200, COPIED).await;
    let store = store(&endpoint);
    let upload = checksummed(store.create(&Path::from("t/a"))).await.unwrap();
    let opened = log.lock().unwrap().pop().unwrap();
    assert_eq!(opened.header(&CHECKSUM_ALGORITHM), "CRC64NVME");
    assert_eq!(opened.header(&CHECKSUM_TYPE), "FULL_OBJECT");
    assert!(opened.signs(&CHECKSUM_ALGORITHM) && opened.signs(&CHECKSUM_TYPE));

    for (range, header) in [(None, ""), (Some(5..10), "bytes=5-9")] {
        let part = copy_part(&store, &upload, 1, source(range)).await.unwrap();
        assert_eq!((part.id.content_id.as_str(), part.checksum), ("\"p\"", None));
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!((&seen.method, seen.query.as_str()), (&Method::PUT, "partNumber=2&uploadId=u1"));
        assert_eq!(seen.header(&COPY_SOURCE), "/from/t/p%3D1/a%2520b%20c%2B%C3%A9//d");
        assert_eq!(seen.header(&COPY_SOURCE_IF_MATCH), "\"s\"");
        assert_eq!(seen.header(&COPY_SOURCE_RANGE), header);
        assert!(seen.signs(&COPY_SOURCE) && seen.signs(&COPY_SOURCE_IF_MATCH));
        assert!(seen.body.is_empty());
    }
}

#[tokio::test]
async fn the_checksums_of_parts_go_into_the_completion_whose_own_is_heard() {
    const ANSWER: &str = "\n \n<CopyPartResult><ETag>p</ETag>\
                          <ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></CopyPartResult>";
    let (endpoint, log) = server(200, ANSWER).await;
    let store = store(&endpoint);
    let upload = store.create(&Path::from("t/a")).await.unwrap();
    assert_eq!(log.lock().unwrap().pop().unwrap().header(&CHECKSUM_ALGORITHM), "");
    let part = copy_part(&store, &upload, 0, source(None)).await.unwrap();
    let stored = store.complete(&upload, vec![part.id]).await.unwrap();
    assert_eq!(stored.checksum, Some(StoredChecksum::Crc64Nvme(0xae8b_1486_0a79_9888)));
    let completion = log.lock().unwrap().pop().unwrap();
    let body = String::from_utf8(completion.body.to_vec()).unwrap();
    assert!(body.contains("<ETag>p</ETag>"), "{body}");
    assert!(body.contains(&format!("<ChecksumCRC64NVME>{CHECKSUM}</ChecksumCRC64NVME>")), "{body}");
}

#[tokio::test]
async fn an_error_is_one_whatever_the_status_says() {
    use StoreErrorKind as Kind;
    for (status, answer, kind) in [
        (200, "<Error><Code>SlowDown</Code></Error>", Kind::Throttled),
        (200, "<Error><Code>InternalError</Code></Error>", Kind::Transient),
        (200, "  <Error><Code>PreconditionFailed</Code></Error>", Kind::Precondition),
        (200, "<Error><Code>AccessDenied</Code></Error>", Kind::Denied),
        (200, "<Error><Code>NotImplemented</Code></Error>", Kind::Unsupported),
        // A store that does not know the header writes an empty part.
        (200, "", Kind::Unsupported),
        (200, "<Other><ETag>e</ETag></Other>", Kind::Unsupported),
        (403, "<Error><Code>AccessDenied</Code></Error>", Kind::Denied),
        (404, "<Error><Code>NoSuchKey</Code></Error>", Kind::NotFound),
        (412, "<Error><Code>PreconditionFailed</Code></Error>", Kind::Precondition),
        (501, "<Error><Code>NotImplemented</Code></Error>", Kind::Unsupported),
        (503, "", Kind::Throttled),
    ] {
        let (endpoint, _) = server(status, answer).await;
        let store = store(&endpoint);
        let upload = store.create(&Path::from("t/a")).await.unwrap();
        let error = copy_part(&store, &upload, 0, source(None)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {answer}: {error}");
    }
}

#[tokio::test]
async fn a_client_that_cannot_ask_for_it_is_named() {
    let memory = Arc::new(object_store::memory::InMemory::new());
    let store = StreamingStore::new(memory.clone(), memory, Streaming::Sent);
    let upload = store.create(&Path::from("t/a")).await.unwrap();
    let error = copy_part(&store, &upload, 0, source(None)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported, "{error}");
}
