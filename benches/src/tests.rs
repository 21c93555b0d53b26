//! The server before the client that a worker has.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deepclone_common::store::client::{Completion, TimedConnector};
use deepclone_common::store::signing::Signing;
use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload,
    RetryConfig,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::faults::{Fate, FaultRates, LinkFaults};
use crate::{Addresses, start};

const KIB: u64 = 1024;

/// A server with an empty bucket `b`, and a client of it that tries nothing twice.
async fn server() -> (Addresses, AmazonS3) {
    let addresses = start().await.unwrap();
    ask(&addresses, "PUT", "/b", "").await;
    let client = AmazonS3Builder::new()
        .with_endpoint(format!("http://{}", addresses.store))
        .with_bucket_name("b")
        .with_access_key_id("k")
        .with_secret_access_key("s")
        .with_unsigned_payload(true)
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(TimedConnector {
            completion: Completion::S3,
            signing: Signing::Unknown,
        });
    (addresses, client.build().unwrap())
}

/// Asks as the bench does.
async fn ask(addresses: &Addresses, method: &str, target: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(&addresses.control).await.unwrap();
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
    let request = format!("{head}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{method} {target}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

async fn json_of(addresses: &Addresses, target: &str) -> Value {
    serde_json::from_str(&ask(addresses, "GET", target, "").await).unwrap()
}

async fn fill(addresses: &Addresses, sizes: Value) {
    let body = json!({ "bucket": "b", "sizes": sizes }).to_string();
    ask(addresses, "POST", "/-/fill", &body).await;
}

async fn read(client: &AmazonS3, key: &str) -> object_store::Result<Bytes> {
    client.get(&Path::from(key)).await?.bytes().await
}

#[tokio::test]
async fn objects_are_written_under_conditions_and_read_by_ranges() {
    let (_, client) = server().await;
    let path = Path::from("t/a b&c.parquet");
    let create = || client.put_opts(&path, "0123456789".into(), PutMode::Create.into());
    create().await.unwrap();
    assert!(matches!(create().await, Err(Error::AlreadyExists { .. })));
    assert_eq!(read(&client, path.as_ref()).await.unwrap(), "0123456789");
    assert_eq!(client.get_range(&path, 2..5).await.unwrap(), "234");
    assert_eq!(client.head(&path).await.unwrap().size, 10);
    let other = GetOptions { if_match: Some("\"other\"".to_owned()), ..GetOptions::default() };
    let refused = client.get_opts(&path, other).await;
    assert!(matches!(refused, Err(Error::Precondition { .. })), "{refused:?}");
    assert!(matches!(read(&client, "t/none").await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn uploads_become_objects_where_none_is() {
    let (addresses, client) = server().await;
    let path = Path::from("big");
    for is_first in [true, false] {
        let id = client.create_multipart(&path).await.unwrap();
        let mut parts = Vec::new();
        for text in ["first ", "second"] {
            let payload = PutPayload::from_static(text.as_bytes());
            parts.push(client.put_part(&path, &id, parts.len(), payload).await.unwrap());
        }
        let open = ask(&addresses, "GET", "/b?uploads=&prefix=bi", "").await;
        assert!(open.contains(&format!("<Key>big</Key><UploadId>{id}</UploadId>")), "{open}");
        let done = client.complete_multipart(&path, &id, parts).await;
        assert_eq!(done.is_ok(), is_first, "{done:?}");
        assert_eq!(client.abort_multipart(&path, &id).await.is_ok(), !is_first);
    }
    assert_eq!(read(&client, "big").await.unwrap(), "first second");
    let open = ask(&addresses, "GET", "/b?uploads=", "").await;
    assert!(!open.contains("<Upload>"), "{open}");
    // What is left of an upload goes with its bucket.
    let id = client.create_multipart(&path).await.unwrap();
    ask(&addresses, "DELETE", "/b", "").await;
    ask(&addresses, "PUT", "/b", "").await;
    let gone = client.abort_multipart(&path, &id).await.unwrap_err().to_string();
    assert!(gone.contains("NoSuchUpload"), "{gone}");
}

#[tokio::test]
async fn listings_go_on_behind_a_page() {
    let (addresses, client) = server().await;
    let sizes: serde_json::Map<_, _> =
        (0..2100).map(|number| (format!("t/d{}/{number}", number % 3), json!(1))).collect();
    fill(&addresses, sizes.into()).await;
    let all: Vec<_> = client.list(Some(&Path::from("t"))).try_collect().await.unwrap();
    assert_eq!(all.len(), 2100);
    let folders = client.list_with_delimiter(Some(&Path::from("t"))).await.unwrap();
    assert_eq!(folders.common_prefixes, ["t/d0", "t/d1", "t/d2"].map(Path::from));
    assert!(folders.objects.is_empty());
    let behind = Path::from("t/d2/98");
    let rest = client.list_with_offset(None, &behind).try_collect::<Vec<_>>().await.unwrap();
    assert!(!rest.is_empty() && rest.iter().all(|object| object.location > behind));
    // The older form, as rclone asks for it: the last key is the marker of the next page.
    for (marker, keys) in [("", 1000), (all[1999].location.as_ref(), 100)] {
        let target = format!("/b?prefix=t/&max-keys=1000&marker={marker}");
        let page = ask(&addresses, "GET", &target, "").await;
        assert_eq!(page.matches("<Key>").count(), keys, "{marker}");
    }
}

#[tokio::test]
async fn what_passes_is_counted_by_kind_until_the_link_is_set() {
    let (addresses, client) = server().await;
    fill(&addresses, json!({ "a": 300 * KIB, "_delta_log/0.json": 7 })).await;
    let bytes = read(&client, "a").await.unwrap();
    read(&client, "_delta_log/0.json").await.unwrap();
    client.put(&Path::from("copy"), bytes.into()).await.unwrap();
    let counts = json_of(&addresses, "/-/counts").await;
    let tally = |taken: u64, given: u64| tally_of(1, taken, given);
    let kinds = json!({
        "GET data": tally(0, 300 * KIB), "GET log": tally(0, 7), "PUT data": tally(300 * KIB, 0),
    });
    assert_eq!(counts, json!({ "kinds": kinds, "faults": { "refused": 0, "cut": 0 } }));
    let digests = json_of(&addresses, "/-/digests?bucket=b").await;
    assert_eq!(digests["a"], digests["copy"]);
    assert_ne!(digests["a"], digests["_delta_log/0.json"]);
    assert_eq!(json_of(&addresses, "/-/sizes?bucket=b").await["copy"], json!(300 * KIB));
    ask(&addresses, "POST", "/-/link", "{}").await;
    assert_eq!(json_of(&addresses, "/-/counts").await["kinds"], json!({}));
}

#[tokio::test]
async fn requests_are_refused_and_bodies_cut() {
    let (addresses, client) = server().await;
    fill(&addresses, json!({ "a": 400 * KIB })).await;
    let set = |faults: Value| {
        let addresses = &addresses;
        let faults = json!({ "faults": faults }).to_string();
        async move { ask(addresses, "POST", "/-/link", &faults).await }
    };
    set(json!({ "refused_every": 1 })).await;
    let refused = read(&client, "a").await.unwrap_err().to_string();
    assert!(refused.contains("503") && refused.contains("SlowDown"), "{refused}");

    set(json!({ "cut_every": 1 })).await;
    let mut pieces = client.get(&Path::from("a")).await.unwrap().into_stream();
    let mut came = 0;
    while let Ok(Some(piece)) = pieces.try_next().await {
        came += piece.len() as u64;
    }
    assert_eq!(came, 200 * KIB);
    client.put(&Path::from("b"), vec![1; 400 << 10].into()).await.unwrap_err();
    let counts = json_of(&addresses, "/-/counts").await;
    assert_eq!(counts["faults"], json!({ "refused": 0, "cut": 2 }));
    assert_eq!(counts["kinds"]["GET data"]["bytes_out"], json!(200 * KIB));

    set(json!({})).await;
    assert!(matches!(read(&client, "b").await, Err(Error::NotFound { .. })));
}

#[test]
fn faults_are_spread_evenly() {
    let rates = FaultRates { refused_every: 10, cut_every: 5 };
    let mut faults = LinkFaults::new(rates);
    let fates: Vec<_> = (1..=20).map(|number| (number, faults.next(number % 2 == 0))).collect();
    let is = |wanted: fn(&Fate) -> bool| -> Vec<_> {
        fates.iter().filter(|(_, fate)| wanted(fate)).map(|(number, _)| *number).collect()
    };
    assert_eq!(is(|fate| *fate == Fate::Refused), [2, 12]);
    // Of the bodies 4, 6, 8, 10, 14, 16, 18, 20 the first and the sixth.
    assert_eq!(is(|fate| matches!(fate, Fate::Cut { .. })), [4, 16]);
}

#[tokio::test]
async fn a_link_takes_its_time() {
    const ROUND_TRIP: Duration = Duration::from_millis(40);
    let (addresses, client) = server().await;
    fill(&addresses, json!({ "small": 1, "big": 4096 * KIB })).await;
    ask(&addresses, "POST", "/-/link", r#"{ "round_trip_ms": 40 }"#).await;
    let client = Arc::new(client);
    // A new connection is opened first; 4 MiB take four round trips of the line's time.
    for (key, round_trips) in [("small", 2), ("small", 1), ("big", 4)] {
        let begun = Instant::now();
        read(&client, key).await.unwrap();
        let took = begun.elapsed();
        assert!(took >= ROUND_TRIP * round_trips, "{key}: {took:?}");
    }
}

fn tally_of(requests: u64, bytes_in: u64, bytes_out: u64) -> serde_json::Value {
    json!({ "requests": requests, "bytes_in": bytes_in, "bytes_out": bytes_out })
}
