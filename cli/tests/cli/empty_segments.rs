//! The real binary before a store that keeps `a//b` and `a/b` apart.
#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Bench, Run, Table, data, files};

/// The objects of a bucket by their literal keys.
type Bucket = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Serves `bucket` as much of S3 as a source needs.
fn serve(bucket: &Bucket) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let bucket = Arc::clone(bucket);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let bucket = Arc::clone(&bucket);
            std::thread::spawn(move || answer(stream.unwrap(), &bucket));
        }
    });
    endpoint
}

fn answer(mut stream: TcpStream, bucket: &Bucket) {
    let mut head = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let first = head.next().unwrap_or_default();
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
    let range = head.take_while(|line| !line.is_empty()).find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned)
    });
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let objects = bucket.lock().unwrap();
    let listed = || page(&objects, query).into_bytes();
    let found = match path.strip_prefix("/lake") {
        Some("" | "/") => Some(listed()),
        Some(key) => objects.get(&key[1..]).cloned(),
        None => None,
    };
    drop(objects);
    let (status, whole) = match found {
        Some(bytes) => ("200 OK", bytes),
        None => ("404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
    };
    let (status, part, bytes) = match range.as_deref().and_then(|range| range.split_once('-')) {
        Some((from, to)) => {
            let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
            let part = format!("Content-Range: bytes {from}-{to}/{}\r\n", whole.len());
            ("206 Partial Content", part, &whole[from..=to])
        }
        None => (status, String::new(), &whole[..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"{:x}\"\r\n{part}\
         Last-Modified: Wed, 01 May 2024 00:00:00 GMT\r\nConnection: close\r\n\r\n",
        bytes.len(),
        whole.len(),
    );
    let body = if method == "HEAD" { &[] } else { bytes };
    let _cut = stream.write_all(&[head.as_bytes(), body].concat());
}

fn page(objects: &BTreeMap<String, Vec<u8>>, query: &str) -> String {
    let query = query.replace("%2F", "/");
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let (prefix, after) = (value("prefix=").unwrap_or(""), value("start-after=").unwrap_or(""));
    let entries: String = objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after)
        .map(|(key, bytes)| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2024-05-01T00:00:00.000Z</LastModified>\
                 <ETag>\"e\"</ETag><Size>{}</Size></Contents>",
                bytes.len()
            )
        })
        .collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>")
}

fn run(bench: &Bench, endpoint: &str, arguments: &[&str]) -> (i32, Value) {
    let mut command = bench.command(&[arguments, &["--output", "json"]].concat());
    for (name, value) in [
        ("SOURCE_AWS_ENDPOINT_URL", endpoint),
        ("SOURCE_AWS_ALLOW_HTTP", "true"),
        ("SOURCE_AWS_REGION", "us-east-1"),
        ("SOURCE_AWS_ACCESS_KEY_ID", "k"),
        ("SOURCE_AWS_SECRET_ACCESS_KEY", "s"),
    ] {
        command.env(name, value);
    }
    let run = Run::of(&command.output().unwrap());
    (run.exit, serde_json::from_str(&run.stdout).unwrap())
}

fn add(path: &str, size: usize) -> Value {
    json!({"add": {"path": path, "partitionValues": {"day": "1"}, "size": size,
        "modificationTime": 1, "dataChange": true}})
}

/// Above 16 MiB an object is read by ranges.
const LARGE_BYTES: usize = (64 << 20) + 1_000;

#[test]
fn an_object_below_an_empty_segment_is_read_by_its_literal_key() {
    let bench = Bench::new();
    let log = Table::create(bench.path("log"));
    let bucket = Bucket::default();
    let endpoint = serve(&bucket);
    let load = || {
        let mut objects = bucket.lock().unwrap();
        let files = files(&log.root).into_iter();
        objects.extend(files.map(|(name, bytes)| (format!("t/{name}"), bytes)));
    };
    for (key, byte, size) in [
        ("t/a//b.parquet", 1, 9),
        ("t/a/b.parquet", 2, 9),
        ("t/a/c.parquet", 3, 9),
        ("t/a//c.parquet", 4, 9),
        ("t/a///large.parquet", 5, LARGE_BYTES),
        ("t/a/large.parquet", 6, LARGE_BYTES),
    ] {
        bucket.lock().unwrap().insert(key.to_owned(), vec![byte; size]);
    }
    log.commit(
        0,
        &[add("a//b.parquet", 9), add("a/c.parquet", 9), add("a///large.parquet", LARGE_BYTES)],
    );
    load();
    let (exit, object) = run(&bench, &endpoint, &["clone", "s3://lake/t", "target"]);
    assert_eq!(exit, 0, "{object}");
    let target = bench.path("target");
    let empty = "empty-e3b0c44298fc1c14";
    let [b, large] = [format!("a/{empty}/b.parquet"), format!("a/{empty}/{empty}/large.parquet")];
    let wanted = BTreeMap::from([
        (b.clone(), vec![1; 9]),
        ("a/c.parquet".to_owned(), vec![3; 9]),
        (large.clone(), vec![5; LARGE_BYTES]),
    ]);
    assert!(data(&target) == wanted, "{:?}", data(&target).keys());
    let verify = ["verify", "s3://lake/t", "target", "--deep"];
    let (exit, object) = run(&bench, &endpoint, &verify);
    assert_eq!(exit, 0, "{object}");
    std::fs::write(target.join(&b), [2; 9]).unwrap();
    let (exit, object) = run(&bench, &endpoint, &verify);
    assert_eq!(exit, 6, "other bytes are at the target: {object}");
    std::fs::write(target.join(&b), [1; 9]).unwrap();
    // Without the ledger the source's bytes are read.
    std::fs::remove_dir_all(target.join("_deepclone/ledger")).unwrap();
    let (exit, object) = run(&bench, &endpoint, &verify);
    let read = object["deep"]["source_bytes_read"].as_u64();
    assert_eq!((exit, read), (0, Some(LARGE_BYTES as u64 + 18)), "{object}");

    let remove = json!({"remove": {"path": "a//b.parquet", "dataChange": true,
        "deletionTimestamp": 1}});
    log.commit(1, &[remove]);
    load();
    let (exit, object) = run(&bench, &endpoint, &["clone", "s3://lake/t", "target"]);
    assert_eq!((exit, object["num_removed_files"].as_u64()), (0, Some(1)), "{object}");

    log.commit(2, &[add("a//gone.parquet", 9)]);
    load();
    let (exit, object) = run(&bench, &endpoint, &["clone", "s3://lake/t", "target"]);
    assert_ne!(exit, 0, "{object}");
    let message = object["error"]["message"].as_str().unwrap();
    assert!(message.contains("a//gone.parquet") && !message.contains("emptySegment"), "{message}");
}
