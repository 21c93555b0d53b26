//! Whose replica is it: refusals, divergence, lost markers, replaced sources.

use std::sync::Arc;

use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, Repair, SourcePoint, SourceReplacedPolicy};
use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use serde_json::json;

use crate::faults::{Earlier, Watched};
use crate::support::*;

async fn synced() -> (Table, Table) {
    let source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    (source, target)
}

async fn reason(source: &Table, target: &Table, spec: &CloneSpec) -> Reason {
    let before = target.head().await;
    let reason = sync(source, target, spec).await.unwrap_err();
    assert_eq!(target.head().await, before, "a refusal writes nothing");
    reason
}

#[tokio::test]
async fn a_table_that_was_never_ours_is_refused_whatever_the_policy() {
    let source = small_source().await;
    let mut target = Table::new("target");
    target.commit(&[protocol(1, 2), metadata("theirs", json!({})), add("x1")]).await;
    assert_eq!(reason(&source, &target, &spec()).await, Reason::TargetNotOurs);
    assert_eq!(reason(&source, &target, &overwrite()).await, Reason::TargetNotOurs);
}

#[tokio::test]
async fn a_source_without_a_log_is_no_table() {
    let (source, target) = (Table::new("source"), Table::new("target"));
    let error = sync(&source, &target, &spec()).await.unwrap_err();
    assert_eq!(error, Reason::NotADeltaTable);
}

#[tokio::test]
async fn vacuum_commits_on_the_replica_are_harmless() {
    let (mut source, mut target) = synced().await;
    target.commit(&[info("VACUUM START")]).await;
    target.commit(&[info("VACUUM END")]).await;
    assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
    source.commit(&[add("c1")]).await;
    let Did::Published { version, .. } = sync_equal(&source, &target, &spec()).await else {
        unreachable!()
    };
    assert_eq!(version, 3);
}

#[tokio::test]
async fn somebody_elses_commit_is_refused_or_overwritten() {
    for (operation, foreign) in
        [("WRITE", vec![add("x1")]), ("OPTIMIZE", vec![remove("a1"), add("a2")])]
    {
        let foreign = [vec![info(operation)], foreign].concat();
        let (mut source, mut target) = synced().await;
        target.commit(&foreign).await;
        source.commit(&[add("c1")]).await;
        assert_eq!(reason(&source, &target, &spec()).await, Reason::TargetDiverged);
        let Did::Published { change_set, .. } = sync_equal(&source, &target, &overwrite()).await
        else {
            unreachable!()
        };
        assert_eq!(change_set.notices.len(), 1);
        let told = format!("version 1 ({operation})");
        assert!(change_set.notices[0].contains(&told), "{:?}", change_set.notices);
        // From here on the replica is ours again.
        assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
    }
}

#[tokio::test]
async fn a_restore_on_the_replica_is_not_taken_for_the_source() {
    let (mut source, mut target) = synced().await;
    source.commit(&[add("c1")]).await;
    sync_equal(&source, &target, &spec()).await;
    target.commit(&[info("RESTORE"), remove("c1")]).await;
    // The marker still says that the replica is at the source's version.
    assert_eq!(reason(&source, &target, &spec()).await, Reason::TargetDiverged);
    let did = sync_equal(&source, &target, &overwrite()).await;
    assert_eq!(did.objects(), ["p=c/c1.parquet"]);
}

#[tokio::test]
async fn a_lost_marker_is_found_in_the_history() {
    let (mut source, mut target) = synced().await;
    retire_markers(&mut target).await;
    target.delete("_deepclone/replica.json").await;
    source.commit(&[add("c1")]).await;
    assert_eq!(reason(&source, &target, &spec()).await, Reason::TargetDiverged);
    sync_equal(&source, &target, &overwrite()).await;
}

/// A foreign commit that drops our markers, as another engine's retention may.
async fn retire_markers(target: &mut Table) {
    let txns: Vec<serde_json::Value> = target
        .snapshot()
        .await
        .txns
        .keys()
        .map(|app| json!({"txn": {"appId": app, "version": -1}}))
        .collect();
    target.commit(&txns).await;
}

#[tokio::test]
async fn a_lost_history_is_known_by_the_hint_alone() {
    let (source, mut target) = synced().await;
    let id = target.snapshot().await.metadata.id;
    target.delete("_delta_log/00000000000000000000.json").await;
    target.commit(&[protocol(1, 2), metadata(&id, json!({})), add("a1")]).await;
    assert_eq!(reason(&source, &target, &spec()).await, Reason::TargetDiverged);
    sync_equal(&source, &target, &overwrite()).await;
    // The hint names another table: never ours.
    let other = Table::new("target");
    let hint = target.get("_deepclone/replica.json").await.unwrap();
    other.put("_deepclone/replica.json", hint).await;
    let mut other = other;
    other.commit(&[protocol(1, 2), metadata("theirs", json!({}))]).await;
    assert_eq!(reason(&source, &other, &overwrite()).await, Reason::TargetNotOurs);
}

#[tokio::test]
async fn another_source_is_refused_or_recloned() {
    let (_, target) = synced().await;
    let mut other = Table::new("source");
    // The same file name with the same size: only its bytes could tell.
    other.commit(&[protocol(1, 2), metadata("other-id", json!({})), add("a1"), add("c1")]).await;
    assert_eq!(reason(&other, &target, &spec()).await, Reason::SourceReplaced);
    let reclone = CloneSpec { source_replaced_policy: SourceReplacedPolicy::Reclone, ..spec() };
    let did = sync_equal(&other, &target, &reclone).await;
    assert_eq!(did.objects(), ["p=a/a1.parquet", "p=c/c1.parquet"]);
    let snapshot = target.snapshot().await;
    let live: Vec<&str> = snapshot
        .txns
        .values()
        .filter(|txn| txn.version >= 0)
        .filter_map(|txn| txn.app_id.split(':').nth(1))
        .collect();
    assert_eq!(live, ["other-id", "other-id"]);
    assert!(matches!(sync(&other, &target, &spec()).await, Ok(Did::UpToDate)));
}

/// Until the commit readers of the head read what lies there, and so does a later sync of the
/// source that the head is of.
#[tokio::test]
async fn another_source_writes_nothing_where_the_head_refers_to_an_object_that_is_gone() {
    let (source, target) = synced().await;
    target.delete("p=a/a1.parquet").await;
    let mut other = Table::new("source");
    other.commit(&[protocol(1, 2), metadata("other-id", json!({})), add("a1"), add("c1")]).await;
    let reclone = CloneSpec { source_replaced_policy: SourceReplacedPolicy::Reclone, ..spec() };
    let refused = failure(&other, &target, &reclone).await;
    assert_eq!(refused.reason, Reason::TargetConflict, "{refused}");
    assert!(refused.message.contains("p=a/a1.parquet"), "{refused}");
    // A repair is of the source that was synced.
    let repair = CloneSpec { repair: Repair::Sizes, ..reclone.clone() };
    assert_eq!(failure(&other, &target, &repair).await.reason, Reason::SourceReplaced);
    assert_eq!(target.get("p=a/a1.parquet").await, None);
    sync(&source, &target, &CloneSpec { repair: Repair::Sizes, ..spec() }).await.unwrap();
    sync_equal(&other, &target, &reclone).await;
}

/// The history identifies a table, not its id: a copy of the folder keeps the id.
#[tokio::test]
async fn a_copy_with_another_history_is_another_source() {
    let (_, target) = synced().await;
    let mut copy = Table::new("source");
    copy.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("a1"), add("c1")]).await;
    assert_eq!(reason(&copy, &target, &spec()).await, Reason::SourceReplaced);
    copy.commit(&[add("d1")]).await;
    assert_eq!(reason(&copy, &target, &spec()).await, Reason::SourceReplaced);
}

#[tokio::test]
async fn a_cleaned_up_source_is_known_by_its_id() {
    // A replica as the source of another: it has checkpoints, so its commits can go.
    let mut first = small_source().await;
    let (source, target) = (Table::new("source"), Table::new("target"));
    sync_equal(&first, &source, &spec()).await;
    sync_equal(&source, &target, &spec()).await;
    for n in 1..=10 {
        first.commit(&[add(&format!("c{n}"))]).await;
        sync_equal(&first, &source, &spec()).await;
    }
    for version in 0..=9 {
        source.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects().len(), 10);
    // Its own markers were not carried.
    let txns = target.snapshot().await.txns;
    assert!(txns.keys().all(|app| !app.contains("source-id")), "{txns:?}");
}

#[tokio::test]
async fn versions_that_cannot_be_meant_are_refused() {
    let (mut source, target) = synced().await;
    source.commit(&[add("c1")]).await;
    source.commit(&[add("d1")]).await;
    let at = |version| CloneSpec { source_point: SourcePoint::Version(version), ..spec() };
    sync(&source, &target, &at(1)).await.unwrap();
    assert_eq!(reason(&source, &target, &at(0)).await, Reason::InvalidArgument);
    assert_eq!(reason(&source, &target, &at(9)).await, Reason::InvalidArgument);
    assert!(matches!(sync(&source, &target, &at(1)).await, Ok(Did::UpToDate)));
    sync_equal(&source, &target, &spec()).await;
}

#[tokio::test]
async fn properties_are_set_and_those_that_activate_features_are_refused() {
    let source = small_source().await;
    let target = Table::new("target");
    let with = |key: &str, value: &str| CloneSpec {
        properties: [(key.to_owned(), value.to_owned())].into(),
        ..spec()
    };
    for (key, value) in [
        ("delta.enableDeletionVectors", "true"),
        ("delta.appendOnly", "true"),
        ("delta.checkpointPolicy", "v2"),
        ("delta.constraints.c", "id > 0"),
        ("delta.columnMapping.mode", "none"),
        ("delta.universalFormat.enabledFormats", "iceberg"),
        ("delta.inCommitTimestampEnablementVersion", "1"),
    ] {
        let refused = sync(&source, &target, &with(key, value)).await;
        assert_eq!(refused.unwrap_err(), Reason::InvalidArgument, "{key}");
    }
    // Spark could not read a table any more that keeps such a value.
    for (key, value) in [
        ("delta.checkpointInterval", "ten"),
        ("delta.deletedFileRetentionDuration", "9"),
        ("delta.enableExpiredLogCleanup", "yes"),
        ("delta.dataSkippingNumIndexedCols", "-2"),
    ] {
        let refused = sync(&source, &target, &with(key, value)).await;
        assert_eq!(refused.unwrap_err(), Reason::InvalidArgument, "{key}");
    }
    let mine = with("delta.logRetentionDuration", "interval 9 days");
    sync_equal(&source, &target, &mine).await;
    assert!(matches!(sync(&source, &target, &mine).await, Ok(Did::UpToDate)));
    let configuration = target.snapshot().await.metadata.configuration;
    assert_eq!(configuration["delta.logRetentionDuration"], "interval 9 days");
    // Without it the property goes again.
    sync_equal(&source, &target, &spec()).await;
    assert!(target.snapshot().await.metadata.configuration.is_empty());
}

#[tokio::test]
async fn damage_in_the_source_is_named() {
    let cases = [vec![
        features(&["deletionVectors"], &["deletionVectors"]),
        metadata("source-id", json!({})),
        add("a1"),
        add_with("a1", json!({"deletionVector": vector(1)})),
    ]];
    for actions in cases {
        let mut source = Table::new("source");
        source.commit(&actions).await;
        let target = Table::new("target");
        let error = sync(&source, &target, &spec()).await.unwrap_err();
        assert_eq!(error, Reason::DamagedLog);
    }
}

#[tokio::test]
async fn a_file_overwritten_in_place_is_a_conflict() {
    let (mut source, target) = synced().await;
    source.commit(&[add_with("a1", json!({"size": 99}))]).await;
    assert_eq!(reason(&source, &target, &spec()).await, Reason::TargetConflict);
}

#[tokio::test]
async fn a_commit_that_two_tables_have_in_common_does_not_make_them_one() {
    let (mut source, target) = synced().await;
    let mut other = Table::new("other");
    other.commit(&[protocol(1, 2), metadata("other-id", json!({})), add("z1")]).await;
    for table in [&mut source, &mut other] {
        table.commit(&[info("OPTIMIZE")]).await;
    }
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(reason(&other, &target, &spec()).await, Reason::SourceReplaced);
    other.commit(&[add("z2")]).await;
    assert_eq!(reason(&other, &target, &spec()).await, Reason::SourceReplaced);
    // The commit that told its id is cleaned up.
    other.checkpoint(1, &[protocol(1, 2), metadata("other-id", json!({})), add("z1")]).await;
    other.delete("_delta_log/00000000000000000000.json").await;
    assert_eq!(reason(&other, &target, &spec()).await, Reason::SourceReplaced);
    assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
}

#[tokio::test]
async fn a_source_that_goes_on_while_it_is_listed_is_read_again() {
    let store = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(store.clone(), "source");
    let table = [protocol(1, 2), metadata("source-id", json!({})), add("a0")];
    source.commit(&table).await;
    source.commit(&[add("a1")]).await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;

    // Another sync brought the replica to a version that the listing does not show yet.
    let lacks = vec!["00000000000000000001".to_owned()];
    *store.earlier.lock().unwrap() = Some(Earlier { lacks, ..Earlier::default() });
    assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));

    // The commits that the listing shows are cleaned before they are read.
    let gone = source.store.store.list(Some(&source.path("_delta_log")));
    let gone: Vec<_> = gone.try_collect().await.unwrap();
    source.commit(&[add("a2")]).await;
    source.checkpoint(2, &[&table[..], &[add("a1"), add("a2")]].concat()).await;
    for version in [0, 1] {
        source.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    let lacks = vec!["00000000000000000002".to_owned()];
    *store.earlier.lock().unwrap() = Some(Earlier { lacks, gone, ..Earlier::default() });
    sync_equal(&source, &target, &spec()).await;
}
