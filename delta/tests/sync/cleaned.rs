//! Replicas whose log was cleaned up by another engine, commits of ours among the lost ones.

use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use deepclone_delta::actions::LogAction;
use deepclone_delta::verify::{Depth, DifferenceKind, verify};
use serde_json::{Value, json};

use crate::support::*;

/// A checkpoint of the newest version as another engine writes it, with its hint.
async fn checkpoint(table: &Table) {
    let snapshot = table.snapshot().await;
    let table_actions =
        [LogAction::Protocol(snapshot.protocol), LogAction::Metadata(snapshot.metadata)]
            .into_iter();
    let rows: Vec<Value> = table_actions
        .chain(snapshot.txns.into_values().map(LogAction::Txn))
        .chain(snapshot.domains.into_values().map(LogAction::DomainMetadata))
        .chain(snapshot.files.into_values().map(LogAction::Add))
        .map(|action| serde_json::from_str(&action.to_json()).unwrap())
        .collect();
    table.checkpoint(snapshot.version, &rows).await;
    let hint = json!({"version": snapshot.version, "size": rows.len()});
    table.put("_delta_log/_last_checkpoint", hint.to_string().into_bytes()).await;
}

async fn clean_up(table: &Table, versions: impl IntoIterator<Item = u64>) {
    for version in versions {
        table.delete(&format!("_delta_log/{version:020}.json")).await;
    }
}

async fn vacuum(table: &mut Table) {
    table.commit(&[info("VACUUM START")]).await;
    table.commit(&[info("VACUUM END")]).await;
}

fn where_p(filter: Option<&str>) -> CloneSpec {
    CloneSpec { partition_filter: filter.map(str::to_owned), ..spec() }
}

/// What the replica shall hold of the source: the files of the partitions named.
async fn assert_holds(target: &Table, names: &[&str]) {
    assert_eq!(live(target).await, names);
}

#[tokio::test]
async fn a_replica_that_was_vacuumed_and_cleaned_up_goes_on() {
    for filter in [None, Some("p = 'a'"), Some("p in ('a', 'x')")] {
        for gone in [0..1, 0..2, 0..3] {
            for has_hint in [true, false] {
                let (mut source, mut target) = (small_source().await, Table::new("target"));
                let spec = where_p(filter);
                sync(&source, &target, &spec).await.unwrap();
                vacuum(&mut target).await;
                checkpoint(&target).await;
                clean_up(&target, gone.clone()).await;
                if !has_hint {
                    target.delete("_deepclone/replica.json").await;
                }
                source.commit(&[add("a2"), add("c1")]).await;
                let did = sync(&source, &target, &spec).await.unwrap();
                let Did::Published { version, change_set, .. } = &did else {
                    panic!("{filter:?} {gone:?}: {did:?}");
                };
                assert_eq!(*version, 3, "{filter:?} {gone:?}");
                let joins = ["p=a/a2.parquet", "p=c/c1.parquet"];
                assert_eq!(did.objects(), joins[..if filter.is_none() { 2 } else { 1 }]);
                let told = change_set.notices.iter().any(|notice| notice.contains("cleaned up"));
                assert_eq!(told, gone.end > 1, "{gone:?}: {:?}", change_set.notices);
                match filter {
                    None => assert_holds(&target, &["a1", "a2", "b1", "c1"]).await,
                    Some(_) => assert_holds(&target, &["a1", "a2"]).await,
                }
                assert!(matches!(sync(&source, &target, &spec).await, Ok(Did::UpToDate)));
            }
        }
    }
}

#[tokio::test]
async fn verify_keeps_to_the_part_that_was_synced() {
    for gone in [0..1, 0..2, 0..3] {
        let (source, mut target) = (small_source().await, Table::new("target"));
        sync(&source, &target, &where_p(Some("p = 'a'"))).await.unwrap();
        vacuum(&mut target).await;
        checkpoint(&target).await;
        clean_up(&target, gone.clone()).await;
        let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
        assert_eq!((report.differences, report.files), (vec![], 1), "{gone:?}");
        // The files decide for it as well.
        target.commit(&[info("WRITE"), add("x1")]).await;
        checkpoint(&target).await;
        clean_up(&target, 3..4).await;
        let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
        let kinds: Vec<_> = report.differences.iter().map(|found| found.kind).collect();
        assert_eq!(kinds, [DifferenceKind::FileUnexpected], "{gone:?}");
        // Which part was synced is unknown: an error, not a guess.
        target.delete("_deepclone/replica.json").await;
        let failure =
            verify(&source.store, &target.store, Depth::Sizes).await.unwrap_err().failure();
        assert_eq!(failure.reason, Reason::TargetDiverged);
        assert!(failure.message.contains("--where"), "{failure}");
    }
}

#[tokio::test]
async fn other_files_behind_a_clean_up_are_somebody_elses() {
    type Foreign = fn() -> Vec<Value>;
    let cases: [(Foreign, &[&str]); 4] = [
        (|| vec![info("WRITE"), add("x1")], &["a1", "b1", "x1"]),
        (|| vec![info("DELETE"), remove("a1")], &["b1"]),
        (|| vec![info("OPTIMIZE"), remove("a1"), add("a9")], &["a9", "b1"]),
        (
            || vec![remove("a1"), add_with("a1", json!({"deletionVector": vector(1)}))],
            &["a1", "b1"],
        ),
    ];
    for (foreign, held) in cases {
        let mut source = Table::new("source");
        let protocol = features(&["deletionVectors"], &["deletionVectors"]);
        source.commit(&[protocol, metadata("source-id", json!({})), add("a1"), add("b1")]).await;
        let mut target = Table::new("target");
        sync_equal(&source, &target, &spec()).await;
        target.commit(&foreign()).await;
        checkpoint(&target).await;
        clean_up(&target, 0..2).await;
        assert_holds(&target, held).await;
        source.commit(&[add("c1")]).await;
        let refused = failure(&source, &target, &spec()).await;
        assert_eq!(refused.reason, Reason::TargetDiverged);
        assert!(refused.message.contains("cleaned up"), "{refused}");
        sync_equal(&source, &target, &overwrite()).await;
    }
}

/// Without the source's state at the last sync nothing proves that the files are ours.
#[tokio::test]
async fn a_source_that_was_cleaned_up_too_leaves_it_undecided() {
    let (mut source, mut target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    vacuum(&mut target).await;
    checkpoint(&target).await;
    clean_up(&target, 0..3).await;
    source.commit(&[add("c1")]).await;
    checkpoint(&source).await;
    clean_up(&source, 0..1).await;
    assert_eq!(failure(&source, &target, &spec()).await.reason, Reason::TargetDiverged);
    sync_equal(&source, &target, &overwrite()).await;
}

/// Another scope, another filter: the replica becomes what is asked for now.
#[tokio::test]
async fn another_part_can_be_asked_for_after_a_clean_up() {
    let (source, mut target) = (small_source().await, Table::new("target"));
    sync(&source, &target, &where_p(Some("p = 'a'"))).await.unwrap();
    vacuum(&mut target).await;
    checkpoint(&target).await;
    clean_up(&target, 0..3).await;
    sync_equal(&source, &target, &spec()).await;
    assert_holds(&target, &["a1", "b1"]).await;
}
