//! The real clients before a server that keeps the bodies that it gets.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, IF_NONE_MATCH};
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureAccessKey, MicrosoftAzureBuilder};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};
use tokio::time::Instant;

use super::*;
use crate::store::client::{Completion, TimedConnector};
use crate::store::signing::{AzureSigner, Signing};

const LENGTH: usize = (2 << 20) + 77;
const GENERATION: &str = "x-goog-if-generation-match";

/// A request, as the server saw it.
#[derive(Debug)]
struct Seen {
    /// The method and the query.
    what: String,
    conditions: Vec<String>,
    length: Option<usize>,
    /// `None` when it broke off.
    body: Option<Bytes>,
}

/// How the server answers a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    Written,
    WithChecksum(&'static str),
    /// Before it reads the body.
    Exists,
}

type Log = Arc<Mutex<Vec<Seen>>>;

async fn server(answers: Answers) -> (String, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let answer = move |request: Request| {
        let log = Arc::clone(&kept);
        async move {
            if answers == Answers::Exists {
                let code = "<Error><Code>PreconditionFailed</Code></Error>";
                return Response::builder().status(412).body(Body::from(code)).unwrap();
            }
            let (parts, body) = request.into_parts();
            let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap());
            let conditions = [IF_NONE_MATCH.as_str(), GENERATION]
                .map(|name| header(name).map(|value| format!("{name}: {value}")));
            let length = header(CONTENT_LENGTH.as_str()).map(|length| length.parse().unwrap());
            let query = parts.uri.query().unwrap_or_default().to_owned();
            let what = format!("{} {query}", parts.method);
            let body = to_bytes(body, usize::MAX).await.ok();
            let conditions = conditions.into_iter().flatten().collect();
            log.lock().unwrap().push(Seen { what, conditions, length, body });
            let mut response = Response::builder().status(StatusCode::OK).header("etag", "\"e\"");
            if let Answers::WithChecksum(checksum) = answers {
                response = response.header("x-amz-checksum-crc64nvme", checksum);
            }
            let xml = match query.as_str() {
                "uploads=" => "<R><UploadId>u1</UploadId></R>",
                _ => "<R><ETag>\"e\"</ETag></R>",
            };
            response.body(Body::from(xml)).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), log)
}

/// The stores by name, each over its real client.
fn stores(endpoint: &str) -> BTreeMap<&'static str, StreamingStore> {
    let options = || ClientOptions::new().with_allow_http(true);
    let retry = || RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let key = AzureAccessKey::try_new("c2VjcmV0").unwrap();
    let signer = Arc::new(AzureSigner { account: "a".to_owned(), key });
    let s3 = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_bucket_name("b")
        .with_access_key_id("k")
        .with_secret_access_key("s")
        .with_unsigned_payload(true)
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(TimedConnector {
            completion: Completion::S3,
            signing: Signing::Unknown,
        });
    let azure = MicrosoftAzureBuilder::new()
        .with_account("a")
        .with_access_key("c2VjcmV0")
        .with_endpoint(endpoint.to_owned())
        .with_container_name("b")
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(TimedConnector {
            completion: Completion::Azure,
            signing: Signing::Azure(Some(signer)),
        });
    let token = GcpCredential { bearer: "t".to_owned() };
    let gcs = GoogleCloudStorageBuilder::new()
        .with_base_url(endpoint)
        .with_bucket_name("b")
        .with_credentials(Arc::new(StaticCredentialProvider::new(token)))
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(TimedConnector {
            completion: Completion::Gcs,
            signing: Signing::Token,
        });
    let s3 = Arc::new(s3.build().unwrap());
    let azure = Arc::new(azure.build().unwrap());
    let gcs = Arc::new(gcs.build().unwrap());
    [
        ("s3", StreamingStore::new(s3.clone(), s3, Streaming::Sent)),
        ("azure", StreamingStore::new(azure.clone(), azure, Streaming::Sent)),
        ("gcs", StreamingStore::new(gcs.clone(), gcs, Streaming::Sent)),
    ]
    .into()
}

fn bytes() -> Bytes {
    (0..=250).cycle().take(LENGTH).collect()
}

/// A flow that ends in an error after `until` bytes, if that is before its end.
fn flow(until: usize) -> Flow {
    let bytes = bytes();
    let mut pieces: Vec<_> = (0..until.min(LENGTH))
        .step_by(100_000)
        .map(|start| Ok(bytes.slice(start..(start + 100_000).min(until).min(LENGTH))))
        .collect();
    if until < LENGTH {
        pieces.push(Err(BodyCut));
    }
    Flow { length: LENGTH as u64, pieces: futures::stream::iter(pieces).boxed() }
}

#[tokio::test]
async fn what_flows_arrives_whole_and_only_where_nothing_is() {
    for (name, condition) in [
        ("s3", "if-none-match: *"),
        ("azure", "if-none-match: *"),
        ("gcs", "x-goog-if-generation-match: 0"),
    ] {
        let (endpoint, log) = server(Answers::Written).await;
        let store = &stores(&endpoint)[name];
        let stored = store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap();
        assert_eq!(stored, Stored { etag: Some("\"e\"".to_owned()), checksum: None }, "{name}");
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!(seen.conditions, [condition], "{name}");
        assert_eq!(seen.length, Some(LENGTH), "{name}");
        assert!(seen.body == Some(bytes()), "{name}: other bytes came");
    }
}

#[tokio::test]
async fn parts_flow_without_a_condition_and_the_completion_has_one() {
    for (name, condition) in [
        ("s3", "if-none-match: *"),
        ("azure", "if-none-match: *"),
        ("gcs", "x-goog-if-generation-match: 0"),
    ] {
        let (endpoint, log) = server(Answers::Written).await;
        let store = &stores(&endpoint)[name];
        let upload = store.create(&Path::from("t/a")).await.unwrap();
        let (part, _) = store.put_part(&upload, 0, flow(LENGTH)).await.unwrap();
        store.complete(&upload, vec![part]).await.unwrap();
        let completion = log.lock().unwrap().pop().unwrap();
        let part = log.lock().unwrap().pop().unwrap();
        assert_eq!(part.conditions, <[String; 0]>::default(), "{name}: {part:?}");
        assert!(part.body == Some(bytes()), "{name}: other bytes came");
        assert_eq!(completion.conditions, [condition], "{name}: {}", completion.what);
    }
}

#[tokio::test]
async fn a_source_that_ends_early_leaves_no_object() {
    for name in ["s3", "azure", "gcs"] {
        let (endpoint, log) = server(Answers::Written).await;
        let store = &stores(&endpoint)[name];
        let error = store.put(&Path::from("t/a"), flow(1_000_000)).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Transient, "{name}: {error}");
        let until = Instant::now() + Duration::from_secs(10);
        while log.lock().unwrap().is_empty() {
            assert!(Instant::now() < until, "{name}: the request was never sent");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(log.lock().unwrap()[0].body, None, "{name}: the request ended well");
    }
}

#[tokio::test]
async fn a_store_that_has_the_object_already_is_heard_before_all_bytes_are_sent() {
    for name in ["s3", "azure", "gcs"] {
        let (endpoint, _) = server(Answers::Exists).await;
        let store = &stores(&endpoint)[name];
        let error = store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap_err();
        // Or the connection is closed before the answer is read: then the write is tried again.
        let kinds = [StoreErrorKind::AlreadyExists, StoreErrorKind::Transient];
        assert!(kinds.contains(&error.kind), "{name}: {error}");
    }
}

#[tokio::test]
async fn the_checksum_that_the_store_took_is_heard() {
    let (endpoint, _) = server(Answers::WithChecksum("rosUhgp5mIg=")).await;
    let store = &stores(&endpoint)["s3"];
    let checksum = Some(StoredChecksum::Crc64Nvme(0xae8b_1486_0a79_9888));
    let stored = store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap();
    assert_eq!(stored.checksum, checksum);
    let upload = store.create(&Path::from("t/a")).await.unwrap();
    let (_, of_part) = store.put_part(&upload, 0, flow(LENGTH)).await.unwrap();
    assert_eq!(of_part, checksum);
}

#[tokio::test]
async fn a_stand_in_that_nobody_replaced_is_no_success() {
    let memory = Arc::new(object_store::memory::InMemory::new());
    let store = StreamingStore::new(memory.clone(), memory, Streaming::Sent);
    let error = store.put(&Path::from("t/a"), flow(LENGTH)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Other, "{error}");
}

#[test]
fn a_stand_in_has_the_length_of_the_body() {
    for length in [1, BLOCK_BYTES as u64, BLOCK_BYTES as u64 + 1, 64 << 20] {
        assert_eq!(stand_in(length).content_length() as u64, length);
    }
}
