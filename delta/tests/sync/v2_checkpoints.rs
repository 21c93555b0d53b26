//! Replicas whose checkpoints have the V2 form: through many syncs, as the source of another
//! replica, when a sync dies between the files of a checkpoint, and under what looks at a replica.

use std::collections::BTreeSet;
use std::sync::Arc;

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_core::spec::SourcePoint;
use deepclone_delta::changes::SyncPlan;
use deepclone_delta::deletion::prove;
use deepclone_delta::describe::describe;
use deepclone_delta::history::history;
use deepclone_delta::publish::{Committed, FinishReport, finish, publish};
use deepclone_delta::snapshot;
use deepclone_delta::sync::{self, Planned, Within};
use deepclone_delta::verify::{Depth, verify};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::faults::{Fault, Watched};
use crate::incremental::{Draw, Model};
use crate::support::*;

const HINT: &str = "_delta_log/_last_checkpoint";
/// Syncs of a history.
const SYNCS: u64 = 24;
/// Versions from one checkpoint to the next.
const INTERVAL: u64 = 4;

/// The first commit of a source that asks for V2 checkpoints.
pub(crate) fn first(interval: u64) -> [Value; 2] {
    let both = ["deletionVectors", "v2Checkpoint"];
    let configuration = json!({"delta.checkpointInterval": interval.to_string(),
        "delta.checkpointPolicy": "v2"});
    [features(&both, &both), metadata("source-id", configuration)]
}

/// The names of the files in the log's folder.
pub(crate) async fn log_of(table: &TableStore) -> BTreeSet<String> {
    let listed = table.store.list(Some(&table.root)).try_collect::<Vec<_>>().await.unwrap();
    let prefix = format!("{}/_delta_log/", table.root);
    let names = listed.iter().filter_map(|meta| meta.location.as_ref().strip_prefix(&prefix));
    names.map(str::to_owned).collect()
}

/// The files that begin checkpoints of the V2 form.
async fn tops(table: &Table) -> Vec<String> {
    let log = log_of(&table.store).await.into_iter();
    log.filter(|name| name.contains(".checkpoint.") && name.ends_with(".json")).collect()
}

async fn sidecars(table: &Table) -> usize {
    log_of(&table.store).await.iter().filter(|name| name.starts_with("_sidecars/")).count()
}

/// Which objects of a plan's tables are read.
async fn read_by_a_plan(watched: &Watched, source: &Table, target: &Table) -> Vec<String> {
    watched.take();
    plan_once(source, target, &spec()).await.unwrap();
    let all = watched.take().into_iter();
    all.filter_map(|request| request.strip_prefix("GET ").map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_replica_goes_on_over_its_v2_checkpoints_by_the_newer_commits() {
    let mut draw = Draw(11);
    let watched = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(watched.clone(), "source");
    let (middle, target) = (Table::on(watched.clone(), "middle"), Table::new("target"));
    let mut model = Model::default();
    source.commit(&[&first(INTERVAL)[..], &[add("a0"), add("b0")]].concat()).await;
    model.live.extend([("a0".to_owned(), None), ("b0".to_owned(), None)]);
    // Each sync is planned both ways.
    sync_equal(&source, &middle, &spec()).await;
    sync_equal(&middle, &target, &spec()).await;
    let mut versions_with = BTreeSet::new();
    for version in 1..=SYNCS {
        let mut actions = model.commit(&mut draw, version);
        actions.retain(|action| action.get("metaData").is_none());
        source.commit(&actions).await;
        // Only what is new is read, of the source, and of the replica behind its checkpoint; the
        // synced commit shows that it is the same.
        let read = read_by_a_plan(&watched, &source, &middle).await;
        let oldest = ["source", "middle"].map(|table| format!("{table}/_delta_log/{:020}.json", 0));
        let has_checkpoint = version > INTERVAL;
        assert_eq!(read.contains(&oldest[0]), version == 1, "{version}: {read:?}");
        assert_eq!(read.contains(&oldest[1]), !has_checkpoint, "{version}: {read:?}");
        sync_equal(&source, &middle, &spec()).await;
        // The replica of the replica lags, and counts the files of a V2 checkpoint of its source.
        if version % 3 == 0 {
            let read = read_by_a_plan(&watched, &middle, &target).await;
            assert_eq!(read.contains(&oldest[1]), version == 3, "{version}: {read:?}");
            sync_equal(&middle, &target, &spec()).await;
        }
        if version.is_multiple_of(INTERVAL) {
            versions_with.insert(format!("{version:020}"));
        }
    }
    let tops = tops(&middle).await;
    let found: BTreeSet<_> = tops.iter().map(|name| name[..20].to_owned()).collect();
    assert_eq!(found, versions_with);
    assert_eq!((tops.len(), sidecars(&middle).await), (found.len(), found.len()));
    let log = log_of(&middle.store).await;
    assert!(!log.iter().any(|name| name.ends_with(".checkpoint.parquet")), "{log:?}");
    let hint: Value = serde_json::from_slice(&middle.get(HINT).await.unwrap()).unwrap();
    assert_eq!(hint["version"], SYNCS);
    assert_eq!(hint["v2Checkpoint"]["path"], tops.last().unwrap().as_str());
    // The checkpoint says all that the commits said.
    let before = middle.snapshot().await;
    for version in 0..SYNCS {
        middle.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    let after = middle.snapshot().await;
    assert_eq!(files(&after), files(&before));
    assert!(after.checkpoint.unwrap().ends_with(tops.last().unwrap()));
    assert_equal(&source, &middle).await;
    // A first plan of such a source, also both ways.
    sync_equal(&middle, &Table::new("other"), &spec()).await;
    source.commit(&[add("z1")]).await;
    sync_equal(&source, &middle, &spec()).await;
    sync_equal(&middle, &target, &spec()).await;
}

/// Plans and publishes a sync, without what follows.
async fn published(source: &Table, target: &Table) -> (Committed, SyncPlan) {
    let plan = plan(source, target, &spec()).await.unwrap();
    let SyncPlan::Change(change_set) = &plan else { panic!("{plan:?}") };
    copy(source, target, change_set).await;
    let published = publish(&target.store, change_set, tick()).await.unwrap();
    let version = published.version().unwrap();
    (Committed::read(&target.store, version).await.unwrap(), plan)
}

/// The store refuses one of the files: a sidecar, or the one that names it.
#[tokio::test]
async fn no_reader_sees_a_checkpoint_that_is_not_whole() {
    use Fault::{AbsentButExists as Absent, AppliedButExists as Applied};
    // The last one is the first that happens.
    for (faults, has_sidecar, has_top) in [
        (vec![Absent], false, false),
        (vec![Absent, Applied], true, false),
        (vec![Applied, Applied], true, true),
    ] {
        let mut source = Table::new("source");
        source.commit(&[&first(1)[..], &[add("a1")]].concat()).await;
        let watched = Watched::new(Arc::new(InMemory::new()));
        let target = Table::on(watched.clone(), "target");
        sync_equal(&source, &target, &spec()).await;
        source.commit(&[add("b1"), remove("a1")]).await;
        let (committed, _) = published(&source, &target).await;
        watched.faults.lock().unwrap().extend(&faults);
        let finished = finish(&target.store, &committed, None).await;
        match has_top {
            true => assert_eq!(finished.unwrap(), FinishReport { checkpoint: true }),
            false => {
                let failure = finished.unwrap_err().failure();
                assert_eq!(failure.reason, Reason::StorageUnavailable, "{faults:?}");
            }
        }
        let counts = (sidecars(&target).await, tops(&target).await.len());
        assert_eq!(counts, (usize::from(has_sidecar), usize::from(has_top)), "{faults:?}");
        assert_eq!(target.get(HINT).await.is_some(), has_top, "{faults:?}");
        assert_equal(&source, &target).await;
        assert_valid(&target).await;
        // What is finished again writes the same files, and leaves nothing behind.
        let again = finish(&target.store, &committed, None).await.unwrap();
        assert_eq!(again, FinishReport { checkpoint: !has_top });
        assert_eq!((sidecars(&target).await, tops(&target).await.len()), (1, 1), "{faults:?}");
        assert_equal(&source, &target).await;
        source.commit(&[add("c1")]).await;
        sync_equal(&source, &target, &spec()).await;
    }
}

/// A checkpoint whose sidecar another engine wrote anew, or that is gone.
#[tokio::test]
async fn a_plan_falls_back_on_the_whole_replica_where_a_sidecar_is_not_ours() {
    for is_there in [true, false] {
        let (mut source, target) = (Table::new("source"), Table::new("target"));
        source.commit(&[&first(1)[..], &[add("a1")]].concat()).await;
        sync_equal(&source, &target, &spec()).await;
        source.commit(&[add("b1"), remove("a1")]).await;
        sync_equal(&source, &target, &spec()).await;
        let log = log_of(&target.store).await;
        let name = log.iter().find(|name| name.starts_with("_sidecars/")).unwrap();
        let key = format!("_delta_log/{name}");
        match is_there {
            true => {
                let rows = crate::beside_the_log::rows_of(&target, &key).await;
                crate::beside_the_log::put_checkpoint(&target, &key, &rows, 1).await;
            }
            false => target.delete(&key).await,
        }
        source.commit(&[add("c1"), add("a1"), remove("b1")]).await;
        let did = sync_equal(&source, &target, &spec()).await;
        assert_eq!(did.objects(), ["p=a/a1.parquet", "p=c/c1.parquet"], "{is_there}");
    }
}

#[tokio::test]
async fn a_first_version_of_many_files_gets_its_v2_checkpoint_at_once() {
    let mut source = Table::new("source");
    let lines = first(10).into_iter().chain((0..50_001).map(|n| add(&format!("a{n}"))));
    let lines: Vec<String> = lines.map(|action| action.to_string()).collect();
    source.raw_commit(0, &lines.join("\n")).await;
    source.commit(&[info("WRITE")]).await;
    let target = Table::new("target");
    let job = JobId(Uuid::new_v4());
    let plan = sync::plan(&source.store, &target.store, &Within::default(), &spec(), job).await;
    let Planned::Work(work) = plan.unwrap() else { panic!("it publishes") };
    let published = sync::publish(&target.store, &work, tick()).await.unwrap();
    assert_eq!(published.version(), Some(0));
    let committed = Committed::read(&target.store, 0).await.unwrap();
    // From the commit that is at hand, and from the log: the sidecars have the same bytes.
    for known in [Some(&work), None] {
        let report = sync::finish(&target.store, &committed, known).await.unwrap();
        assert!(report.checkpoint);
        target.delete(HINT).await;
    }
    assert_eq!(sidecars(&target).await, 1);
    target.delete(&format!("_delta_log/{:020}.json", 0)).await;
    assert_equal(&source, &target).await;
}

#[tokio::test]
async fn what_looks_at_a_replica_reads_its_v2_checkpoint() {
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    source.commit(&[&first(2)[..], &[add("a1"), add("b1")]].concat()).await;
    sync_equal(&source, &target, &spec()).await;
    for name in ["c1", "d1", "e1"] {
        source.commit(&[add(name)]).await;
        sync_equal(&source, &target, &spec()).await;
    }
    source.commit(&[remove("a1")]).await;
    sync_equal(&source, &target, &spec()).await;
    for version in 0..=2 {
        target.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
    assert_eq!((report.differences, report.files), (vec![], 4));
    let described = describe(&target.store).await.unwrap();
    assert_eq!((described.version, described.files, described.source_version), (4, 4, 4));
    assert_eq!(history(&target.store).await.unwrap().len(), 2);
    let at_3 = snapshot::read(&target.store, &SourcePoint::Version(3)).await.unwrap();
    assert_eq!(at_3.files.len(), 5);
    let deleted_ms = source.snapshot().await.commit_ms;
    let proof = prove(&target.store, None, deleted_ms, &[], NOW_MS).await.unwrap();
    assert_eq!(
        (&*proof.removed.keys, proof.arrived.unwrap().record.version),
        (&["p=a/a1.parquet".to_owned()][..], 4)
    );
    // Without its sidecar it keeps readers out, and verify says so.
    let log = log_of(&target.store).await;
    let newest = log.iter().rfind(|name| name.starts_with("_sidecars/")).unwrap();
    for name in log.iter().filter(|name| name.starts_with("_sidecars/")) {
        target.delete(&format!("_delta_log/{name}")).await;
    }
    let failure = verify(&source.store, &target.store, Depth::Sizes).await.unwrap_err().failure();
    assert_eq!(failure.reason, Reason::DamagedLog, "{newest}");
}
