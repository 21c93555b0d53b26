//! Blocks that Azure copies.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap};
use object_store::StaticCredentialProvider;
use object_store::azure::{AzureAccessKey, AzureCredential, MicrosoftAzureBuilder};
use ring::hmac;

use super::super::azure::{
    BLOB_MD5, COPY_SOURCE, SOURCE_AUTHORIZATION, SOURCE_IF_MATCH, SOURCE_MD5, SOURCE_RANGE,
};
use super::*;
use crate::store::signing::AzureSigner;

/// In base64; it says "key".
const KEY: &str = "a2V5";
const MD5: [u8; 16] = [7; 16];
const MD5_TEXT: &str = "BwcHBwcHBwcHBwcHBwcHBw==";
/// The CRC-64/NVME of "123456789", as Azure writes it.
const CRC64: (&str, &str) = ("x-ms-content-crc64", "iJh5CoYUi64=");

/// What an account's client asks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    Key,
    Signature,
    Token,
}

/// A server that gives this answer to each block, and 201 to each completion.
async fn server(status: u16, header: (&'static str, &'static str), body: &str) -> (String, Log) {
    let log = Log::default();
    let (kept, body) = (Arc::clone(&log), body.to_owned());
    let answers = move |request: Request| {
        let (log, body) = (Arc::clone(&kept), body.clone());
        async move {
            let (parts, sent) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default().to_owned();
            let is_block = query.contains("comp=block&");
            let sent = to_bytes(sent, usize::MAX).await.unwrap();
            let seen = Seen { method: parts.method, query, headers: parts.headers, body: sent };
            log.lock().unwrap().push(seen);
            let (status, body) = if is_block { (status, body) } else { (201, String::new()) };
            let answer = Response::builder().status(status).header(ETAG, "\"e\"");
            let (name, value) = header;
            answer.header(name, value).body(Body::from(body)).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answers));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), log)
}

fn store(endpoint: &str, credential: Credential) -> (StreamingStore, CopySource) {
    let key = AzureAccessKey::try_new(KEY).unwrap();
    let (of_client, signer) = match credential {
        Credential::Key => {
            let signer = AzureSigner { account: "acc".to_owned(), key: key.clone() };
            (AzureCredential::AccessKey(key), Some(Arc::new(signer)))
        }
        Credential::Signature => {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let pairs = vec![pair("sv", "2023"), pair("sig", "a+b/c=")];
            (AzureCredential::SASToken(pairs), None)
        }
        Credential::Token => (AzureCredential::BearerToken("token-of-ours".to_owned()), None),
    };
    let credentials = Arc::new(StaticCredentialProvider::new(of_client));
    let azure = MicrosoftAzureBuilder::new()
        .with_endpoint(endpoint.to_owned())
        .with_account("acc")
        .with_container_name("to")
        .with_credentials(credentials.clone())
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(TimedConnector {
            completion: Completion::Azure,
            signing: Signing::Azure(signer),
        });
    let azure = Arc::new(azure.build().unwrap());
    let authority = match credential {
        Credential::Key => AzureAuthority::key(KEY).unwrap(),
        Credential::Signature | Credential::Token => AzureAuthority::Credentials(credentials),
    };
    let (account, container) = ("acc".to_owned(), "from".to_owned());
    let source = AzureSource { url: endpoint.to_owned(), account, container, authority };
    let store = StreamingStore::new(azure.clone(), azure, Streaming::Sent);
    (store, CopySource::Azure(Arc::new(source)))
}

fn range(source: &CopySource, range: Option<Range<u64>>, md5: Option<[u8; 16]>) -> CopyRange {
    let (source, key) = (source.clone(), "t/p=1/a%20b c+é//d".to_owned());
    CopyRange { source, key, etag: "\"s\"".to_owned(), range, length: 10, md5 }
}

/// The pairs of the query of a URL, decoded.
fn query_of(url: &str) -> std::collections::BTreeMap<String, String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name).into_owned(), decoded(value).into_owned())).collect()
}

#[tokio::test]
async fn a_block_is_copied_by_a_signed_request_that_says_how_its_source_is_read() {
    const PLACE: &str = "/from/t/p%3D1/a%2520b%20c%2B%C3%A9//d";
    for credential in [Credential::Key, Credential::Signature, Credential::Token] {
        let (endpoint, log) = server(201, CRC64, "").await;
        let (store, source) = store(&endpoint, credential);
        let upload = store.create(&Path::from("t/a")).await.unwrap();
        for (cut, header) in [(None, ""), (Some(5..10), "bytes=5-9")] {
            let part = copy_part(&store, &upload, 0, range(&source, cut, None)).await.unwrap();
            let crc64 = StoredChecksum::Crc64Nvme(0xae8b_1486_0a79_9888);
            assert_eq!(part.checksum, Some(crc64), "{credential:?}");
            let seen = log.lock().unwrap().pop().unwrap();
            assert_eq!(seen.method, Method::PUT);
            assert!(seen.query.starts_with("comp=block&blockid="), "{}", seen.query);
            assert_eq!(seen.header(&SOURCE_IF_MATCH), "\"s\"");
            assert_eq!((seen.header(&SOURCE_RANGE), seen.header(&SOURCE_MD5)), (header, ""));
            assert!(seen.body.is_empty());
            let url = seen.header(&COPY_SOURCE);
            let of_source = (url.split('?').next().unwrap(), seen.header(&SOURCE_AUTHORIZATION));
            let place = format!("{endpoint}{PLACE}");
            let query = query_of(url);
            match credential {
                Credential::Key => {
                    assert_eq!(of_source, (place.as_str(), ""));
                    assert_signed(&query);
                    assert!(seen.header(&AUTHORIZATION).starts_with("SharedKey acc:"));
                }
                Credential::Signature => {
                    assert_eq!(of_source, (place.as_str(), ""));
                    assert_eq!((query["sv"].as_str(), query["sig"].as_str()), ("2023", "a+b/c="));
                    assert!(seen.query.contains("sig="), "{}", seen.query);
                }
                Credential::Token => {
                    assert_eq!(of_source, (place.as_str(), "Bearer token-of-ours"));
                    assert!(query.is_empty());
                    assert_eq!(seen.header(&AUTHORIZATION), "Bearer token-of-ours");
                }
            }
        }
    }
}

/// A signature of ours lets this one blob be read, and nothing else, for less than an hour.
fn assert_signed(query: &std::collections::BTreeMap<String, String>) {
    let (ends, signature) = (query["se"].as_str(), query["sig"].as_str());
    let time = chrono::DateTime::parse_from_rfc3339(ends).unwrap();
    let left = time.timestamp_millis() - crate::clock::Clock::System.now_ms();
    assert!((1_200_000..3_600_000).contains(&left), "{left} ms");
    let blob = "/blob/acc/from/t/p=1/a%20b c+é//d";
    let text = ["r", "", ends, blob, "", "", "", "2023-11-03", "b", "", "", "", "", "", "", ""];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"key"), text.join("\n").as_bytes());

    assert_eq!(signature, BASE64_STANDARD.encode(tag));
    let rest = (query["sp"].as_str(), query["sr"].as_str(), query["sv"].as_str());
    assert_eq!((rest, query.len()), (("r", "b", "2023-11-03"), 5));
}

/// True when the signature of Azure's shared key is that of these headers: the headers are signed
/// if the client was not the last to sign.
fn is_signed(headers: &HeaderMap, path: &str, query: &str) -> bool {
    let mut ours: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ms"))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    ours.sort_unstable();
    let of = |name: &HeaderName| headers.get(name).map_or("", |value| value.to_str().unwrap());
    let length = of(&http::header::CONTENT_LENGTH);
    let mut text = format!(
        "PUT\n\n\n{}\n\n{}\n{}\n\n\n{}\n\n\n",
        if length == "0" { "" } else { length },
        of(&CONTENT_TYPE),
        of(&http::header::DATE),
        of(&http::header::IF_NONE_MATCH),
    );
    // Azure takes the date from its own header.
    let text_of = |(name, value): &(&str, &str)| format!("{name}:{value}\n");
    text.extend(ours.iter().map(text_of));
    text.push_str(&format!("/acc{path}"));
    let mut pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    pairs.sort_unstable();
    for (name, value) in pairs {
        let value = percent_encoding::percent_decode_str(value).decode_utf8().unwrap();
        text.push_str(&format!("\n{name}:{value}"));
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"key"), text.as_bytes());

    let expected = format!("SharedKey acc:{}", BASE64_STANDARD.encode(tag));
    of(&AUTHORIZATION) == expected
}

#[tokio::test]
async fn the_md5_is_compared_by_the_block_and_carried_by_the_completion() {
    let (endpoint, log) = server(201, ("content-md5", MD5_TEXT), "").await;
    let (store, source) = store(&endpoint, Credential::Key);
    let upload = store.create(&Path::from("t/a")).await.unwrap();
    let part = copy_part(&store, &upload, 0, range(&source, None, Some(MD5))).await.unwrap();
    assert_eq!(part.checksum, Some(StoredChecksum::Md5(MD5)));
    let seen = log.lock().unwrap().pop().unwrap();
    assert_eq!(seen.header(&SOURCE_MD5), MD5_TEXT);
    assert!(is_signed(&seen.headers, "/to/t/a", &seen.query), "{:?}", seen.headers);

    for md5 in [Some(MD5), None] {
        let parts = vec![part.id.clone()];
        let stored = carrying(md5, store.complete(&upload, parts)).await.unwrap();
        assert_eq!((stored.etag.as_deref(), stored.checksum), (Some("\"e\""), None));
        let seen = log.lock().unwrap().pop().unwrap();
        assert_eq!(seen.header(&BLOB_MD5), md5.map_or("", |_| MD5_TEXT));
        assert_eq!(seen.header(&http::header::IF_NONE_MATCH), "*");
        assert!(is_signed(&seen.headers, "/to/t/a", &seen.query), "{:?}", seen.headers);
    }
}

#[tokio::test]
async fn what_azure_refuses_has_a_name_and_shows_no_secret() {
    use StoreErrorKind as Kind;
    for (status, code, kind) in [
        (400, "Md5Mismatch", Kind::ChecksumMismatch),
        (400, "InvalidHeaderValue", Kind::Other),
        (403, "CannotVerifyCopySource", Kind::Denied),
        (404, "CannotVerifyCopySource", Kind::NotFound),
        (409, "BlobArchived", Kind::Denied),
        (412, "SourceConditionNotMet", Kind::Precondition),
        (500, "InternalError", Kind::Transient),
        (501, "NotImplemented", Kind::Unsupported),
        (503, "ServerBusy", Kind::Throttled),
    ] {
        // A server that repeats what it was asked with.
        let text = "cannot read http://store/from/a?sv=2023&sig=a%2Bb%2Fc%3D by Bearer \
                    token-of-ours-is-long\nx-ms-copy-source-authorization: Bearer token-of-ours";
        let body = format!("<Error><Code>{code}</Code><Message>{text}</Message></Error>");
        for credential in [Credential::Key, Credential::Signature, Credential::Token] {
            let (endpoint, _) = server(status, ("x-ms-request-id", "1"), &body).await;
            let (store, source) = store(&endpoint, credential);
            let upload = store.create(&Path::from("t/a")).await.unwrap();
            let copied = copy_part(&store, &upload, 0, range(&source, None, Some(MD5))).await;
            let error = copied.unwrap_err();
            assert_eq!(error.kind, kind, "{status} {code}: {error}");
            let shown = format!("{error} {error:?} {source:?} {:?}", range(&source, None, None));
            for secret in ["a%2Bb", "a+b/c", "token-of-ours", KEY] {
                assert!(!shown.contains(secret), "{secret}: {shown}");
            }
        }
    }
}

#[test]
fn a_key_whose_url_is_too_long_is_none_for_azure() {
    let (_, source) = store("http://store.test", Credential::Key);
    let CopySource::Azure(source) = source else { panic!("{source:?}") };
    for (key, can) in [("a", true), (&"a".repeat(1_024), true), (&"é".repeat(512), false)] {
        assert_eq!(source.can_name(key), can, "{}", key.len());
    }
}

#[tokio::test]
async fn a_source_of_another_kind_is_not_asked_for() {
    let (endpoint, log) = server(201, CRC64, "").await;
    let (store, _) = store(&endpoint, Credential::Key);
    let upload = store.create(&Path::from("t/a")).await.unwrap();
    for source in [CopySource::S3("from".to_owned()), CopySource::Google("from".to_owned())] {
        let error = copy_part(&store, &upload, 0, range(&source, None, None)).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unsupported, "{error}");
    }
    assert!(log.lock().unwrap().iter().all(|seen| seen.header(&COPY_SOURCE).is_empty()));
}
