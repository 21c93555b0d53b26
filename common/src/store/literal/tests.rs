//! The real clients before a server that keeps `t/a//b` and `t/a/b` apart.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use http::header::{AUTHORIZATION, HOST};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::azure::{AzureAccessKey, MicrosoftAzureBuilder};
use object_store::client::HttpRequestBody;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::memory::InMemory;
use object_store::{ClientOptions, ObjectStoreExt, RetryConfig, StaticCredentialProvider};

use super::*;
use crate::store::client::{Completion, TimedConnector};
use crate::store::requests::describe;
use crate::store::signing::{AzureSigner, S3Signer};

const KEY: &str = "t/p=a b//ü///x.parquet";
/// [`KEY`] as S3 and Azure are asked for it, and as Google Cloud Storage is.
const ENCODED: [&str; 2] =
    ["/b/t/p%3Da%20b//%C3%BC///x.parquet", "/b/t%2Fp%3Da%20b%2F%2F%C3%BC%2F%2F%2Fx%2Eparquet"];

type Seen = Arc<Mutex<Vec<String>>>;

/// A server that has the literal key, and at every other one that is asked for, other bytes.
async fn server(seen: &Seen) -> String {
    let seen = Arc::clone(seen);
    let answer = move |request: Request| {
        let path = request.uri().path().replace('=', "%3D");
        let is_literal = ENCODED.contains(&path.as_str());
        seen.lock().unwrap().push(format!("{} {path}", request.method()));
        async move {
            Response::builder()
                .status(StatusCode::OK)
                .header("etag", "\"e\"")
                .header("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")
                .body(Body::from(if is_literal { "right" } else { "WRONG" }))
                .unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn options() -> ClientOptions {
    ClientOptions::new().with_allow_http(true)
}

fn retry() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn connector(signing: Signing) -> TimedConnector {
    TimedConnector { completion: Completion::Gcs, signing }
}

fn s3_signing() -> Signing {
    let signer = s3_signer();
    Signing::S3(Arc::new(std::sync::OnceLock::from(signer)))
}

fn s3_signer() -> S3Signer {
    let credential = AwsCredential { key_id: "k".into(), secret_key: "s".into(), token: None };
    let credentials = Arc::new(StaticCredentialProvider::new(credential));
    S3Signer::new(credentials, "us-east-1".into())
}

fn azure_signing() -> Signing {
    let key = AzureAccessKey::try_new("c2VjcmV0").unwrap();
    Signing::Azure(Some(Arc::new(AzureSigner { account: "a".into(), key })))
}

fn s3(endpoint: &str, signing: Signing) -> Arc<dyn ObjectStore> {
    let builder = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_bucket_name("b")
        .with_access_key_id("k")
        .with_secret_access_key("s")
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(connector(signing));
    Arc::new(builder.build().unwrap())
}

fn stores(endpoint: &str) -> [Arc<dyn ObjectStore>; 3] {
    let azure = MicrosoftAzureBuilder::new()
        .with_account("a")
        .with_access_key("c2VjcmV0")
        .with_endpoint(endpoint.to_owned())
        .with_container_name("b")
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(connector(azure_signing()));
    let gcs = GoogleCloudStorageBuilder::new()
        .with_base_url(endpoint)
        .with_bucket_name("b")
        .with_skip_signature(true)
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(connector(Signing::Token));
    let s3 = s3(endpoint, s3_signing());
    [s3, Arc::new(azure.build().unwrap()), Arc::new(gcs.build().unwrap())]
}

#[tokio::test]
async fn every_store_is_asked_for_the_key_itself() {
    let seen = Seen::default();
    let at = ObjectPath::parse(KEY).unwrap();
    for store in stores(&server(&seen).await) {
        let answer = at.get(&*store, GetOptions::default()).await.unwrap();
        assert_eq!(answer.bytes().await.unwrap(), "right", "{store}");
        assert_eq!(describe(&*store, &at).await.unwrap().size, 5, "{store}");
        let encoded = ENCODED[usize::from(store.to_string().contains("Google"))];
        let wanted = ["GET", "HEAD"].map(|method| format!("{method} {encoded}"));
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), wanted, "{store}");
        // The key without empty segments is another one still.
        let plain = store.get(&Path::from("t/a/b")).await.unwrap();
        assert_eq!(plain.bytes().await.unwrap(), "WRONG", "{store}");
        seen.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn an_answer_that_is_not_confirmed_is_refused() {
    let endpoint = server(&Seen::default()).await;
    let at = ObjectPath::parse("t/a//b").unwrap();
    let with_the_key = InMemory::new();
    with_the_key.put(&at.path, "WRONG".into()).await.unwrap();
    let stores: [Arc<dyn ObjectStore>; 3] =
        [s3(&endpoint, Signing::Unknown), Arc::new(InMemory::new()), Arc::new(with_the_key)];
    for store in stores {
        let error = at.get(&*store, GetOptions::default()).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unsupported, "{store}: {error}");
        assert!(error.message.contains("empty segment"), "{error}");
    }
    // The same for a bucket whose name is the stand-in's: its place in the URI is not certain.
    let at = Uri::from_static("http://h/emptySegmentOfTheKey/a/emptySegmentOfTheKey/b");
    let stand_in = StandIn { text: STAND_IN.to_owned(), count: 1 };
    assert!(without(&at, &stand_in).unwrap().is_none());
}

#[test]
fn a_key_has_stand_ins_between_segments_only() {
    for (key, wanted) in [
        ("t/a//b", Some("t/a/emptySegmentOfTheKey/b")),
        (
            "t//emptySegmentOfTheKey//b",
            Some("t/emptySegmentOfTheKeyX/emptySegmentOfTheKey/emptySegmentOfTheKeyX/b"),
        ),
        ("t/a/b", Some("t/a/b")),
        ("", Some("")),
        ("/a", None),
        ("a/", None),
        ("a//", None),
        ("a//../b", None),
    ] {
        let at = ObjectPath::parse(key).ok();
        assert_eq!(at.as_ref().map(|at| at.path.as_ref()), wanted, "{key}");
    }
    let uri = Uri::from_static("https://h:1/b/t/Z/%20/Z/Z/x?versionId=Z");
    let stand_in = StandIn { text: "Z".to_owned(), count: 3 };
    let literal = without(&uri, &stand_in).unwrap().unwrap();
    assert_eq!(literal, "https://h:1/b/t//%20///x?versionId=Z");
}

fn request(uri: &str, asked: Option<LiteralRead>) -> HttpRequest {
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = uri.parse().unwrap();
    request.headers_mut().insert(HOST, "h".parse().unwrap());
    request.headers_mut().insert(AUTHORIZATION, "old".parse().unwrap());
    if let Some(asked) = asked {
        request.extensions_mut().insert(asked);
    }
    request
}

#[tokio::test]
async fn the_signature_is_that_of_the_literal_key() {
    for (signing, date) in [(s3_signing(), "x-amz-date"), (azure_signing(), "date")] {
        loop {
            let stand_in = StandIn { text: STAND_IN.to_owned(), count: 1 };
            let asked = LiteralRead { stand_in, is_done: Arc::default() };
            let mut given = request(&format!("http://h/b/a/{STAND_IN}/x"), Some(asked.clone()));
            let mut wanted = request("http://h/b/a//x", None);
            let mut other = request("http://h/b/a/x", None);
            name_literally(&mut given, &signing).await.unwrap();
            signing.sign(&mut wanted).await.unwrap();
            signing.sign(&mut other).await.unwrap();
            let dates = [&given, &wanted, &other].map(|request| request.headers()[date].clone());
            if dates.iter().any(|date| *date != dates[0]) {
                continue;
            }
            assert!(asked.is_done.load(Ordering::Relaxed));
            assert_eq!(given.uri(), wanted.uri());
            assert_eq!(given.headers(), wanted.headers());
            assert_ne!(other.headers()[AUTHORIZATION], wanted.headers()[AUTHORIZATION]);
            break;
        }
    }
}

#[tokio::test]
async fn s3_express_and_writes_stay_as_they_are() {
    for (name, method) in [("x-amz-s3session-token", Method::GET), ("x-other", Method::PUT)] {
        let stand_in = StandIn { text: STAND_IN.to_owned(), count: 1 };
        let asked = LiteralRead { stand_in, is_done: Arc::default() };
        let mut given = request(&format!("http://h/b/a/{STAND_IN}/x"), Some(asked.clone()));
        *given.method_mut() = method;
        given.headers_mut().insert(name, "token".parse().unwrap());
        name_literally(&mut given, &s3_signing()).await.unwrap();
        assert!(given.uri().path().contains(STAND_IN), "{name}");
        assert!(!asked.is_done.load(Ordering::Relaxed), "{name}");
    }
}
