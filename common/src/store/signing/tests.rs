//! Each request to S3 is signed once, and its signature covers what was changed.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::config::Config;
use crate::connections::Connections;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::requests::describe;
use crate::store::table::TableStore;

type Seen = Arc<Mutex<Vec<(Method, HeaderMap)>>>;

async fn answer(State(seen): State<Seen>, method: Method, headers: HeaderMap) -> impl IntoResponse {
    seen.lock().unwrap().push((method, headers));
    let time = "Mon, 01 Jan 2024 00:00:00 GMT";
    let headers = [("etag", "\"1\""), ("last-modified", time), ("content-length", "0")];
    (StatusCode::OK, headers.map(|(name, value)| (name, value.to_owned())), Bytes::new())
}

/// A table in a store with these settings, and the requests that it sees.
async fn table(settings: &str) -> (TableStore, Seen) {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let text = format!(
        "[connections.lake]\nurl = \"s3://b\"\nroles = [\"target\"]\n\
         aws_endpoint_url = \"{endpoint}\"\n{settings}"
    );
    let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
    let offer = connections.offers().remove(0);
    (connections.open_by("lake", &offer.fingerprint, "t").unwrap().table, seen)
}

/// The names of the headers that a request has and its signature should cover; `None` when it is
/// not signed, or the signature covers too little.
fn covered(headers: &HeaderMap) -> Option<Vec<&str>> {
    assert!(headers.get_all("authorization").iter().count() < 2);
    let signature = headers.get("authorization")?.to_str().unwrap();
    let (_, signed) = signature.split_once("SignedHeaders=")?;
    let (signed, _) = signed.split_once(',')?;
    let signed: Vec<_> = signed.split(';').collect();
    let amazon = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
    let amazon: Vec<_> = amazon.collect();
    assert!(signed.contains(&"host"), "{signed:?}");
    amazon.iter().all(|name| signed.contains(name)).then_some(amazon)
}

#[tokio::test]
async fn a_signature_covers_whatever_the_request_asks_for() {
    for (settings, is_signed, payer, hash) in [
        ("", true, None, "UNSIGNED-PAYLOAD"),
        ("aws_request_payer = \"requester\"\n", true, Some("requester"), "UNSIGNED-PAYLOAD"),
        ("aws_request_payer = true\n", true, Some("requester"), "UNSIGNED-PAYLOAD"),
        ("aws_request_payer = false\n", true, None, "UNSIGNED-PAYLOAD"),
        // The client signs by itself, with the digest of the body.
        ("aws_unsigned_payload = false\n", true, None, SHA256_OF_BYTES),
        ("aws_skip_signature = true\n", false, None, ""),
    ] {
        let keys = "aws_access_key_id = \"a\"\naws_secret_access_key = \"s\"\n";
        let (table, seen) = table(&format!("{keys}{settings}")).await;
        let path = Path::from("t/x");
        describe(table.store.as_ref(), &path.clone().into()).await.unwrap();
        table.store.put(&path, "bytes".into()).await.unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 2, "{settings}");
        for (method, headers) in seen.iter() {
            let covered = covered(headers);
            assert_eq!(covered.is_some(), is_signed, "{settings}{method} {headers:?}");
            let said = headers.get("x-amz-request-payer").map(|value| value.to_str().unwrap());
            assert_eq!(said, payer, "{settings}{method}");
        }
        let head = covered(&seen[0].1).unwrap_or_default();
        assert_eq!(head.contains(&"x-amz-checksum-mode"), is_signed, "{settings}");
        let put = &seen[1].1;
        let put_hash = put.get("x-amz-content-sha256").map_or("", |value| value.to_str().unwrap());
        assert_eq!(put_hash, hash, "{settings}");
        assert!(put.contains_key("x-amz-checksum-crc64nvme"), "{settings}");
    }
}

#[tokio::test]
async fn credentials_that_are_not_told_are_a_refusal_and_nothing_is_sent() {
    let (table, seen) = table("credential_command = \"exit 3\"\n").await;
    let path = Path::from("t/x");
    let put = table.store.put(&path, "bytes".into()).await.map(drop);
    let read = table.store.get(&path).await.map(drop);
    for error in [put, read].map(|done| StoreError::from(done.unwrap_err())) {
        assert_eq!(error.kind, StoreErrorKind::Denied, "{error}");
        assert!(error.message.contains("credential_command"), "{error}");
    }
    assert_eq!(seen.lock().unwrap().len(), 0);
}

/// The SHA-256 of `bytes`.
const SHA256_OF_BYTES: &str = "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9";
