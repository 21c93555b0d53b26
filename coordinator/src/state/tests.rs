//! The conformance suite of every [`Store`], and what is the file's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{
    ConnectionKey, JobId, PlanDigest, SourceKey, TargetKey, TaskFingerprint,
};
use deepclone_core::machine::{End, Fact, Route};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{ObjectReceipt, Receipt, TaskFailureKind};
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef, Verification,
};
use uuid::Uuid;

use super::*;

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn note() -> PlanNote {
    PlanNote {
        clone_metrics: BTreeMap::from([("num_copied_files".to_owned(), 3)]),
        notices: vec!["nothing lost".to_owned()],
    }
}

fn order() -> JobSpec {
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
        },
        source: side("file:///a"),
        target: side("file:///b"),
    }
}

fn created(job: JobId) -> Fact {
    let key = |byte| ConnectionKey([byte; 32]);
    let route = Route { source: key(1), target: key(2) };
    Fact::Created { job, target: TargetKey([9; 32]), route, spec: encode_spec(&order()) }
}

/// Every kind of fact, with every end.
fn entries() -> Vec<Entry> {
    let object = ObjectReceipt {
        size: 5,
        crc64nvme: 7,
        source_etag: "a".into(),
        target_etag: "b".into(),
        existed: true,
    };
    let receipt = Receipt {
        objects: vec![object],
        bytes_read: 1,
        bytes_written: 2,
        requests: 3,
        elapsed_ms: 4,
        worker: "w".into(),
    };
    let fingerprint = TaskFingerprint([4; 32]);
    let planned = |replica_version| Fact::Planned {
        job: job(1),
        digest: PlanDigest([5; 32]),
        source_version: 3,
        replica_version,
    };
    let failure = Failure::new(Reason::ObjectVanished, "x is gone").with("key", "x");
    let succeeded = End::Succeeded { source_version: 3, replica_version: 1, up_to_date: true };
    let ended = |end| Fact::Ended { job: job(1), end };
    let plain = [
        created(job(1)),
        Fact::TaskDone { job: job(1), fingerprint, receipt },
        Fact::TaskFailed { job: job(1), fingerprint, kind: TaskFailureKind::Throttled },
        Fact::CancelRequested { job: job(1) },
        Fact::PublishIntended { job: job(1) },
        Fact::Published { job: job(1), version: 4 },
        ended(End::Failed(failure)),
        ended(End::Cancelled),
    ];
    let noted = [planned(None), planned(Some(0)), ended(succeeded)];
    let plain = plain.into_iter().map(|fact| (fact, None));
    plain
        .chain(noted.into_iter().map(|fact| (fact, Some(note()))))
        .zip(10..)
        .map(|((fact, note), recorded_ms)| Entry { fact, note, recorded_ms })
        .collect()
}

fn evidence(key: &str, size: u64, job: JobId, recorded_ms: i64) -> Evidence {
    Evidence {
        key: key.to_owned(),
        source: SourceKey([7; 32]),
        size,
        crc64nvme: u64::MAX,
        source_etag: "s".into(),
        target_etag: "t".into(),
        existed: true,
        worker: "w".into(),
        job,
        recorded_ms,
    }
}

async fn conforms(store: &dyn Store) {
    assert!(store.load().await.unwrap().is_empty());
    let first = store.lead().await.unwrap();

    // What is appended is loaded, in order, whole.
    let batch = Batch { entries: entries(), evidence: vec![] };
    store.append(first, &batch).await.unwrap();
    assert_eq!(store.load().await.unwrap(), entries());

    // A batch that fails leaves nothing behind: a job is created once.
    let twice = Batch {
        entries: vec![
            Entry { fact: Fact::CancelRequested { job: job(2) }, note: None, recorded_ms: 1 },
            Entry { fact: created(job(1)), note: None, recorded_ms: 1 },
        ],
        evidence: vec![],
    };
    assert!(store.append(first, &twice).await.is_err());
    assert_eq!(store.load().await.unwrap(), entries());

    // The newest evidence of a key wins; keys, ages and targets are kept apart.
    for now_ms in [1, 2] {
        store.intend(job(1), now_ms).await.unwrap();
    }
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
            (there, evidence("b", 9, job(1), 100)),
        ],
    };
    store.append(first, &seen).await.unwrap();
    let found = store.evidence(here, &["a", "b", "c"], 100).await.unwrap();
    assert_eq!(found, [known(evidence("b", 2, job(2), 200))]);
    let found = store.evidence(here, &["d", "c", "it's \"q\" \\ ü"], 0).await.unwrap();
    let expect = [evidence("c", u64::MAX, job(1), 50), evidence("d", 3, job(1), 300)];
    assert_eq!(found, expect.map(known));
    store.forget(here, &["b".to_owned(), "z".to_owned()]).await.unwrap();
    assert!(store.evidence(here, &["b"], 0).await.unwrap().is_empty());
    assert_eq!(store.evidence(there, &["b"], 0).await.unwrap().len(), 1);

    // A later term leads; the earlier one can write nothing more.
    let second = store.lead().await.unwrap();
    assert!(second > first);
    let late = Entry { fact: Fact::CancelRequested { job: job(1) }, note: None, recorded_ms: 1 };
    let late = Batch { entries: vec![late], evidence: vec![] };
    assert!(matches!(store.append(first, &late).await, Err(StoreError::Deposed)));
    assert_eq!(store.load().await.unwrap().len(), entries().len());
    store.append(second, &late).await.unwrap();
    assert_eq!(store.load().await.unwrap().len(), entries().len() + 1);
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
    let kept = store.load().await.unwrap();
    drop(store);
    let store = Arc::new(SqliteStore::open(&place).await.unwrap());
    assert_eq!(store.load().await.unwrap(), kept);
}

#[tokio::test]
async fn a_file_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("state.db"));
    let _held = SqliteStore::open(&place).await.unwrap();
    let error = SqliteStore::open(&place).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }));
    let failure = error.failure();
    assert_eq!(failure.reason.row().exit, 2);
    assert!(failure.message.contains("state.db"), "{failure}");
}

#[test]
fn an_order_survives_and_garbage_is_named() {
    assert_eq!(decode_spec(&encode_spec(&order())).unwrap(), order());
    assert!(matches!(decode_spec(&[0xff]), Err(StoreError::Damaged { .. })));
    let error = encoding::decode(job(1), "later_kind", &[], 0).unwrap_err();
    assert!(error.to_string().contains("later_kind"), "{error}");
    let error = encoding::decode(job(1), "task_done", &[], 0).unwrap_err();
    assert!(error.to_string().contains("receipt"), "{error}");
}
