//! After the commit: when a checkpoint is written, and what an unknown outcome of it means.

use std::sync::Arc;

use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_delta::changes::SyncPlan;
use deepclone_delta::publish::{Committed, FinishReport, PublishResult, finish, publish};
use deepclone_delta::sync::{self, Planned, Within};
use object_store::memory::InMemory;
use serde_json::json;
use uuid::Uuid;

use crate::faults::{Fault, Watched};
use crate::support::*;

const CHECKPOINT: &str = "_delta_log/00000000000000000001.checkpoint.parquet";
const HINT: &str = "_delta_log/_last_checkpoint";

#[tokio::test]
async fn a_checkpoint_whose_outcome_is_unknown_is_looked_at() {
    for (fault, there, exists) in [
        (Fault::AppliedButExists, None, true),
        (Fault::AppliedButPrecondition, None, true),
        (Fault::AbsentButExists, None, false),
        // Another writer's, of another length.
        (Fault::AbsentButExists, Some(b"PAR1"), false),
    ] {
        let mut source = Table::new("source");
        let each = metadata("source-id", json!({"delta.checkpointInterval": "1"}));
        source.commit(&[protocol(1, 2), each, add("a1")]).await;
        let watched = Watched::new(Arc::new(InMemory::new()));
        let target = Table::on(watched.clone(), "target");
        sync_equal(&source, &target, &spec()).await;
        source.commit(&[add("b1")]).await;
        let SyncPlan::Change(change_set) = plan(&source, &target, &spec()).await.unwrap() else {
            unreachable!()
        };
        copy(&source, &target, &change_set).await;
        let published = publish(&target.store, &change_set, tick()).await.unwrap();
        assert_eq!(published.version(), Some(1));
        if let Some(bytes) = there {
            target.put(CHECKPOINT, bytes.to_vec()).await;
        }
        watched.faults.lock().unwrap().push(fault);
        let committed = Committed::read(&target.store, 1).await.unwrap();
        let finished = finish(&target.store, &committed, None).await;
        match exists {
            true => assert!(finished.unwrap().checkpoint, "{fault:?}"),
            false => {
                let failure = finished.unwrap_err().failure();
                assert_eq!(failure.reason, Reason::StorageUnavailable, "{fault:?}");
            }
        }
        assert_eq!(target.get(HINT).await.is_some(), exists, "{fault:?}");
        assert_equal(&source, &target).await;
    }
}

/// Readers need not parse a large commit again.
#[tokio::test]
async fn a_commit_of_many_actions_gets_its_checkpoint_at_once() {
    for (actions, is_large) in [(50_000, false), (50_001, true)] {
        let (source, target) = (small_source().await, Table::new("target"));
        sync_equal(&source, &target, &spec()).await;
        let commit = target.read(0).await;
        let more =
            "\n{\"txn\":{\"appId\":\"x\",\"version\":1}}".repeat(actions - commit.actions.len());
        let text = String::from_utf8(commit.bytes.to_vec()).unwrap();
        target.raw_commit(0, &format!("{}{more}", text.trim_end())).await;
        let committed = Committed::read(&target.store, 0).await.unwrap();
        let finished = finish(&target.store, &committed, None).await.unwrap();
        assert_eq!(finished.checkpoint, is_large, "{actions}");
        assert_eq!(target.get(HINT).await.is_some(), is_large, "{actions}");
    }
}

/// The first checkpoint is written from what the sync holds; it is what reading the commit gives.
#[tokio::test]
async fn a_large_first_commit_is_not_read_back_for_its_checkpoint() {
    let mut source = Table::new("source");
    let mut first = vec![protocol(1, 2), metadata("source-id", json!({}))];
    first.push(json!({"txn": {"appId": "stream", "version": 3, "lastUpdated": 4}}));
    let tagged = json!({"tags": {"t": null}, "stats": "{\"numRecords\":1}"});
    first.extend((0..50_000).map(|n| add_with(&format!("a{n}"), tagged.clone())));
    let lines: Vec<String> = first.iter().map(|action| action.to_string()).collect();
    source.raw_commit(0, &lines.join("\n")).await;
    source.commit(&[info("WRITE")]).await;
    let checkpoints = async |is_at_hand: bool| {
        let watched = Watched::new(Arc::new(InMemory::new()));
        let target = Table::on(watched.clone(), "target");
        let SyncPlan::Change(change_set) = plan_once(&source, &target, &spec()).await.unwrap()
        else {
            unreachable!()
        };
        let published = publish(&target.store, &change_set, NOW_MS).await.unwrap();
        assert_eq!(published.version(), Some(0));
        let committed = Committed::read(&target.store, 0).await.unwrap();
        watched.take();
        let known = is_at_hand.then_some(&*change_set);
        assert!(finish(&target.store, &committed, known).await.unwrap().checkpoint);
        let read = watched.take().iter().any(|request| request.ends_with("00000.json"));
        assert_eq!(read, !is_at_hand);
        let snapshot = target.snapshot().await;
        assert!(snapshot.checkpoint.is_some());
        let txns: Vec<_> = snapshot.txns.values().map(|txn| txn.version).collect();
        (files(&snapshot), txns, snapshot.metadata.configuration)
    };
    let (at_hand, read_back) = (checkpoints(true).await, checkpoints(false).await);
    assert_eq!(at_hand.0.len(), 50_000);
    assert_eq!(at_hand, read_back);
}

#[tokio::test]
async fn the_work_of_a_sync_tells_what_the_coordinator_needs() {
    let both = ["deletionVectors"];
    let (mut source, mut target) = (Table::new("source"), Table::new("target"));
    target.store.uri = "file:///target".into();
    let each = metadata("source-id", json!({"delta.checkpointInterval": "3"}));
    source.commit(&[features(&both, &both), each, add("a1")]).await;
    sync_equal(&source, &target, &spec()).await;
    target.commit(&[info("VACUUM START")]).await;
    target.commit(&[info("VACUUM END")]).await;
    source.raw_commit(1, "{}").await;
    source.commit(&[add("A1"), add_with("c1", json!({"deletionVector": vector(1)}))]).await;
    let job = JobId(Uuid::new_v4());
    let planned =
        sync::plan(&source.store, &target.store, &Within::default(), &spec(), job).await.unwrap();
    let Planned::Work(work) = planned else { panic!("{planned:?}") };
    let keys: Vec<&str> = work.objects().iter().map(|object| object.target_path).collect();
    assert_eq!(keys, [VECTOR_OBJECT, "p=A/A1.parquet", "p=c/c1.parquet"]);
    assert_eq!((work.source_version(), work.replica_version()), (2, Some(2)));
    assert_eq!(work.replica_commit_ms(), Some(target.snapshot().await.commit_ms));
    assert_eq!((work.retention_ms(), work.lineage()), (7 * 24 * 3_600_000, "source-id"));
    assert_eq!(work.metrics().num_copied_files, 2);
    assert_eq!((work.notices().len(), work.near_names().len()), (1, 1));
    assert!(work.near_names()[0].by_case && work.notices()[0].contains("no action"));

    let sync::Work::Clone(change_set) = &work;
    copy(&source, &target, change_set).await;
    let failure = sync::check(&target.store, &work).await.unwrap_err().failure();
    assert_eq!(failure.reason, Reason::DamagedLog, "its bytes are no vector");
    let published = sync::publish(&target.store, &work, tick()).await.unwrap();
    assert_eq!(published.version(), Some(3));
    let PublishResult::Published(committed) = published else { panic!("{published:?}") };
    let report = sync::finish(&target.store, &committed, Some(&work)).await.unwrap();
    assert_eq!(report, FinishReport { checkpoint: true });
    let planned =
        sync::plan(&source.store, &target.store, &Within::default(), &spec(), job).await.unwrap();
    assert!(matches!(planned, Planned::Published(found) if found.replica_version == 3));
}

#[tokio::test]
async fn a_new_replica_in_the_folder_of_a_table_is_refused_by_the_plan() {
    let store = Arc::new(InMemory::new());
    let (source, mut outer) = (small_source().await, Table::on(store.clone(), "lake"));
    outer.commit(&[protocol(1, 2), metadata("outer-id", json!({}))]).await;
    let (target, job) = (Table::on(store, "lake/t"), JobId(Uuid::new_v4()));
    let above = [outer.store];
    let within = Within { above: &above, ..Within::default() };
    let refused = sync::plan(&source.store, &target.store, &within, &spec(), job).await;
    assert_eq!(refused.unwrap_err().failure().reason, Reason::TargetUnsuitable);
    assert!(
        sync::plan(&source.store, &target.store, &Within::default(), &spec(), job).await.is_ok()
    );
}
