//! The real clients before a server that lists uploads in pages.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, RetryConfig};

use super::*;
use crate::store::client::{Completion, TimedConnector};
use crate::store::signing::Signing;

const FIRST: &str = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
    <NextKeyMarker>t/a&amp;b</NextKeyMarker><NextUploadIdMarker>u/1</NextUploadIdMarker>\
    <Upload><Key>t/a&amp;b</Key><UploadId>u/1</UploadId>\
    <Initiated>2026-01-02T03:04:05.678Z</Initiated></Upload></ListMultipartUploadsResult>";
const LAST: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
    <Upload><Key>t//odd</Key><UploadId>u2</UploadId></Upload>\
    <Upload><Key>t/c</Key><UploadId>u3</UploadId></Upload></ListMultipartUploadsResult>";

type Seen = Arc<Mutex<Vec<String>>>;

async fn server(seen: &Seen) -> String {
    let seen = Arc::clone(seen);
    let answer = move |request: Request| {
        let asked = request.uri().to_string();
        let page = if asked.contains("key-marker") { LAST } else { FIRST };
        seen.lock().unwrap().push(asked);
        async move { Response::new(Body::from(page)) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn s3(endpoint: &str, signing: Signing) -> impl ObjectStore {
    AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_bucket_name("b")
        .with_access_key_id("k")
        .with_secret_access_key("s")
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(TimedConnector { completion: Completion::S3, signing })
        .build()
        .unwrap()
}

#[tokio::test]
async fn every_page_is_read_and_keys_that_cannot_be_named_are_left_out() {
    let seen = Seen::default();
    let store = s3(&server(&seen).await, Signing::Token);
    let found = open_uploads(&store, "t/x y").await.unwrap();
    let upload = |path: &str, id: &str, begun_ms| OpenUpload {
        path: Path::parse(path).unwrap(),
        id: id.to_owned(),
        begun_ms,
    };
    assert_eq!(found, [upload("t/a&b", "u/1", Some(1_767_323_045_678)), upload("t/c", "u3", None)]);
    let page = "/b?uploads=&prefix=t%2Fx%20y";
    let next = format!("{page}&key-marker=t%2Fa%26b&upload-id-marker=u%2F1");
    assert_eq!(*seen.lock().unwrap(), [page.to_owned(), next]);
}

#[tokio::test]
async fn a_store_without_such_a_listing_says_so() {
    let store = s3(&server(&Seen::default()).await, Signing::Unknown);
    let error = open_uploads(&store, "t/").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported, "{error}");
    let memory = object_store::memory::InMemory::new();
    let error = open_uploads(&memory, "t/").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported, "{error}");
}
