//! The conformance suite of every [`Store`], and what is the file's own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::connections::Resolved;
use deepclone_core::copy_plan::CopyRequests;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{
    ConnectionKey, Epoch, JobId, PlanDigest, ReplicationId, SourceKey, TargetKey, TaskFingerprint,
};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::limits::JOBS_KEPT;
use deepclone_core::machine::{End, Fact, Progress, Route};
use deepclone_core::ownership::{OwnerClaim, ReplicaOwner};
use deepclone_core::price::Traffic;
use deepclone_core::readiness::retention::SourceRetention;
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{
    ObjectReceipt, PartReceipt, Proof, ProofCounts, Receipt, SharedUpload, TaskFailureKind,
};
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef, Verification,
};
use deepclone_core::unix_time::UnixTime;
use uuid::Uuid;

use super::*;
use crate::costs::priced::Priced;

pub(super) fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn note() -> PlanNote {
    PlanNote {
        clone_metrics: BTreeMap::from([("num_copied_files".to_owned(), 3)]),
        notices: vec!["nothing lost".to_owned()],
        kept: Some(SourceRetention {
            commits: Duration::from_secs(9),
            removed_files: Duration::from_millis(7),
        }),
        requests: CopyRequests { source: 1, target: 2 },
        logs: TRAFFIC,
        sent: Some(JobSent { traffic: TRAFFIC, cost: priced() }),
    }
}

const TRAFFIC: Traffic = Traffic {
    bytes: 3,
    source_reads: 4,
    source_lists: 5,
    target_reads: 6,
    target_lists: 7,
    target_writes: 8,
};

fn priced() -> Priced {
    Priced::Known { money: "0.5 EUR".parse().unwrap(), price_table: "ours".to_owned() }
}

fn job_spec() -> JobSpec {
    let table = |uri: &str| TableRef { uri: uri.to_owned(), connection: None };
    let side = |uri: &str| Resolved {
        connection: "lake".to_owned(),
        fingerprint: [1; 32],
        root: "t".to_owned(),
        uri: uri.to_owned(),
    };
    JobSpec {
        spec: CloneSpec {
            source: table("file:///a"),
            target: table("file:///b"),
            mode: Mode::Clone,
            source_point: SourcePoint::Version(3),
            partition_filter: None,
            properties: BTreeMap::new(),
            verification: Verification::Size,
            divergence_policy: DivergencePolicy::Overwrite,
            allowed_features: vec![],
            source_replaced_policy: SourceReplacedPolicy::Reclone,
            repair: Default::default(),
            limits: JobLimits { bytes_per_second: Some(1 << 20), ..Default::default() },
        },
        source: side("file:///a"),
        target: side("file:///b"),
        claim: Some(OwnerClaim {
            owner: ReplicaOwner { name: "shop".to_owned(), id: Uuid::from_u128(7) },
            takes_over: vec!["store".to_owned()],
        }),
        origin: Some(JobOrigin {
            replication: "sales".to_owned(),
            id: Some(ReplicationId(Uuid::from_u128(8))),
            owner: "finance".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            round: Some(JobRound { number: 3, slot: Some(UnixTime(-5)) }),
        }),
        submitter: Some("airflow".to_owned()),
    }
}

pub(super) fn created(job: JobId) -> Fact {
    let key = |byte| ConnectionKey([byte; 32]);
    let route = Route { source: key(1), target: key(2) };
    Fact::Created { job, target: TargetKey([9; 32]), route, spec: encode_spec(&job_spec()) }
}

pub(super) fn entry(fact: Fact, recorded_ms: i64) -> Entry {
    let noted = matches!(fact, Fact::Planned { .. } | Fact::Ended { .. });
    Entry { fact, note: noted.then(note), recorded_ms }
}

fn progress() -> Progress {
    Progress {
        tasks_total: 1,
        tasks_done: 2,
        objects_total: 3,
        objects_done: 4,
        bytes_total: 5,
        bytes_done: 6,
        workers_used: 7,
        attempts: 8,
        objects_copied: 9,
        objects_skipped: 10,
        bytes_read: 11,
        bytes_written: 12,
        requests: 13,
        source_requests: 19,
        target_reads: 20,
        objects_copied_by_store: 18,
        proofs: ProofCounts { length: 14, earlier: 15, stored_checksum: 16, read_back: 17 },
        ..Progress::default()
    }
}

pub(super) fn ended(number: u128, end: End) -> Fact {
    Fact::Ended { job: job(number), end, progress: progress() }
}

fn limited(number: u128, concurrency: Option<u32>) -> Fact {
    let limits = JobLimits { concurrency, ..Default::default() };
    Fact::Limited { job: job(number), limits }
}

fn planned(number: u128, replica_version: Option<u64>) -> Fact {
    let digest = PlanDigest([5; 32]);
    Fact::Planned { job: job(number), digest, source_version: 3, replica_version }
}

pub(super) fn receipt() -> Receipt {
    let object = ObjectReceipt {
        size: 5,
        crc64nvme: 7,
        source_etag: "a".into(),
        target_etag: "b".into(),
        existed: true,
        proof: Proof::Earlier,
    };
    Receipt {
        objects: vec![object],
        bytes_read: 1,
        bytes_written: 2,
        requests: 3,
        source_requests: 1,
        target_reads: 1,
        elapsed_ms: 4,
        worker: "w".into(),
        objects_written_before: 1,
        objects_copied_by_store: 1,
        ..Receipt::default()
    }
}

/// What a step of a shared object records.
fn step() -> Receipt {
    let upload = SharedUpload { id: "u".into(), is_checked: true, source_etag: "s".into() };
    let (id, is_proved) = ("p".into(), true);
    let part = PartReceipt { number: 3, size: 5, crc64nvme: 7, id, is_proved };
    Receipt { objects: Vec::new(), upload: Some(upload), parts: vec![part], ..receipt() }
}

/// Every kind of fact but the end, of one job.
fn live() -> Vec<Entry> {
    let fingerprint = TaskFingerprint([4; 32]);
    let job = job(1);
    let facts = [
        created(job),
        limited(1, Some(3)),
        limited(1, None),
        planned(1, None),
        Fact::TaskDone { job, fingerprint, receipt: receipt() },
        Fact::TaskDone { job, fingerprint: TaskFingerprint([9; 32]), receipt: step() },
        Fact::TaskFailed { job, fingerprint, kind: TaskFailureKind::Throttled },
        Fact::GroupRestarted { job, fingerprints: vec![fingerprint, TaskFingerprint([9; 32])] },
        Fact::CancelRequested { job },
        planned(1, Some(0)),
        Fact::PublishIntended { job },
        Fact::Published { job, version: 4 },
    ];
    facts.into_iter().zip(10..).map(|(fact, at)| entry(fact, at)).collect()
}

/// The whole of a job that ends, with what is dropped once it has.
pub(super) fn whole(number: u128, end: End, at: i64) -> Vec<Entry> {
    let fingerprint = TaskFingerprint([4; 32]);
    let id = job(number);
    let facts = [
        created(id),
        limited(number, Some(3)),
        planned(number, None),
        Fact::TaskDone { job: id, fingerprint, receipt: receipt() },
        limited(number, Some(4)),
        planned(number, Some(7)),
        ended(number, end),
    ];
    facts.into_iter().map(|fact| entry(fact, at)).collect()
}

/// The same in short.
fn short(number: u128, end: End, at: i64) -> Vec<Entry> {
    let facts = [
        created(job(number)),
        limited(number, Some(4)),
        planned(number, Some(7)),
        ended(number, end),
    ];
    facts.into_iter().map(|fact| entry(fact, at)).collect()
}

pub(super) async fn append(store: &dyn Store, epoch: Epoch, entries: Vec<Entry>) {
    store.append(epoch, &Batch { entries, ..Batch::default() }).await.unwrap();
}

pub(super) async fn purge_all(store: &dyn Store, epoch: Epoch, now_ms: i64) {
    while store.purge(epoch, now_ms).await.unwrap() {}
}

/// A key that needs care in SQL and in JSON.
const ODD: &str = "it's \"q\" \\ ü\u{1}\u{1f5c2}";

pub(super) fn evidence(key: &str, size: u64, job: JobId, recorded_ms: i64) -> Evidence {
    Evidence {
        key: key.to_owned(),
        source: SourceKey([0xa5; 32]),
        size,
        crc64nvme: u64::MAX,
        source_etag: "\"s\"".into(),
        target_etag: "t".into(),
        existed: true,
        worker: "w".into(),
        job,
        recorded_ms,
    }
}

/// Of the rows of replications the last one of a key counts, and a dropped one is gone. Two are
/// left.
async fn conforms_in_rows(store: &dyn Store, first: Epoch) -> [RowChange; 6] {
    let row = |owner: &str, kind: &str, body: Option<&[u8]>| RowChange {
        key: RowKey { owner: owner.to_owned(), kind: kind.to_owned(), part: String::new() },
        body: body.map(<[u8]>::to_vec),
    };
    assert!(store.replication_rows().await.unwrap().is_empty());
    let changes = [
        row("b", "spec", Some(b"1")),
        row("a", "spec", Some(b"2")),
        row("b", "spec", Some(b"3")),
        row("a", "pause", Some(b"4")),
        row("a", "pause", None),
        row("c", "spec", None),
    ];
    for _ in 0..2 {
        store.change_rows(first, &changes).await.unwrap();
        let rows = store.replication_rows().await.unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (&*row.key.owner, &row.body[..])).collect();
        assert_eq!(seen, [("a", &b"2"[..]), ("b", b"3")]);
        assert_eq!(store.rows_of_kind("spec").await.unwrap(), rows);
        assert!(store.rows_of_kind("pause").await.unwrap().is_empty());
    }
    changes
}

/// The newest evidence of a key wins; keys, ages and targets are kept apart.
async fn conforms_in_evidence(store: &dyn Store, first: Epoch) {
    store.intend(job(1), 1).await.unwrap();
    store.intend(job(1), 2).await.unwrap();
    let known =
        |evidence: Evidence| KnownObject { may_be_published: evidence.job == job(1), evidence };
    let (here, there) = (TargetKey([1; 32]), TargetKey([2; 32]));
    let seen = Batch {
        entries: vec![],
        evidence: vec![
            (here, evidence("b", 1, job(1), 100)),
            (here, evidence("b", 2, job(2), 200)),
            (here, evidence("c", u64::MAX, job(1), 50)),
            (here, evidence("d", 3, job(1), 300)),
            (here, evidence(ODD, 4, job(1), 300)),
            (there, evidence("b", 9, job(1), 100)),
        ],
        usage: vec![],
    };
    store.append(first, &seen).await.unwrap();
    let found = store.evidence(here, &["a", "b", "c"], 100).await.unwrap();
    assert_eq!(found, [known(evidence("b", 2, job(2), 200))]);
    let found = store.evidence(here, &["d", ODD, "c", "it's \"q\" \\ u"], 0).await.unwrap();
    let expect = [("c", u64::MAX, 50), ("d", 3, 300), (ODD, 4, 300)];
    assert_eq!(found, expect.map(|(key, size, at)| known(evidence(key, size, job(1), at))));
    store.forget(here, &["b".to_owned(), "z".to_owned()]).await.unwrap();
    assert!(store.evidence(here, &["b"], 0).await.unwrap().is_empty());
    assert_eq!(store.evidence(there, &["b"], 0).await.unwrap().len(), 1);
}

async fn conforms(store: &dyn Store) {
    assert!(store.load(9).await.unwrap().is_empty());
    let first = store.lead(Epoch(0)).await.unwrap();

    // What is appended is loaded, in order, whole.
    append(store, first, live()).await;
    assert_eq!(store.load(9).await.unwrap(), live());

    // A batch that fails leaves nothing behind: a job is created once.
    let twice = Batch {
        entries: vec![
            Entry { fact: Fact::CancelRequested { job: job(2) }, note: None, recorded_ms: 1 },
            Entry { fact: created(job(1)), note: None, recorded_ms: 1 },
        ],
        ..Batch::default()
    };
    assert!(store.append(first, &twice).await.is_err());
    assert_eq!(store.load(9).await.unwrap(), live());

    conforms_in_evidence(store, first).await;

    let changes = conforms_in_rows(store, first).await;

    // A later epoch leads; the earlier one can write nothing more.
    let second = store.lead(Epoch(0)).await.unwrap();
    assert!(second > first);
    let far = Epoch(second.0 + 1_000);
    assert_eq!(store.lead(far).await.unwrap(), far);
    let second = store.lead(Epoch(second.0)).await.unwrap();
    assert!(second > far);
    let late = Entry { fact: Fact::CancelRequested { job: job(1) }, note: None, recorded_ms: 1 };
    let late = Batch { entries: vec![late], ..Batch::default() };
    assert!(matches!(store.append(first, &late).await, Err(StateError::Deposed)));
    assert!(matches!(store.purge(first, 1).await, Err(StateError::Deposed)));
    assert!(matches!(store.change_rows(first, &changes).await, Err(StateError::Deposed)));
    assert_eq!(store.replication_rows().await.unwrap().len(), 2);
    assert_eq!(store.load(9).await.unwrap().len(), live().len());
    store.append(second, &late).await.unwrap();
    assert_eq!(store.load(9).await.unwrap().len(), live().len() + 1);

    keeps_ended_jobs_in_short(store, second).await;
}

async fn keeps_ended_jobs_in_short(store: &dyn Store, epoch: Epoch) {
    let failure = Failure::new(Reason::ObjectVanished, "x is gone").with("key", "x");
    let succeeded = End::Succeeded { source_version: 3, replica_version: 1, up_to_date: true };
    let ends = [succeeded, End::Failed(failure), End::Cancelled];
    let numbered = || (11..).zip(ends.clone()).zip(100..);
    for ((number, end), at) in numbered() {
        assert_eq!(store.find(job(number)).await.unwrap(), None);
        append(store, epoch, whole(number, end, at)).await;
    }
    let live = store.load(0).await.unwrap();
    assert!(live.iter().all(|entry| entry.fact.job() == job(1)), "no end is loaded: {live:?}");
    purge_all(store, epoch, 200).await;
    for ((number, end), at) in numbered() {
        assert_eq!(store.find(job(number)).await.unwrap(), Some(short(number, end, at)));
    }
    assert_eq!(store.find(job(1)).await.unwrap(), None, "it has not ended");
    let newest = store.load(2).await.unwrap();
    let kept: Vec<_> = newest.into_iter().filter(|entry| entry.fact.job() != job(1)).collect();
    let expected = [short(12, ends[1].clone(), 101), short(13, ends[2].clone(), 102)].concat();
    assert_eq!(kept, expected);

    // Its id stays its own, also once its facts are gone.
    let again = Batch { entries: vec![entry(created(job(11)), 1)], ..Batch::default() };
    assert!(matches!(store.append(epoch, &again).await, Err(StateError::CreatedTwice { .. })));

    // A job that ends in the batch that makes it, and was never planned.
    append(store, epoch, vec![entry(created(job(14)), 3), entry(ended(14, End::Cancelled), 4)])
        .await;
    assert_eq!(store.find(job(14)).await.unwrap().unwrap().len(), 2);
    super::job_place::tests::lists_ended_jobs(store).await;

    // By age: what ended before the bound goes, what ended at it stays.
    let bound_ms = i64::try_from(JOBS_KEPT.as_millis()).unwrap();
    purge_all(store, epoch, bound_ms + 101).await;
    let found = |number| async move { store.find(job(number)).await.unwrap().is_some() };
    assert!(!found(11).await && found(12).await && found(13).await);
    append(store, epoch, vec![entry(created(job(11)), 5)]).await;
}

#[tokio::test]
async fn ends_of_before_there_was_a_history_are_kept_with_what_they_took() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("state.db"));
    let store = SqliteStore::open(&place).await.unwrap();
    let epoch = store.lead(Epoch(0)).await.unwrap();
    let mut entries = whole(1, End::Cancelled, 1);
    for entry in &mut entries {
        if let Fact::Ended { progress, .. } = &mut entry.fact {
            *progress = Progress::default();
        }
    }
    append(&store, epoch, entries).await;
    sqlx::query("DELETE FROM jobs").execute(store.pool()).await.unwrap();
    drop(store);

    let store = SqliteStore::open(&place).await.unwrap();
    let found = store.find(job(1)).await.unwrap().unwrap();
    let Fact::Ended { progress, .. } = &found[3].fact else { panic!("{found:?}") };
    let took = (progress.objects_copied, progress.bytes_read, progress.bytes_written);
    assert_eq!((took, progress.requests), ((1, 1, 2), 3));
    assert_eq!(progress.proofs, ProofCounts { earlier: 1, ..ProofCounts::default() });
}

#[tokio::test]
async fn readers_of_a_file_do_not_wait_for_its_writer() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&Place::File(folder.path().join("state.db"))).await.unwrap();
    let epoch = store.lead(Epoch(0)).await.unwrap();
    append(&store, epoch, whole(1, End::Cancelled, 1)).await;
    let writing = store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert!(store.find(job(1)).await.unwrap().is_some());
    assert_eq!(store.load(1).await.unwrap().len(), 4);
    assert!(store.evidence(TargetKey([1; 32]), &["a", "b"], 0).await.unwrap().is_empty());
    drop(writing);
}

#[tokio::test]
async fn a_store_of_simulations_conforms() {
    conforms(&MemoryStore::default()).await;
}

#[tokio::test]
async fn a_private_store_conforms() {
    conforms(&SqliteStore::open(&Place::Private).await.unwrap()).await;
}

#[tokio::test]
async fn a_file_conforms_and_outlives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("state.db"));
    let store = SqliteStore::open(&place).await.unwrap();
    conforms(&store).await;
    let kept = store.load(9).await.unwrap();
    drop(store);
    let store = Arc::new(SqliteStore::open(&place).await.unwrap());
    assert_eq!(store.load(9).await.unwrap(), kept);
}

#[tokio::test]
async fn a_file_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("state.db"));
    let _held = SqliteStore::open(&place).await.unwrap();
    let error = SqliteStore::open(&place).await.unwrap_err();
    assert!(matches!(error, StateError::Locked { .. }));
    let failure = error.failure();
    assert_eq!(failure.reason.row().exit, 2);
    assert!(failure.message.contains("state.db"), "{failure}");
}

#[test]
fn rows_of_before_proofs_were_recorded_say_no_more_than_the_length() {
    let id = job(1);
    // A task of one object of 5 bytes, and the end of a job that read 11.
    let rows: [(&str, &[u8]); 2] = [
        ("task_done", &[&[0x0a, 32][..], &[4; 32], &[0x12, 4, 0x0a, 2, 0x10, 5]].concat()),
        ("ended", &[0x1a, 0, 0x2a, 2, 0x58, 11]),
    ];
    let read = rows.map(|(kind, body)| encoding::decode(id, kind, body, 0).unwrap().fact);
    let [Fact::TaskDone { receipt, .. }, Fact::Ended { progress, .. }] = read else {
        panic!("{read:?}")
    };
    let [object] = &receipt.objects[..] else { panic!("{receipt:?}") };
    assert_eq!((object.size, object.proof), (5, Proof::Length));
    assert_eq!((progress.bytes_read, progress.proofs), (11, ProofCounts::default()));
}

#[test]
fn an_order_survives_and_garbage_is_named() {
    assert_eq!(decode_spec(&encode_spec(&job_spec())).unwrap(), job_spec());
    // The limits of a job are no part of what its plan depends on.
    let mut faster = job_spec();
    faster.spec.limits = JobLimits { concurrency: Some(9), ..Default::default() };
    assert_ne!(encode_spec(&faster), encode_spec(&job_spec()));
    assert_eq!(encode_options(&faster), encode_options(&job_spec()));
    faster.spec.verification = Verification::ReadBack;
    assert_ne!(encode_options(&faster), encode_options(&job_spec()));
    assert!(matches!(decode_spec(&[0xff]), Err(StateError::Damaged { .. })));
    let error = encoding::decode(job(1), "later_kind", &[], 0).unwrap_err();
    assert!(error.to_string().contains("later_kind"), "{error}");
    let error = encoding::decode(job(1), "task_done", &[], 0).unwrap_err();
    assert!(error.to_string().contains("receipt"), "{error}");
}
