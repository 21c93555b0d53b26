//! Pages as stores answer them, read by the real clients.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::routing::any;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, RetryConfig};

use super::*;
use crate::store::client::{Completion, TimedConnector};
use crate::store::signing::Signing;

/// Keys of a log's folder as other tools leave them.
const STRAY: &[&str] = &[
    "t/_delta_log//x",
    "t/_delta_log//00000000000000000009.json",
    "t/_delta_log/./x",
    "t/_delta_log/../t/x",
    "t/_delta_log/00000000000000000009.json/",
    "/t/_delta_log/00000000000000000009.json",
    "t/_delta_log/",
];
const GOOD: &[&str] =
    &["t/_delta_log/00000000000000000000.json", "t/_delta_log/a&b <c>.json", "t/_delta_log/ü"];

fn escaped(key: &str) -> String {
    key.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&#62;").replace('ü', "&#xfc;")
}

fn s3_page(keys: &[&str]) -> String {
    let entry = |key: &&str| {
        format!(
            "<Contents><Key>{}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>\
             <ETag>&quot;e&quot;</ETag><Size>3</Size><Owner><ID>x</ID></Owner></Contents>",
            escaped(key)
        )
    };
    let entries: String = keys.iter().map(entry).collect();
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>{entries}\
         <CommonPrefixes><Prefix>t/_delta_log//</Prefix></CommonPrefixes>\
         <CommonPrefixes><Prefix>t/_delta_log/_sidecars/</Prefix></CommonPrefixes>\
         </ListBucketResult>"
    )
}

fn azure_page(keys: &[&str]) -> String {
    let entry = |key: &&str| {
        format!(
            "<Blob><Name>{}</Name><Properties><Last-Modified>Mon, 01 Jan 2024 00:00:00 GMT\
             </Last-Modified><Content-Length>3</Content-Length>\
             <Content-Type>x</Content-Type><Etag>0x1</Etag></Properties></Blob>",
            escaped(key)
        )
    };
    let entries: String = keys.iter().map(entry).collect();
    format!(
        "<?xml version=\"1.0\"?><EnumerationResults><Blobs>{entries}\
         <BlobPrefix><Name>t/_delta_log//</Name></BlobPrefix>\
         <BlobPrefix><Name>t/_delta_log/_sidecars/</Name></BlobPrefix></Blobs>\
         <NextMarker /></EnumerationResults>"
    )
}

/// A server that answers every listing with `page`.
async fn server(page: String) -> String {
    let answer = move |RawQuery(query): RawQuery| {
        let is_list = query.unwrap_or_default().contains("list");
        let page = if is_list { page.clone() } else { String::new() };
        async move { Body::from(page) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn stores(keys: &[&str]) -> [Arc<dyn ObjectStore>; 2] {
    let options = || ClientOptions::new().with_allow_http(true);
    let retry = || RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let connector = || TimedConnector { completion: Completion::S3, signing: Signing::Unknown };
    let s3 = AmazonS3Builder::new()
        .with_endpoint(server(s3_page(keys)).await)
        .with_bucket_name("b")
        .with_access_key_id("k")
        .with_secret_access_key("s")
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(connector());
    let azure = MicrosoftAzureBuilder::new()
        .with_account("a")
        .with_access_key("c2VjcmV0")
        .with_endpoint(server(azure_page(keys)).await)
        .with_container_name("b")
        .with_client_options(options())
        .with_retry(retry())
        .with_http_connector(connector());
    [Arc::new(s3.build().unwrap()), Arc::new(azure.build().unwrap())]
}

#[tokio::test]
async fn stray_keys_are_passed_over_and_the_rest_is_listed() {
    let folder = Path::from("t/_delta_log");
    let mixed: Vec<&str> =
        STRAY.iter().zip(GOOD.iter().cycle()).flat_map(|(stray, good)| [*stray, *good]).collect();
    for store in stores(&mixed).await {
        let found = store.list_with_delimiter(Some(&folder)).await.unwrap();
        let keys: Vec<String> =
            found.objects.iter().map(|meta| meta.location.to_string()).collect();
        let wanted: Vec<&str> = GOOD.iter().copied().cycle().take(STRAY.len()).collect();
        assert_eq!(keys, wanted, "{store}");
        assert_eq!(found.common_prefixes, [Path::from("t/_delta_log/_sidecars")], "{store}");
    }
}

#[test]
fn a_page_without_stray_keys_stays_to_the_byte() {
    for page in [s3_page(GOOD), azure_page(GOOD), "no xml <".to_owned(), String::new()] {
        let page = Bytes::from(page.replace("t/_delta_log//", "t/_delta_log/f/"));
        assert_eq!(nameable(page.clone()), page);
    }
    let binary = Bytes::from_static(b"<Contents><Key>a//b\xff</Key></Contents>");
    assert_eq!(nameable(binary.clone()), binary);
    let cut = Bytes::from_static(b"<Contents><Key>a//b</Key>");
    assert_eq!(nameable(cut.clone()), cut);
}
