//! What the store keeps, what it refuses, and how it lies, seen through a real client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, RetryConfig,
};

use super::{Kind, Lie, Manners, Rule, StubStore, error};

fn client(store: &StubStore, checksum: Option<Checksum>) -> Arc<AmazonS3> {
    let mut builder = AmazonS3Builder::new()
        .with_endpoint(store.endpoint())
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_bucket_name("lake")
        .with_access_key_id("k")
        .with_secret_access_key("s")
        .with_unsigned_payload(true)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    if let Some(checksum) = checksum {
        builder = builder.with_checksum_algorithm(checksum);
    }
    Arc::new(builder.build().unwrap())
}

fn at(key: &str) -> Path {
    Path::parse(key).unwrap()
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

#[test]
fn objects_are_kept_read_listed_and_removed() {
    let store = StubStore::start("lake");
    let client = client(&store, Some(Checksum::CRC64NVME));
    wait(async {
        let key = at("t/a b");
        client.put_opts(&key, "hello".into(), PutMode::Create.into()).await.unwrap();
        let again = client.put_opts(&key, "other".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
        let meta = client.head(&key).await.unwrap();
        assert_eq!(meta.size, 5);
        for (range, tag, bytes) in [(None, None, "hello"), (Some(1..3), meta.e_tag, "el")] {
            let options = GetOptions {
                range: range.map(GetRange::Bounded),
                if_match: tag,
                ..GetOptions::default()
            };
            let found = client.get_opts(&key, options).await.unwrap().bytes().await.unwrap();
            assert_eq!(found, bytes);
        }
        store.put("t/c", "x");
        store.put("t/d/e", "x");
        let listed: Vec<_> = client.list(Some(&at("t"))).try_collect().await.unwrap();
        let names: Vec<_> = listed.iter().map(|meta| meta.location.as_ref()).collect();
        assert_eq!(names, ["t/a b", "t/c", "t/d/e"]);
        let folders = client.list_with_delimiter(Some(&at("t"))).await.unwrap();
        assert_eq!(folders.common_prefixes, [at("t/d")]);
        client.delete(&key).await.unwrap();
        let gone = client.get(&key).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
    });
    let puts = store.seen_of(Kind::Put, "a b");
    assert_eq!(puts.iter().map(|put| put.status).collect::<Vec<_>>(), [Some(200), Some(412)]);
    assert_eq!(puts[0].headers["if-none-match"], "*");
    assert!(puts[0].headers.contains_key("x-amz-checksum-crc64nvme"));
}

#[test]
fn uploads_are_judged_as_a_real_store_judges_them() {
    const MIB: usize = 1 << 20;
    let manners = Manners { has_checksums: true, ..Manners::default() };
    let store = StubStore::with("lake", manners);
    let client = client(&store, None);
    for (sizes, order, wanted) in [
        (&[5 * MIB, 5 * MIB, 1][..], &[0, 1, 2][..], ""),
        (&[5 * MIB], &[0], ""),
        (&[5 * MIB, 6 * MIB, 1], &[0, 1, 2], "InvalidPart"),
        (&[5 * MIB, 5 * MIB + 1], &[0, 1], "InvalidPart"),
        (&[5 * MIB - 1, 1], &[0, 1], "EntityTooSmall"),
        (&[5 * MIB, 5 * MIB], &[1, 0], "InvalidPart"),
    ] {
        let key = at("large");
        let ended = wait(async {
            let id = client.create_multipart(&key).await.unwrap();
            let mut parts = Vec::new();
            for (number, size) in sizes.iter().enumerate() {
                let body = vec![0; *size].into();
                parts.push(client.put_part(&key, &id, number, body).await.unwrap());
            }
            let parts = order.iter().map(|at| parts[*at].clone()).collect();
            let ended = client.complete_multipart(&key, &id, parts).await;
            if ended.is_err() {
                client.abort_multipart(&key, &id).await.unwrap();
            }
            ended.map_err(|error| error.to_string())
        });
        match ended {
            Ok(_) => assert_eq!(wanted, "", "{sizes:?} {order:?}"),
            Err(text) => assert!(!wanted.is_empty() && text.contains(wanted), "{text}"),
        }
        let whole: usize = sizes.iter().sum();
        assert_eq!(store.get("large").map(|bytes| bytes.len()), wanted.is_empty().then_some(whole));
        store.remove("large");
        assert_eq!(store.uploads(), [""; 0]);
    }
    let unknown = wait(client.put_part(&at("large"), &"nope".to_owned(), 0, "x".into()));
    assert!(unknown.unwrap_err().to_string().contains("NoSuchUpload"));
}

#[test]
fn a_bucket_with_object_lock_wants_checksums() {
    let manners = Manners { demands_checksums: true, ..Manners::default() };
    let store = StubStore::with("lake", manners);
    let refused = wait(client(&store, None).put(&at("a"), "x".into())).unwrap_err().to_string();
    assert!(refused.contains("Content-MD5 OR x-amz-checksum-"), "{refused}");
    wait(client(&store, Some(Checksum::CRC64NVME)).put(&at("a"), "x".into())).unwrap();
}

#[test]
fn answers_lie_as_the_rules_say() {
    let store = StubStore::start("lake");
    let client = client(&store, None);
    let get = |range: Option<std::ops::Range<u64>>| {
        wait(async {
            let range = range.map(GetRange::Bounded);
            let options = GetOptions { range, ..GetOptions::default() };
            client.get_opts(&at("a"), options).await?.bytes().await
        })
    };
    store.put("a", "hello");
    for (lie, wanted) in [
        (Lie::from(error(503, "SlowDown")), Err("503")),
        (Lie::Close, Err("IncompleteMessage")),
        (Lie::CutAt(2), Err("IncompleteBody")),
        (Lie::FlipBit, Ok("hemlo")),
        (Lie::Shorter(2), Ok("hel")),
        (Lie::Longer(1), Ok("hello\u{7}")),
        (Lie::Drip(1, Duration::from_millis(1)), Ok("hello")),
        (Lie::Header("etag", None), Ok("hello")),
        (Lie::Unmeasured, Err("MissingContentLength")),
    ] {
        store.add(Rule::once(Kind::Get, lie.clone()).on("a"));
        match (get(None), wanted) {
            (Ok(bytes), Ok(wanted)) => assert_eq!(bytes, wanted, "{lie:?}"),
            (Err(error), Err(part)) => assert!(format!("{error:?}").contains(part), "{error:?}"),
            (found, wanted) => panic!("{lie:?}: {found:?} and not {wanted:?}"),
        }
        assert_eq!(get(None).unwrap(), "hello", "after {lie:?}");
    }
    store.add(Rule::once(Kind::Get, Lie::WholeForRange));
    assert!(format!("{:?}", get(Some(1..2)).unwrap_err()).contains("NotPartial"));

    let put = || wait(client.put_opts(&at("b"), "x".into(), PutMode::Create.into()));
    store.add(Rule::once(Kind::Put, Lie::Close).though_done());
    put().unwrap_err();
    assert_eq!(store.get("b").unwrap(), "x");
    store.add(Rule::once(Kind::Put, Lie::EarlyError(error(409, "OperationAborted"))));
    put().unwrap_err();
}

#[test]
fn idle_connections_are_closed_when_the_test_wants_it() {
    let store = StubStore::start("lake");
    store.close_idle_after(Duration::from_millis(20));
    store.put("a", "hello");
    let client = client(&store, None);
    wait(async {
        let begun = Instant::now();
        for _ in 0..2 {
            client.head(&at("a")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    });
    assert_eq!(store.connections(), 2);
}
