//! Objects that Google Cloud Storage copies.

use object_store::StaticCredentialProvider;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{ObjectStore, memory::InMemory};

use super::super::google::{RewriteSource, RewriteStep, rewrite_step};
use super::*;
use crate::store::requests::look;

const DONE: &str = r#"{"kind":"storage#rewriteResponse","totalBytesRewritten":"9","objectSize":"9",
    "done":true,"resource":{"size":"9","crc32c":"4waSgw==","md5Hash":"x","generation":"8"}}"#;
const MORE: &str = r#"{"kind":"storage#rewriteResponse","totalBytesRewritten":"1048576",
    "objectSize":"9000000000","done":false,"rewriteToken":"t/+=1"}"#;

type Shown = Arc<Mutex<Vec<(Method, String, http::HeaderMap)>>>;

/// A server that gives this answer to all requests, below `/base`.
async fn store(status: u16, body: &'static str) -> (Arc<dyn ObjectStore>, Shown) {
    let shown = Shown::default();
    let kept = Arc::clone(&shown);
    let answers = move |request: Request| {
        let seen = (request.method().clone(), request.uri().to_string(), request.headers().clone());
        kept.lock().unwrap().push(seen);
        async move {
            let answer = Response::builder().status(status).header("etag", "\"e\"");
            let answer = answer
                .header("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")
                .header("x-goog-generation", "7")
                .header("x-goog-hash", "crc32c=4waSgw==")
                .header("x-goog-hash", "md5=JfnnlDI7RTiF9RgfG2JNCw==");
            answer.body(Body::from(body)).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answers));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let credential = GcpCredential { bearer: "token-of-ours".to_owned() };
    let store = GoogleCloudStorageBuilder::new()
        .with_config(object_store::gcp::GoogleConfigKey::BaseUrl, format!("http://{address}/base"))
        .with_bucket_name("to-b")
        .with_credentials(Arc::new(StaticCredentialProvider::new(credential)))
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(TimedConnector {
            completion: Completion::Gcs,
            signing: Signing::Token,
        });
    (Arc::new(store.build().unwrap()), shown)
}

fn source() -> RewriteSource {
    let (bucket, key) = ("from-b".to_owned(), "t/p=1/a%20b//d".to_owned());
    RewriteSource { bucket, key, generation: "7".to_owned() }
}

#[tokio::test]
async fn a_copy_is_of_one_generation_and_overwrites_nothing() {
    const ASKED: &str = "/base/storage/v1/b/from%2Db/o/t%2Fp%3D1%2Fa%2520b%2F%2Fd/rewriteTo\
                         /b/to%2Db/o/t%2Fp%3D1%2Fa%20c?ifGenerationMatch=0\
                         &ifSourceGenerationMatch=7";
    let to = Path::from("t/p=1/a c");
    for (body, token, query, expected) in [
        (DONE, None, "", RewriteStep::Done { size: 9, crc32c: Some(0xe306_9283) }),
        (MORE, None, "", RewriteStep::More { token: "t/+=1".to_owned(), copied: 1 << 20 }),
        (
            DONE,
            Some("t/+=1"),
            "&rewriteToken=t%2F%2B%3D1",
            RewriteStep::Done { size: 9, crc32c: Some(0xe306_9283) },
        ),
    ] {
        let (store, shown) = store(200, body).await;
        let step = rewrite_step(&*store, &source(), &to, token).await.unwrap();
        assert_eq!(step, expected);
        let (method, uri, headers) = shown.lock().unwrap().pop().unwrap();
        assert_eq!((method, uri), (Method::POST, format!("{ASKED}{query}")));
        assert_eq!(headers[AUTHORIZATION], "Bearer token-of-ours");
        assert_eq!(headers["content-length"], "0");
        assert!(shown.lock().unwrap().is_empty(), "one request is one step");
    }
}

#[tokio::test]
async fn what_google_refuses_has_a_name() {
    use StoreErrorKind as Kind;
    const REFUSED: &str = r#"{"error":{"code":412,"message":"by Bearer token-of-ours-is-long"}}"#;
    for (status, body, kind) in [
        (401, REFUSED, Kind::Denied),
        (403, REFUSED, Kind::Denied),
        (404, REFUSED, Kind::NotFound),
        (412, REFUSED, Kind::Precondition),
        (429, REFUSED, Kind::Throttled),
        (500, REFUSED, Kind::Transient),
        (503, REFUSED, Kind::Throttled),
        (200, "", Kind::Other),
        (200, "<html/>", Kind::Other),
        (200, r#"{"done":true}"#, Kind::Other),
        (200, r#"{"done":false}"#, Kind::Other),
    ] {
        let (store, _) = store(status, body).await;
        let error = rewrite_step(&*store, &source(), &Path::from("a"), None).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}: {error}");
        assert!(!format!("{error:?}").contains("token-of-ours"), "{error:?}");
    }
}

#[tokio::test]
async fn a_look_tells_generation_and_checksum() {
    let (store, shown) = store(200, "").await;
    let looked = look(&*store, &Path::from("a").into()).await.unwrap();
    assert_eq!(looked.version.as_deref(), Some("7"));
    assert_eq!(looked.checksum, Some(StoredChecksum::Crc32c(0xe306_9283)));
    assert_eq!(looked.described.crc64nvme, None);
    assert_eq!(shown.lock().unwrap().pop().unwrap().0, Method::HEAD);
}

#[tokio::test]
async fn no_other_client_is_asked_for_it() {
    let store = InMemory::new();
    let error = rewrite_step(&store, &source(), &Path::from("a"), None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported, "{error}");
}
