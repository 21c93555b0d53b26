//! Commits that go by parts to real stores, read by real readers, and two writers of one version.

use std::fs;
use std::path::Path;

use deepclone_common::store::table::TableStore;
use deepclone_core::reason::Reason;
use deepclone_delta::changes::SyncPlan;
use deepclone_delta::publish::{PublishResult, finish, publish};
use deepclone_tests::proxy::{Fault, Gate, Proxy, Rule};
use deepclone_tests::{by_parts, writers};
use object_store::ObjectStoreExt as _;
use serde_json::json;

use crate::place::Place;
use crate::replica;

const COMMIT: &str = "_delta_log/00000000000000000000.json";
const NOW_MS: i64 = 1_800_000_000_000;

/// Of a commit of some 6 MiB.
const PARTS: usize = 2;

/// A real table of twelve files whose replica's commit has half a MiB for each.
fn table(folder: &Path) -> Place {
    let place = Place::Local(folder.join("source"));
    for start in [0, 20, 40] {
        writers::write("append", &place.uri(), json!({"start": start, "count": 20}));
    }
    for version in 0..3 {
        by_parts::tag(&folder.join("source"), version, 500 << 10);
    }
    place
}

/// The table as the coordinator opens it, through the proxy.
fn opened(target: &Place, proxy: &Proxy) -> TableStore {
    let proxied = target.at(&proxy.endpoint(target.endpoint()));
    by_parts::target(&proxied.uri(), &proxied.settings("TARGET_"))
}

/// Copies the objects of the table, as workers do.
async fn copy(source: &Place, target: &TableStore) {
    let Place::Local(folder) = source else { panic!("a local table") };
    for name in replica::objects(&source.listing().await) {
        let bytes = fs::read(folder.join(&name)).expect("a file");
        let key = target.key(&name).expect("a key");
        target.store.put(&key, bytes.into()).await.expect("the store writes");
    }
}

/// Uploads that are open below the table; Azure lists none.
async fn open_uploads(table: &TableStore) -> usize {
    let found = deepclone_common::store::uploads::open_uploads(&*table.store, table.root.as_ref());
    match table.uri.starts_with("s3://") {
        true => found.await.expect("a listing").len(),
        false => 0,
    }
}

/// The words in a request that completes an upload.
fn completion(target: &Place) -> (&'static str, &'static str) {
    match target {
        Place::Azure(..) => ("PUT", "comp=blocklist"),
        _ => ("POST", "uploadId="),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_by_parts_is_read_by_readers() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = table(folder.path());
    let from = by_parts::source(&folder.path().join("source"));
    let parts = |target: &Place| match target {
        Place::Azure(..) => "comp=block&",
        _ => "partNumber=",
    };
    for (target, fault) in [
        (Place::south("parts"), None),
        (Place::azure("parts"), None),
        (Place::south("parts-503"), Some(Fault::Status(503))),
        (Place::azure("parts-503"), Some(Fault::Status(503))),
        (Place::south("parts-bit"), Some(Fault::FlipBit)),
        (Place::azure("parts-bit"), Some(Fault::FlipBit)),
    ] {
        let proxy = Proxy::start(target.endpoint()).await;
        let part = parts(&target);
        let sent_again = usize::from(fault.is_some());
        if let Some(fault) = fault {
            let rule = Rule::new(fault).method("PUT").containing(COMMIT).containing(part);
            proxy.add(rule.times(1));
        }
        let to = opened(&target, &proxy);
        copy(&source, &to).await;
        let change = by_parts::change(&from, &to).await;
        let published = publish(&to, &change, NOW_MS).await.expect("it is published");
        let PublishResult::Published(committed) = published else { panic!("{published:?}") };
        finish(&to, &committed, Some(&change)).await.expect("what follows on it");
        assert_eq!(proxy.count("PUT", part), PARTS + sent_again, "{}", target.uri());
        let (method, words) = completion(&target);
        assert_eq!(proxy.count(method, words), 1, "{}", target.uri());
        assert_eq!(open_uploads(&to).await, 0, "{}", target.uri());
        replica::assert_equal(&source, &target).await;
        let tag = committed.etag.clone().expect("a tag");
        let key = to.key(COMMIT).expect("a key");
        assert_eq!(to.store.head(&key).await.expect("the commit").e_tag, Some(tag));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completion_whose_answer_is_lost_published_the_commit() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = table(folder.path());
    let from = by_parts::source(&folder.path().join("source"));
    for (target, fault, completions) in [
        (Place::south("parts-lost"), Fault::LoseAnswer, 1),
        (Place::azure("parts-lost"), Fault::LoseAnswer, 1),
        (Place::south("parts-500"), Fault::Status(500), 2),
        (Place::azure("parts-500"), Fault::Status(500), 2),
    ] {
        let proxy = Proxy::start(target.endpoint()).await;
        let (method, words) = completion(&target);
        let rule = Rule::new(fault).method(method).containing(COMMIT).containing(words);
        proxy.add(rule.times(1));
        let to = opened(&target, &proxy);
        copy(&source, &to).await;
        let change = by_parts::change(&from, &to).await;
        let published = publish(&to, &change, NOW_MS).await.expect("it is published");
        assert_eq!(published.version(), Some(0), "{}", target.uri());
        assert_eq!(proxy.count(method, words), completions, "{}", target.uri());
        assert_eq!(open_uploads(&to).await, 0, "{}", target.uri());
        replica::assert_equal(&source, &target).await;
    }
}

/// Publishes two changes of one version; `at_once` lets both be completed at the same moment, else
/// the second one comes when the first one is there.
async fn two_writers(source: &Place, from: &TableStore, target: &Place, at_once: bool) {
    let proxy = Proxy::start(target.endpoint()).await;
    let (method, words) = completion(target);
    let gate = Gate::default();
    let held = Rule::new(Fault::Hold(gate.clone())).method(method).containing(COMMIT);
    proxy.add(held.containing(words).times(if at_once { 2 } else { 1 }));
    let to = opened(target, &proxy);
    copy(source, &to).await;
    let one = by_parts::change(from, &to).await;
    let two = by_parts::change(from, &to).await;
    let first = publish(&to, &one, NOW_MS);
    let second = async {
        if !at_once {
            gate.arrived(1).await;
        }
        let ended = publish(&to, &two, NOW_MS + 1).await;
        gate.open();
        ended
    };
    let open = async {
        if at_once {
            gate.arrived(2).await;
            gate.open();
        }
    };
    let (first, second, ()) = tokio::join!(first, second, open);
    let ended = [first, second].map(|ended| ended.expect("no error").version());
    assert!(ended.contains(&Some(0)) && ended.contains(&None), "{}: {ended:?}", target.uri());
    let again = by_parts::plan(from, &to).await;
    assert!(matches!(again, SyncPlan::UpToDate(_)), "{}: {again:?}", target.uri());
    assert_eq!(open_uploads(&to).await, 0, "{}", target.uri());
    assert_eq!(replica::commits(&target.listing().await).len(), 1);
    replica::assert_equal(source, target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_commits_by_parts_one_wins_and_the_other_is_planned_again() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = table(folder.path());
    let from = by_parts::source(&folder.path().join("source"));
    two_writers(&source, &from, &Place::south("parts-second"), false).await;
    two_writers(&source, &from, &Place::azure("parts-second"), false).await;
    // The other cloud's completions at one moment may both succeed: the probe finds that.
    two_writers(&source, &from, &Place::azure("parts-race"), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_completions_overwrite_each_other_is_found_before_anything_is_copied() {
    const LONG: u64 = 6 << 30;
    let (south, azure) = (Place::south("parts-probe"), Place::azure("parts-probe"));
    let tried = |place: &Place| {
        let (uri, settings) = (place.uri(), place.settings("TARGET_"));
        async move { by_parts::tried(&uri, &settings, &[5 << 30, LONG]).await }
    };
    assert_eq!(tried(&azure).await, [Ok(()), Ok(())]);
    // SeaweedFS 4.48 looks for the object before it puts the parts together.
    let answers = tried(&south).await;
    assert_eq!(answers[0], Ok(()), "one put");
    let failure = answers[1].clone().expect_err("it overwrites");
    assert_eq!(failure.reason, Reason::TargetUnsuitable, "{failure}");
    assert!(failure.message.contains("both succeed"), "{failure}");
    for place in [south, azure] {
        assert_eq!(place.listing().await.len(), 0, "{}: a probe is left", place.uri());
    }
}
