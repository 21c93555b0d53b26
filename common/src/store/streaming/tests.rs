//! The real clients before a server that keeps the bodies that it gets.

mod blocks;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, IF_NONE_MATCH};
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::{AzureAccessKey, MicrosoftAzureBuilder};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};
use tokio::time::Instant;

use super::*;
use crate::store::client::{Completion, TimedConnector};
use crate::store::signing::{AzureSigner, S3Signer, Signing};

const LENGTH: usize = (2 << 20) + 77;
const GENERATION: &str = "x-goog-if-generation-match";

/// A request, as the server saw it.
#[derive(Debug)]
struct Seen {
    /// The method and the query.
    what: String,
    conditions: Vec<String>,
    length: Option<usize>,
    /// Whether the client waited with the body until it was wanted.
    waits: bool,
    /// The checksum in a header.
    checksum: Option<String>,
    /// How the request is signed.
    signed: String,
    /// `None` when it broke off.
    body: Option<Bytes>,
}

/// How the server answers a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    Written,
    /// With these headers and elements of XML.
    Saying(&'static [(&'static str, &'static str)], &'static str),
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
            let checksum = header("x-amz-checksum-crc64nvme").map(str::to_owned);
            let waits = header("expect") == Some("100-continue");
            let signed = header("authorization").unwrap_or_default().to_owned();
            let query = parts.uri.query().unwrap_or_default().to_owned();
            let what = format!("{} {query}", parts.method);
            let body = to_bytes(body, usize::MAX).await.ok();
            let conditions = conditions.into_iter().flatten().collect();
            log.lock().unwrap().push(Seen {
                what,
                conditions,
                length,
                waits,
                checksum,
                signed,
                body,
            });
            let mut response = Response::builder().status(StatusCode::OK).header("etag", "\"e\"");
            let mut elements = "";
            if let Answers::Saying(headers, said) = answers {
                for (name, value) in headers {
                    response = response.header(*name, *value);
                }
                elements = said;
            }
            let xml = match query.as_str() {
                "uploads=" => "<R><UploadId>u1</UploadId></R>".to_owned(),
                _ => format!("<R><ETag>\"e\"</ETag>{elements}</R>"),
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

fn options() -> ClientOptions {
    ClientOptions::new().with_allow_http(true)
}

fn retry() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn s3(endpoint: &str) -> AmazonS3Builder {
    AmazonS3Builder::new()
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
        })
}

/// The stores by name, each over its real client.
fn stores(endpoint: &str) -> BTreeMap<&'static str, StreamingStore> {
    let key = AzureAccessKey::try_new("c2VjcmV0").unwrap();
    let signer = Arc::new(AzureSigner { account: "a".to_owned(), key });
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
    let s3 = Arc::new(s3(endpoint).build().unwrap());
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
async fn a_checksum_that_is_known_goes_with_what_flows_and_is_signed() {
    let (endpoint, log) = server(Answers::Written).await;
    let signer = Arc::new(OnceLock::new());
    let connector =
        TimedConnector { completion: Completion::S3, signing: Signing::S3(Arc::clone(&signer)) };
    let plain = Arc::new(s3(&endpoint).with_http_connector(connector).build().unwrap());
    let credentials = Arc::clone(plain.credentials());
    let region = "us-east-1".to_owned();
    assert!(signer.set(S3Signer::new(credentials, region)).is_ok());
    let checked = s3(&endpoint).with_checksum_algorithm(Checksum::CRC64NVME).build().unwrap();
    let checked = Arc::new(checked);
    let told = 7_u64;
    for (streaming, takes) in
        [(Streaming::Sent, true), (Streaming::Sent, false), (Streaming::Collected, true)]
    {
        let mut store = StreamingStore::new(plain.clone(), plain.clone(), streaming);
        if takes {
            store = store.or_checked(checked.clone(), checked.clone());
        }
        let stored = store.put_known(&Path::from("o"), flow(LENGTH), told).await.unwrap();
        assert_eq!(stored.is_checked, takes, "{streaming:?}");
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!(seen.body, Some(bytes()));
        assert_eq!(seen.conditions, ["if-none-match: *"]);
        let value = BASE64_STANDARD.encode(told.to_be_bytes());
        // The client computes that of bytes which it holds.
        assert_eq!(seen.checksum.is_some(), takes, "{streaming:?}");
        assert_eq!(seen.checksum == Some(value), takes && streaming == Streaming::Sent);
        assert_eq!(seen.signed.contains("x-amz-checksum-crc64nvme"), takes, "{}", seen.signed);
    }
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
        let etag = Some("\"e\"".to_owned());
        assert_eq!(stored, Stored { etag, ..Stored::default() }, "{name}");
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!(seen.conditions, [condition], "{name}");
        assert_eq!((seen.length, seen.waits), (Some(LENGTH), true), "{name}");
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
        assert_eq!(error.kind, StoreErrorKind::AlreadyExists, "{name}: {error}");
    }
}

#[tokio::test]
async fn what_a_store_says_of_what_it_took_is_heard() {
    let crc64 = Some(StoredChecksum::Crc64Nvme(0xae8b_1486_0a79_9888));
    let crc32c = Some(StoredChecksum::Crc32c(0xe306_9283));
    let zeros = Some(StoredChecksum::Md5([0; 16]));
    let amazon: &[_] = &[("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")];
    let azure: &[_] = &[("x-ms-content-crc64", "iJh5CoYUi64=")];
    let azurite: &[_] = &[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
    let google: &[_] = &[("x-goog-hash", "crc32c=4waSgw==,md5=AAAAAAAAAAAAAAAAAAAAAA==")];
    let completed = "<ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>\
                     <ChecksumType>FULL_OBJECT</ChecksumType>";
    // Of a whole object, of a part, and of the object that parts became.
    for (name, headers, elements, whole, part, object) in [
        ("s3", amazon, completed, crc64, crc64, crc64),
        ("s3", &[], completed, None, None, crc64),
        ("s3", amazon, "", crc64, crc64, None),
        ("azure", azure, "", crc64, crc64, None),
        ("azure", azurite, "", zeros, zeros, None),
        ("gcs", google, "", crc32c, crc32c, crc32c),
        ("gcs", &[], "", None, None, None),
    ] {
        let (endpoint, _) = server(Answers::Saying(headers, elements)).await;
        let store = &stores(&endpoint)[name];
        let case = format!("{name} {headers:?} {elements}");
        assert!(!store.says_crc64nvme(), "{case}");
        let path = Path::from("t/a");
        let held = store.put_held(&path, bytes().into()).await.unwrap();
        assert_eq!((held.checksum, held.is_checked), (whole, false), "{case}");
        assert_eq!(store.says_crc64nvme(), whole == crc64, "{case}");
        assert_eq!(store.put(&path, flow(LENGTH)).await.unwrap().checksum, whole, "{case}");
        let upload = store.create(&path).await.unwrap();
        let (id, of_part) = store.put_part(&upload, 0, flow(LENGTH)).await.unwrap();
        assert_eq!(of_part, part, "{case}");
        let stored = store.complete(&upload, vec![id]).await.unwrap();
        assert_eq!((stored.etag.as_deref(), stored.checksum), (Some("\"e\""), object), "{case}");
    }
}

#[tokio::test]
async fn what_is_in_memory_has_its_checksum_in_the_request() {
    let (endpoint, log) = server(Answers::Written).await;
    let store = &stores(&endpoint)["s3"];
    let checked = s3(&endpoint).with_checksum_algorithm(Checksum::CRC64NVME).build().unwrap();
    let checked = Arc::new(checked);
    let checked = store.clone().or_checked(checked.clone(), checked);
    let path = Path::from("t/a");
    let mut seen = Vec::new();
    for stored in [
        checked.put_checked(&path, "123456789".into()).await.unwrap(),
        checked.put_held(&path, "123456789".into()).await.unwrap(),
        store.put_checked(&path, "123456789".into()).await.unwrap(),
    ] {
        let sent = log.lock().unwrap().remove(0);
        assert_eq!(sent.conditions, ["if-none-match: *"]);
        assert_eq!(sent.body.as_deref(), Some(&b"123456789"[..]));
        seen.push((sent.checksum, stored.is_checked));
    }
    let checksum = Some("rosUhgp5mIg=".to_owned());
    assert_eq!(seen, [(checksum, true), (None, false), (None, false)]);
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
