//! Stores whose listings leave keys out, and what reading a log costs in requests.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, SourcePoint};
use deepclone_delta::enclosing::refuse_inside_table;
use deepclone_delta::log::FirstNewer;
use deepclone_delta::{io, log};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::json;

use crate::faults::Watched;
use crate::support::*;

const NEWEST: u64 = 13;
/// The request that lists the whole log.
const LISTED: &str = "LIST source/_delta_log";

fn json_of(version: u64) -> String {
    format!("{version:020}.json")
}

/// A table with the versions 0 to 13 of one file each, a checkpoint at 10 and a hint at it.
async fn long_source() -> (Arc<Watched>, Table) {
    let store = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(store.clone(), "source");
    source.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("a0")]).await;
    let mut rows = vec![protocol(1, 2), metadata("source-id", json!({})), add("a0")];
    for n in 1..=NEWEST {
        source.commit(&[add(&format!("a{n}"))]).await;
        rows.extend((n <= 10).then(|| add(&format!("a{n}"))));
    }
    source.checkpoint(10, &rows).await;
    source.put("_delta_log/_last_checkpoint", br#"{"version":10,"size":13}"#.to_vec()).await;
    store.take();
    (store, source)
}

#[tokio::test]
async fn commits_that_a_listing_with_a_start_loses_are_found() {
    for lost in [vec![12, 13], vec![13], vec![11], vec![11, 12, 13], vec![12]] {
        let (store, source) = long_source().await;
        store.hidden.lock().unwrap().after_a_start = lost.iter().copied().map(json_of).collect();
        assert_eq!(log::head(&source.store).await.unwrap(), Some(NEWEST), "{lost:?}");
        let target = Table::new("target");
        let did = sync_equal(&source, &target, &spec()).await;
        assert_eq!(did.objects().len(), 14, "{lost:?}");
        // Any version can be asked for, the lost ones too.
        for version in 10..=NEWEST {
            let point = SourcePoint::Version(version);
            let spec = CloneSpec { source_point: point, ..spec() };
            let did = sync(&source, &Table::new("other"), &spec).await.unwrap();
            assert_eq!(did.objects().len() as u64, version + 1, "{lost:?}");
        }
    }
}

#[tokio::test]
async fn a_no_op_is_none_when_the_replica_s_own_listing_loses_its_newest_commits() {
    let (_, source) = long_source().await;
    let store = Watched::new(Arc::new(InMemory::new()));
    let mut target = Table::on(store.clone(), "target");
    sync_equal(&source, &target, &spec()).await;
    let rows: Vec<_> = target.read(0).await.actions.iter().map(|action| action.to_json()).collect();
    let rows: Vec<_> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
    target.checkpoint(0, &rows).await;
    target.put("_delta_log/_last_checkpoint", br#"{"version":0,"size":1}"#.to_vec()).await;
    target.commit(&[info("WRITE"), add("x1")]).await;
    store.hidden.lock().unwrap().after_a_start = vec![json_of(1)];
    let refused = sync(&source, &target, &spec()).await.unwrap_err();
    assert_eq!(refused, Reason::TargetDiverged);
}

#[tokio::test]
async fn a_listing_that_never_shows_a_commit_is_an_error_and_no_shorter_table() {
    let (store, source) = long_source().await;
    store.hidden.lock().unwrap().always = vec![json_of(12), json_of(13)];
    let refused = plan(&source, &Table::new("target"), &spec()).await.unwrap_err();
    assert_eq!(refused.reason, Reason::DamagedLog);
    assert!(refused.message.contains(&json_of(12)), "{refused}");
}

#[tokio::test]
async fn a_folder_above_the_target_that_may_not_be_listed_is_passed_over() {
    let store = Watched::new(Arc::new(InMemory::new()));
    let (outer, target) = (Table::on(store.clone(), "lake"), Table::on(store.clone(), "lake/t"));
    let above = [outer.store.clone()];
    outer.raw_commit(0, "{}").await;
    let refused = refuse_inside_table(&target.store, &above).await.unwrap_err().failure();
    assert_eq!(refused.reason, Reason::TargetUnsuitable);
    store.denied.lock().unwrap().push("lake/_delta_log".to_owned());
    refuse_inside_table(&target.store, &above).await.unwrap();
}

#[tokio::test]
async fn what_may_not_be_read_is_a_failure_and_not_absent() {
    let store = Watched::new(Arc::new(InMemory::new()));
    let table = Table::on(store.clone(), "t").store;
    store.denied.lock().unwrap().push("t/x".to_owned());
    let bytes_read = AtomicU64::new(0);
    for error in [
        io::get(&table, "x", io::ReadBound::LOG).await.unwrap_err(),
        io::exists(&table, "x").await.unwrap_err(),
        io::describe(&table, "x").await.unwrap_err(),
        io::digest(&table, "x", &bytes_read).await.unwrap_err(),
        io::delete(&table, "x").await.unwrap_err(),
    ] {
        assert_eq!(error.failure().reason, Reason::PermissionDenied, "{error}");
    }
}

/// One listing, one probe behind the hint, and each commit once.
#[tokio::test]
async fn a_plan_asks_for_each_thing_once() {
    let (store, source) = long_source().await;
    plan_once(&source, &Table::new("target"), &spec()).await.unwrap();
    let mut requests = store.take();
    requests.sort();
    let get = |version: u64| format!("GET source/_delta_log/{}", json_of(version));
    let checkpoint = "00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";
    assert_eq!(
        requests,
        [
            format!("GET source/_delta_log/{checkpoint}"),
            get(11),
            get(12),
            get(13),
            format!("HEAD source/_delta_log/{}", json_of(14)),
            LISTED.to_owned(),
        ]
    );
    let timed = json!({"delta.enableInCommitTimestamps": "true"});
    for (protocol, configuration) in
        [(protocol(1, 2), json!({})), (features(&[], &["inCommitTimestamp"]), timed)]
    {
        let store = Watched::new(Arc::new(InMemory::new()));
        let mut source = Table::on(store.clone(), "source");
        let time = json!({"commitInfo": {"operation": "WRITE", "inCommitTimestamp": 5}});
        source.commit(&[time, protocol, metadata("source-id", configuration), add("a0")]).await;
        store.take();
        for source_point in [SourcePoint::Newest, SourcePoint::Version(0)] {
            let spec = CloneSpec { source_point, ..spec() };
            plan_once(&source, &Table::new("target"), &spec).await.unwrap();
            assert_eq!(store.take(), [LISTED.to_owned(), get(0)]);
        }
    }
}

#[tokio::test]
async fn one_listing_finds_a_version_and_starts_at_the_hint_if_that_is_not_above_it() {
    let (store, source) = long_source().await;
    let (whole, from_hint) = (LISTED.to_owned(), format!("{LISTED} after {:020}", 10));
    for (version, listing) in [(9, &whole), (10, &from_hint), (12, &from_hint)] {
        let segment = log::list(&source.store, Some(version)).await.unwrap();
        assert_eq!((segment.version, store.take()), (version, vec![listing.clone()]));
    }
}

#[tokio::test]
async fn a_plan_that_is_refused_is_not_made_again_unless_the_newest_version_went_on() {
    let store = Watched::new(Arc::new(InMemory::new()));
    let empty = Table::on(store.clone(), "source");
    let refused = plan_once(&empty, &Table::new("target"), &spec()).await.unwrap_err();
    assert_eq!(refused.reason, Reason::NotADeltaTable);
    assert_eq!(store.take(), [LISTED]);
    let (store, source) = long_source().await;
    let absent = CloneSpec { source_point: SourcePoint::Version(99), ..spec() };
    let refused = plan_once(&source, &Table::new("target"), &absent).await.unwrap_err();
    assert_eq!(refused.reason, Reason::InvalidArgument);
    let (whole, from_hint) = (LISTED.to_owned(), format!("{LISTED} after {:020}", 10));
    let probe = format!("HEAD source/_delta_log/{}", json_of(14));
    assert_eq!(store.take(), [whole.clone(), probe, from_hint, whole]);
}

#[tokio::test]
async fn what_is_newer_costs_two_requests_and_says_since_when() {
    let (store, source) = long_source().await;
    let written_ms = |version| {
        let path = Path::from(format!("source/_delta_log/{}", json_of(version)));
        let store = Arc::clone(&store);
        async move { store.head(&path).await.unwrap().last_modified.timestamp_millis() }
    };
    let (newest, ninth) = (written_ms(NEWEST).await, written_ms(9).await);
    store.take();
    let first = |committed_ms| Some(FirstNewer { committed_ms, is_cleaned: false });
    for (after, newer, requests) in [
        (NEWEST, None, 2),
        (NEWEST - 1, first(newest), 3),
        (8, first(ninth), 3),
        // The table was made again: its log is shorter. All of it is listed.
        (NEWEST + 5, None, 2),
    ] {
        let found = log::newer(&source.store, after).await.unwrap();
        let found = found.unwrap();
        assert_eq!((found.newest, found.first), (NEWEST, newer), "after {after}");
        assert_eq!(found.known.is_some(), after <= NEWEST, "after {after}");
        assert_eq!(store.take().len(), requests, "after {after}");
    }
    for (after, may_have) in [(NEWEST, false), (NEWEST - 1, true), (8, true), (NEWEST + 5, false)] {
        let found = log::may_have_newer(&source.store, after).await.unwrap();
        assert_eq!((found, store.take().len()), (may_have, 1), "after {after}");
    }
    let nothing = Table::on(store.clone(), "nothing");
    assert_eq!(log::newer(&nothing.store, 3).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_newer_is_found_also_where_the_log_was_cleaned_up_or_a_listing_loses_it() {
    for after in [3, 10, 12] {
        let (store, source) = long_source().await;
        store.hidden.lock().unwrap().after_a_start = vec![json_of(12), json_of(13)];
        let found = log::newer(&source.store, after).await.unwrap().unwrap();
        assert_eq!(found.newest, NEWEST, "after {after}");
        assert!(!found.first.unwrap().is_cleaned, "after {after}");
    }
    let (_, mut source) = long_source().await;
    for version in 0..=11 {
        source.delete(&format!("_delta_log/{}", json_of(version))).await;
    }
    let cleaned = log::newer(&source.store, 3).await.unwrap().unwrap();
    assert_eq!(cleaned.newest, NEWEST);
    let first = cleaned.first.unwrap();
    assert!(first.is_cleaned && first.committed_ms > 0, "{first:?}");
    // A table that gives its commits their times itself.
    let info = json!({"commitInfo": {"inCommitTimestamp": 1_700_000_000_000_i64}});
    source.commit(&[info]).await;
    let own = log::newer(&source.store, NEWEST).await.unwrap().unwrap().first.unwrap();
    assert_eq!((own.committed_ms, own.is_cleaned), (1_700_000_000_000, false));
}
