//! Stores and folders that lack what a replica needs, each found by few requests.

use std::collections::BTreeMap;
use std::io::Error as IoError;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use deepclone_core::reason::Reason;

use super::*;
use crate::config::Config;
use crate::connections::Connections;

/// How the stub departs from S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departs {
    Nowhere,
    /// It writes over what is there, whatever the condition.
    IgnoresCondition,
    /// This status to the condition.
    RefusesCondition(u16),
    /// This status to a header with a checksum.
    RefusesChecksum(u16),
    /// This status to all, so many times.
    Answers(u16, u32),
    /// The first write is done, and its answer is 500.
    LosesAnswer,
}

#[derive(Debug)]
struct Stub {
    departs: Departs,
    /// Each request's method, with whether it had a checksum.
    seen: Mutex<Vec<(String, bool)>>,
    objects: Mutex<BTreeMap<String, Bytes>>,
}

async fn answer(
    State(stub): State<Arc<Stub>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let has_checksum = headers.keys().any(|name| name.as_str().starts_with("x-amz-checksum"));
    let is_conditional = headers.contains_key("if-none-match");
    let number = {
        let mut seen = stub.seen.lock().unwrap();
        seen.push((method.to_string(), has_checksum));
        u32::try_from(seen.len()).unwrap()
    };
    let refuse = |status: u16| {
        let body = "<Error><Code>NotImplemented</Code><Message>a header</Message></Error>";
        (StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body)
    };
    match stub.departs {
        Departs::RefusesCondition(status) if is_conditional => return refuse(status),
        Departs::RefusesChecksum(status) if has_checksum => return refuse(status),
        Departs::Answers(status, times) if number <= times => return refuse(status),
        _ => {}
    }
    let mut objects = stub.objects.lock().unwrap();
    let key = uri.path().to_owned();
    if method == Method::POST {
        // The one bulk deletion: of the one object.
        objects.clear();
        return (StatusCode::OK, HeaderMap::new(), "<DeleteResult></DeleteResult>");
    }
    let is_there = objects.contains_key(&key);
    if is_conditional && is_there && stub.departs != Departs::IgnoresCondition {
        return refuse(412);
    }
    objects.insert(key, body);
    if stub.departs == Departs::LosesAnswer && number == 1 {
        return refuse(500);
    }
    let tag = HeaderMap::from_iter([("etag".parse().unwrap(), "\"1\"".parse().unwrap())]);
    (StatusCode::OK, tag, "")
}

/// A connection to a stub of its own.
async fn stub(departs: Departs) -> (Connections, Arc<Stub>) {
    let stub = Arc::new(Stub { departs, seen: Mutex::default(), objects: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&stub));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let text = format!(
        "[connections.lake]\nurl = \"s3://b\"\nroles = [\"target\"]\naws_access_key_id = \"a\"\n\
         aws_secret_access_key = \"hunter2\"\naws_endpoint_url = \"{endpoint}\"\n"
    );
    (Connections::from_config(&Config::parse(&text).unwrap()).unwrap(), stub)
}

#[tokio::test]
async fn a_trial_that_nobody_waits_for_any_more_leaves_nothing() {
    let (connections, stub) = stub(Departs::Nowhere).await;
    let offer = connections.offers().remove(0);
    let begun = async {
        while stub.seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = begun => {}
        _ = connections.probe_target("lake", &offer.fingerprint, "t") => {}
    }
    connections.probe_removed("lake").await;
    assert!(stub.objects.lock().unwrap().is_empty());
    assert_eq!(stub.seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_store_that_cannot_hold_a_replica_is_named_at_once() {
    const UNFIT: Option<Reason> = Some(Reason::TargetUnsuitable);
    const SILENT: Option<Reason> = Some(Reason::StorageUnavailable);
    // The error, a part of its message or of the notice, and the requests.
    for (departs, wanted, part, requests) in [
        (Departs::Nowhere, None, "", 3),
        (Departs::LosesAnswer, None, "", 4),
        (Departs::IgnoresCondition, UNFIT, "ignores put-if-absent", 3),
        (Departs::RefusesCondition(501), UNFIT, "refuses put-if-absent", 2),
        (Departs::RefusesChecksum(501), None, "refuses checksum headers", 4),
        (Departs::RefusesChecksum(400), None, "refuses checksum headers", 4),
        (Departs::RefusesCondition(400), SILENT, "cannot be written", 2),
        (Departs::Answers(403, 9), Some(Reason::PermissionDenied), "refuses our credentials", 2),
        (Departs::Answers(503, 1), None, "", 4),
        (Departs::Answers(500, 99), SILENT, "status 500", 10),
        // One of the two is told that another write is under way.
        (Departs::Answers(409, 1), None, "", 4),
    ] {
        let (connections, stub) = stub(departs).await;
        let offer = connections.offers().remove(0);
        let probe = || connections.probe_target("lake", &offer.fingerprint, "t");
        let (found, said) = match probe().await {
            Ok(notice) => (None, notice.unwrap_or_default()),
            Err(failure) => (Some(failure.reason), failure.message),
        };
        assert_eq!(found, wanted, "{departs:?}: {said}");
        assert!(said.contains(part), "{departs:?}: {said}");
        assert!(part.is_empty() == said.is_empty(), "{departs:?}: {said}");
        assert!(found.is_none() || said.starts_with("the target s3://b/t "), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        // The removal comes by itself.
        for _ in 0..200 {
            if stub.seen.lock().unwrap().len() >= requests {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(stub.seen.lock().unwrap().len(), requests, "{departs:?}");
        if found.is_some() {
            continue;
        }
        // A bulk deletion has a checksum always: a store that refuses it keeps the object.
        let left = usize::from(matches!(departs, Departs::RefusesChecksum(_)));
        assert_eq!(stub.objects.lock().unwrap().len(), left, "{departs:?}");
        assert_eq!(probe().await.unwrap().unwrap_or_default(), said);
        assert_eq!(stub.seen.lock().unwrap().len(), requests, "{departs:?}: tried once");

        let table = connections.open_by("lake", &offer.fingerprint, "t").unwrap().table;
        table.store.put(&Path::from("t/x"), "y".into()).await.unwrap();
        let had_checksum = stub.seen.lock().unwrap().last().unwrap().1;
        assert_eq!(had_checksum, !matches!(departs, Departs::RefusesChecksum(_)), "{departs:?}");
    }
}

#[tokio::test]
async fn a_folder_without_hard_links_is_named_and_left_as_it_was() {
    const UNFIT: StoreErrorKind = StoreErrorKind::Unsupported;
    let links: [(Link, Option<StoreErrorKind>); 6] = [
        (|from, to| std::fs::hard_link(from, to), None),
        (|_, _| Err(IoError::from_raw_os_error(1)), Some(UNFIT)),
        (|_, _| Err(IoError::from(ErrorKind::Unsupported)), Some(UNFIT)),
        (|from, to| std::fs::copy(from, to).map(drop), Some(UNFIT)),
        (|_, _| Err(IoError::from_raw_os_error(13)), Some(StoreErrorKind::Denied)),
        (|_, _| Err(IoError::other("no space")), Some(StoreErrorKind::Other)),
    ];
    for (number, (link, wanted)) in links.into_iter().enumerate() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("t");
        let tried = probe_folder(LocalFolder::new(scratch.path(), &path), link).await;
        let found = match &tried {
            Ok(()) => None,
            Err(ProbeError::Unsuitable(_)) => Some(UNFIT),
            Err(ProbeError::Store(error)) => Some(error.kind),
        };
        assert_eq!(found, wanted, "{number}: {tried:?}");
        assert_eq!(path.exists(), wanted.is_none(), "{number}");
    }
}

#[tokio::test]
async fn a_folder_says_which_names_it_takes_for_one() {
    let scratch = tempfile::tempdir().unwrap();
    let met = probe_names(LocalFolder::root(scratch.path())).await.unwrap();
    let ours = |name: &str| scratch.path().join(name);
    // What the probe says is what happens to two such names.
    for (name, other, wanted) in [("n", "N", met.by_case), ("\u{e9}", "e\u{301}", met.by_form)] {
        std::fs::write(ours(name), "").unwrap();
        assert_eq!(ours(other).exists(), wanted);
    }
    assert_eq!(std::fs::read_dir(ours("_deepclone")).unwrap().count(), 0);
}
