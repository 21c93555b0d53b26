//! Vacuums of replicas: what goes, what stays readable, and who is beside them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deepclone_common::clock::Clock;
use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, SourcePoint};
use deepclone_delta::history::history;
use deepclone_delta::ledger::{LedgerEntry, LedgerWriter};
use deepclone_delta::snapshot;
use deepclone_delta::vacuum::{DeletedKind, VacuumOptions, VacuumReport, vacuum, wait_for_batch};
use object_store::local::LocalFileSystem;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;
use uuid::Uuid;

use crate::faults::Watched;
use crate::support::*;

pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A replica on a disk, whose files have the times of their syncs.
pub(crate) struct Aged {
    folder: TempDir,
    pub(crate) table: Table,
    pub(crate) watched: Arc<Watched>,
}

impl Aged {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let watched = Watched::new(Arc::new(disk));
        Self { table: Table::on(watched.clone(), "target"), watched, folder }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join("target").join(key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.path(key).exists()
    }

    /// Sets when a file was written.
    pub(crate) fn written_at(&self, key: &str, at_ms: i64) {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(at_ms.try_into().unwrap());
        let file = std::fs::File::options().write(true).open(self.path(key)).unwrap();
        file.set_modified(at).unwrap();
    }

    /// Puts an object that was written at a time.
    pub(crate) async fn put_at(&self, key: &str, at_ms: i64) {
        self.table.object(key, 10).await;
        self.written_at(key, at_ms);
    }

    /// A sync whose commit and objects were written at the time that its commit says; gives that.
    pub(crate) async fn sync(&self, source: &Table, spec: &CloneSpec) -> i64 {
        let did = sync_equal(source, &self.table, spec).await;
        let Did::Published { version, objects, .. } = did else { panic!("{did:?}") };
        let at_ms = history(&self.table.store).await.unwrap()[0].timestamp_ms;
        self.written_at(&format!("_delta_log/{version:020}.json"), at_ms);
        for key in objects {
            self.written_at(&key, at_ms);
        }
        at_ms
    }
}

pub(crate) fn at(now_ms: i64) -> Clock {
    Clock::Simulated { start_ms: now_ms, started: Instant::now() }
}

pub(crate) async fn run(table: &TableStore, now_ms: i64) -> VacuumReport {
    vacuum(table, &VacuumOptions::default(), &at(now_ms), &|_, _| ()).await.unwrap()
}

async fn refused(table: &TableStore, options: &VacuumOptions, now_ms: i64) -> Reason {
    let report = vacuum(table, options, &at(now_ms), &|_, _| ()).await;
    report.unwrap_err().failure().reason
}

pub(crate) fn keys(report: &VacuumReport) -> Vec<&str> {
    report.objects.iter().map(|object| object.key.as_str()).collect()
}

/// Every object of a version is there.
async fn assert_readable(aged: &Aged, version: u64) {
    let state = snapshot::read(&aged.table.store, &SourcePoint::Version(version)).await.unwrap();
    for (key, add) in &state.files {
        assert!(aged.has(&key.path), "version {version} lost {}", key.path);
        if let Some(vector) = &add.deletion_vector {
            let uri = &aged.table.store.uri;
            let key = deepclone_delta::dv::object_path(uri, vector).unwrap().unwrap();
            assert!(aged.has(&key), "version {version} lost {key}");
        }
    }
}

/// Four versions, each of which replaces a file; gives their times.
async fn four_versions(aged: &Aged, source: &mut Table) -> Vec<i64> {
    let mut times = Vec::new();
    source.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("a1"), add("b1")]).await;
    times.push(aged.sync(source, &spec()).await);
    for (new, old) in [("c1", "a1"), ("d1", "b1"), ("e1", "c1")] {
        source.commit(&[add(new), remove(old)]).await;
        times.push(aged.sync(source, &spec()).await);
    }
    times
}

#[tokio::test]
async fn every_version_within_the_retention_stays_readable() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let times = four_versions(&aged, &mut source).await;
    let of = |name: &str| format!("p={}/{name}.parquet", &name[..1]);
    // One millisecond before it ends, the first version is still within the retention.
    let report = run(&aged.table.store, times[1] + 7 * DAY - 1).await;
    assert_eq!((keys(&report), report.oldest_kept), (vec![], 0));
    let dry = VacuumOptions { dry_run: true, ..VacuumOptions::default() };
    let now_ms = times[1] + 7 * DAY;
    let report = vacuum(&aged.table.store, &dry, &at(now_ms), &|_, _| ()).await.unwrap();
    assert_eq!((keys(&report), report.oldest_kept), (vec![&*of("a1")], 1));
    assert!(aged.has(&of("a1")), "a dry run deletes nothing");

    let report = run(&aged.table.store, now_ms).await;
    assert_eq!((keys(&report), report.objects[0].kind), (vec![&*of("a1")], DeletedKind::DataFile));
    assert!(!aged.has(&of("a1")) && !aged.has("_deepclone/vacuum.json"));
    for version in 1..=3 {
        assert_readable(&aged, version).await;
    }
    // The log is as it was, and the next sync goes on.
    assert_eq!(aged.table.head().await, 3);
    let report = run(&aged.table.store, times[3] + 7 * DAY).await;
    assert_eq!(keys(&report), [of("b1"), of("c1")]);
    assert_readable(&aged, 3).await;
    source.commit(&[add("f1")]).await;
    aged.sync(&source, &spec()).await;
}

#[tokio::test]
async fn a_version_is_kept_by_its_commits_where_tombstones_lack_their_times() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let times = four_versions(&aged, &mut source).await;
    // Another writer's tombstone without a time.
    let commit = json!({"remove": {"path": "p=d/d1.parquet", "dataChange": true}});
    aged.table.raw_commit(4, &commit.to_string()).await;
    aged.written_at("_delta_log/00000000000000000004.json", times[3] + DAY);
    let report = run(&aged.table.store, times[3] + 7 * DAY).await;
    assert_eq!(report.oldest_kept, 3);
    assert!(aged.has("p=d/d1.parquet"));
    assert_readable(&aged, 3).await;
    // Past that, nothing says when it was removed: it goes as one that no commit names.
    let report = run(&aged.table.store, times[3] + 9 * DAY).await;
    assert_eq!(keys(&report), ["p=d/d1.parquet"]);
}

#[tokio::test]
async fn vectors_go_with_the_last_file_that_needs_their_object() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let list = ["deletionVectors"];
    let with = |offset| json!({"deletionVector": vector(offset)});
    source
        .commit(&[
            features(&list, &list),
            metadata("source-id", json!({})),
            add_with("f1", with(1)),
            add_with("g1", with(45)),
            add("h1"),
        ])
        .await;
    aged.sync(&source, &spec()).await;
    // A file that gets a vector stays, as a file.
    source.commit(&[remove_with("f1", with(1)), remove("h1"), add_with("h1", with(2))]).await;
    let first = aged.sync(&source, &spec()).await;
    let report = run(&aged.table.store, first + 8 * DAY).await;
    assert_eq!(keys(&report), ["p=f/f1.parquet"]);
    source.commit(&[remove_with("g1", with(45)), remove_with("h1", with(2)), add("i1")]).await;
    let second = aged.sync(&source, &spec()).await;
    assert_eq!(keys(&run(&aged.table.store, second + 7 * DAY - 1).await), [""; 0]);
    assert_readable(&aged, 1).await;
    let report = run(&aged.table.store, second + 8 * DAY).await;
    assert_eq!(keys(&report), [VECTOR_OBJECT, "p=g/g1.parquet", "p=h/h1.parquet"]);
    assert_eq!(report.objects[0].kind, DeletedKind::DeletionVector);
}

#[tokio::test]
async fn of_all_else_only_what_no_sync_can_need_goes() {
    use DeletedKind::{ChangeData, Ledger, Temporary, Unreferenced};
    let (aged, source) = (Aged::new(), small_source().await);
    let now_ms = aged.sync(&source, &spec()).await + DAY;
    let ledger = async |job: u128, key: &str, seen_ms: i64, age_ms: i64| {
        let job = JobId(Uuid::from_u128(job));
        let mut writer = LedgerWriter::new(&aged.table.store, job);
        let (source_etag, worker) = (String::new(), String::new());
        let key = key.to_owned();
        let entry = LedgerEntry { key, size: 1, crc64nvme: 1, source_etag, worker, seen_ms };
        writer.append([entry]).await.unwrap();
        writer.finish().await.unwrap();
        let file = format!("_deepclone/ledger/{job}/0000.parquet");
        aged.written_at(&file, now_ms - age_ms);
        file
    };
    let live = keys_of(&aged).await;
    let superseded = ledger(1, &live[0], 1, 9 * DAY).await;
    let useful = ledger(2, &live[0], 2, 8 * DAY).await;
    let of_gone = ledger(3, "gone.parquet", 3, 8 * DAY).await;
    let young = ledger(4, "gone.parquet", 4, DAY).await;
    let cases = [
        (superseded.as_str(), 9 * DAY, Some(Ledger)),
        (&useful, 8 * DAY, None),
        (&of_gone, 8 * DAY, Some(Ledger)),
        (&young, DAY, None),
        ("p=a/left.parquet", 7 * DAY, Some(Unreferenced)),
        ("p=a/young.parquet", 7 * DAY - 1, None),
        ("_change_data/old.parquet", 8 * DAY, Some(ChangeData)),
        ("_change_data/young.parquet", 6 * DAY, None),
        ("_deepclone/tmp/left", 8 * DAY, Some(Temporary)),
        ("_deepclone/tmp/young", DAY, None),
        ("_deepclone/doctor-1/x", 8 * DAY, Some(Temporary)),
        ("_deepclone/later.json", 90 * DAY, None),
        ("_delta_log/later", 90 * DAY, None),
        ("_other/x", 90 * DAY, None),
        ("p=a/.x.parquet", 90 * DAY, None),
        ("below/_delta_log/00000000000000000000.json", 90 * DAY, None),
        ("below/x.parquet", 90 * DAY, None),
        ("below2/x.parquet", 90 * DAY, Some(Unreferenced)),
    ];
    for (key, age_ms, _) in cases {
        if !key.contains("ledger") {
            aged.put_at(key, now_ms - age_ms).await;
        }
    }
    let report = run(&aged.table.store, now_ms).await;
    for (key, _, expect) in cases {
        let found = report.objects.iter().find(|object| object.key == key);
        assert_eq!(found.map(|object| object.kind), expect, "{key}");
        assert_eq!(aged.has(key), expect.is_none(), "{key}");
    }
    let gone = cases.iter().filter(|(_, _, expect)| expect.is_some()).count();
    assert_eq!(report.objects.len(), gone, "{report:?}");
    for key in live {
        assert!(aged.has(&key), "{key}");
    }
}

async fn keys_of(aged: &Aged) -> Vec<String> {
    aged.table.snapshot().await.files.into_keys().map(|key| key.path).collect()
}

#[tokio::test]
async fn what_is_not_ours_or_not_known_is_refused() {
    let options = VacuumOptions::default();
    let theirs = small_source().await;
    assert_eq!(refused(&theirs.store, &options, NOW_MS).await, Reason::TargetNotOurs);
    let nothing = Table::new("target");
    assert_eq!(refused(&nothing.store, &options, NOW_MS).await, Reason::NotADeltaTable);

    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let list = ["deletionVectors", "vacuumProtocolCheck"];
    source.commit(&[features(&list, &list), metadata("source-id", json!({})), add("a1")]).await;
    let now_ms = aged.sync(&source, &spec()).await + 8 * DAY;
    aged.put_at("left.parquet", now_ms - 8 * DAY).await;
    let short = VacuumOptions { retain: Some(Duration::from_secs(1)), ..options.clone() };
    assert_eq!(refused(&aged.table.store, &short, now_ms).await, Reason::InvalidArgument);
    // Another writer adds a feature that may bring a kind of file which we do not know.
    let list = ["deletionVectors", "vacuumProtocolCheck", "newKindOfFile"];
    aged.table.raw_commit(1, &features(&list, &list).to_string()).await;
    assert_eq!(refused(&aged.table.store, &options, now_ms).await, Reason::UnsupportedFeature);
    assert!(aged.has("left.parquet"));
    let allowed_features = vec!["newKindOfFile".to_owned()];
    let allowed = VacuumOptions { allowed_features, ..options };
    let report = vacuum(&aged.table.store, &allowed, &at(now_ms), &|_, _| ()).await.unwrap();
    assert_eq!(keys(&report), ["left.parquet"]);
}

#[tokio::test]
async fn a_deletion_that_is_refused_names_its_key_and_loses_nothing() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let times = four_versions(&aged, &mut source).await;
    let now_ms = times[3] + 8 * DAY;
    aged.watched.denied.lock().unwrap().push("target/p=b/b1.parquet".to_owned());
    let options = VacuumOptions::default();
    let report = vacuum(&aged.table.store, &options, &at(now_ms), &|_, _| ()).await;
    let failure = report.unwrap_err().failure();
    assert_eq!(failure.reason, Reason::PermissionDenied);
    assert!(failure.message.contains("deleting s3://target/target/p=b/b1.parquet"), "{failure}");
    assert_readable(&aged, 3).await;
    aged.watched.denied.lock().unwrap().clear();
    let report = run(&aged.table.store, now_ms).await;
    assert!(keys(&report).contains(&"p=b/b1.parquet"), "{report:?}");
}

#[tokio::test]
async fn what_a_sync_or_another_writer_names_at_the_last_moment_stays() {
    let (aged, source) = (Aged::new(), small_source().await);
    sync_equal(&source, &aged.table, &spec()).await;
    let clock = Clock::System;
    let old_ms = clock.now_ms() - 8 * DAY;
    for key in ["p=x/found.parquet", "p=x/restored.parquet", "p=x/left.parquet"] {
        aged.put_at(key, old_ms).await;
    }
    // A sync that has found the first one is about to commit; somebody restores the second.
    let scratch = Table::new("target");
    let job = JobId(Uuid::from_u128(7));
    let mut ledger = LedgerWriter::new(&scratch.store, job);
    let (source_etag, worker, key) = (String::new(), String::new(), "p=x/found.parquet".to_owned());
    let entry = LedgerEntry { key, size: 10, crc64nvme: 1, source_etag, worker, seen_ms: 1 };
    ledger.append([entry]).await.unwrap();
    ledger.finish().await.unwrap();
    let ledger = format!("_deepclone/ledger/{job}/0000.parquet");
    let bytes = scratch.get(&ledger).await.unwrap();
    let restored = add_with("restored", json!({"path": "p=x/restored.parquet"})).to_string();
    let commit = aged.table.path("_delta_log/00000000000000000001.json");
    let puts = vec![(aged.table.path(&ledger), bytes), (commit, restored.into_bytes())];
    *aged.watched.before.lock().unwrap() = Some(("vacuum.json".to_owned(), puts));
    let options = VacuumOptions::default();
    let report = vacuum(&aged.table.store, &options, &clock, &|_, _| ()).await.unwrap();
    assert_eq!((keys(&report), report.version), (vec!["p=x/left.parquet"], 1));
    assert!(aged.has("p=x/found.parquet") && aged.has("p=x/restored.parquet"));
    // The sync ended without a commit: a day later its ledger protects nothing any more.
    let report = run(&aged.table.store, clock.now_ms() + 25 * HOUR).await;
    assert_eq!(keys(&report), ["p=x/found.parquet"]);
}

#[tokio::test(start_paused = true)]
async fn a_sync_waits_for_the_batch_that_runs_and_for_no_other() {
    let target = Table::new("target");
    let clock = at(NOW_MS);
    let notice = |batch: u64, time: i64| {
        let id = Uuid::from_u128(1);
        json!({"id": id, "batch": batch, "time": time}).to_string().into_bytes()
    };
    let waited = async || {
        let begun = Instant::now();
        wait_for_batch(&target.store, &clock).await.unwrap();
        begun.elapsed()
    };
    assert_eq!(waited().await, Duration::ZERO);
    target.put("_deepclone/vacuum.json", b"{".to_vec()).await;
    assert_eq!(waited().await, Duration::ZERO);
    // A vacuum that was killed is not waited for.
    target.put("_deepclone/vacuum.json", notice(1, NOW_MS - 600_000)).await;
    assert_eq!(waited().await, Duration::ZERO);
    target.put("_deepclone/vacuum.json", notice(1, clock.now_ms())).await;
    let next = async {
        tokio::time::sleep(Duration::from_millis(9_500)).await;
        target.put("_deepclone/vacuum.json", notice(2, clock.now_ms())).await;
    };
    let (waited_for, ()) = tokio::join!(waited(), next);
    assert_eq!(waited_for, Duration::from_secs(10));
    // Nobody ends this one.
    assert!((500..=601).contains(&waited().await.as_secs()));
}

#[tokio::test]
async fn two_vacuums_do_not_run_at_once() {
    let (aged, mut source) = (Aged::new(), Table::new("source"));
    let times = four_versions(&aged, &mut source).await;
    let now_ms = times[3] + 8 * DAY;
    let notice = json!({"id": Uuid::nil(), "batch": 1, "time": now_ms - 60_000});
    aged.table.put("_deepclone/vacuum.json", notice.to_string().into_bytes()).await;
    let options = VacuumOptions::default();
    assert_eq!(refused(&aged.table.store, &options, now_ms).await, Reason::TargetBusy);
    let report = run(&aged.table.store, now_ms + 600_000).await;
    assert_eq!(report.objects.len(), 3, "{report:?}");
}
