//! Tests the round trip of every conversion, and every refusal.

use std::collections::BTreeMap;
use std::time::Duration;

use deepclone_core::evidence::{Prior, PriorCopy};
use deepclone_core::failure::Failure;
use deepclone_core::group::PartRange;
use deepclone_core::ids::{Attempt, Epoch, GrantKey, JobId, TaskFingerprint};
use deepclone_core::job_limits::{JobLimits, JobShare};
use deepclone_core::machine::{HeldTask, TaskOutcome};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{
    AttemptCounts, ObjectReceipt, PartReceipt, Proof, Receipt, SharedUpload, TaskFailure,
    TaskFailureKind,
};
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef, Verification,
};
use deepclone_core::task::{Grant, ObjectCopy, TaskSide, TaskSpec, TaskWork};
use prost::Message as _;
use uuid::Uuid;

use super::outcome::{
    kind_from_wire, kind_to_wire, outcome_from_wire, outcome_to_wire, proof_from_wire,
    proof_to_wire,
};
use super::task::{told_from_wire, told_to_wire};
use super::time::{timestamp_from_wire, timestamp_to_wire};
use super::{WireError, fixed_bytes};
use crate::v1;

fn spec() -> CloneSpec {
    CloneSpec {
        source: TableRef { uri: "s3://a/t".into(), connection: Some("prod".into()) },
        target: TableRef { uri: "az://b/t".into(), connection: None },
        mode: Mode::Clone,
        source_point: SourcePoint::Version(7),
        partition_filter: Some("day > '2026-01-01'".into()),
        properties: BTreeMap::from([("a".into(), "b".into())]),
        verification: Verification::ReadBack,
        divergence_policy: DivergencePolicy::Overwrite,
        allowed_features: vec!["newFeature".into()],
        source_replaced_policy: SourceReplacedPolicy::Reclone,
        repair: Default::default(),
        limits: JobLimits { bytes_per_second: Some(1 << 20), concurrency: Some(9), held: true },
    }
}

fn grant_key() -> GrantKey {
    GrantKey {
        job: JobId(Uuid::from_u128(7)),
        fingerprint: TaskFingerprint([3; 32]),
        attempt: Attempt(2),
        epoch: Epoch(4),
    }
}

fn grant() -> Grant {
    let side = |name: &str, byte| TaskSide {
        connection: name.to_owned(),
        fingerprint: [byte; 32],
        root: "lake/t".to_owned(),
    };
    let copy = PriorCopy {
        crc64nvme: u64::MAX,
        source_etag: "s".into(),
        target_etag: "t".into(),
        replaceable: true,
    };
    Grant {
        key: grant_key(),
        ttl: Duration::from_millis(30_500),
        share: JobShare { bytes_per_second: Some(5), concurrency: Some(6) },
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap()),
        spec: TaskSpec {
            source: side("a", 1),
            target: side("b", 2),
            verification: Verification::Digest,
            work: TaskWork::Objects(
                [Prior::Absent, Prior::Unproven, Prior::Copied(copy)].map(object).into(),
            ),
        },
    }
}

fn object(prior: Prior) -> ObjectCopy {
    ObjectCopy {
        source_path: "p=1/x y.parquet".into(),
        target_path: "p=1/x y.parquet".into(),
        size: 9,
        size_is_minimum: true,
        prior,
    }
}

fn upload() -> SharedUpload {
    SharedUpload { id: "u".into(), is_checked: true, source_etag: "s".into() }
}

fn part(number: u32) -> PartReceipt {
    PartReceipt { number, size: 4, crc64nvme: u64::MAX, id: "p".into(), is_proved: true }
}

/// A grant for each step of a shared object.
fn steps() -> [Grant; 3] {
    let parts = PartRange { object_bytes: 9, part_bytes: 4, first: 1, end: 3 };
    let object = || object(Prior::Unproven);
    [
        TaskWork::Open(object()),
        TaskWork::Parts { object: object(), upload: upload(), parts },
        TaskWork::Finish { object: object(), upload: upload(), parts: vec![part(0), part(1)] },
    ]
    .map(|work| Grant { spec: TaskSpec { work, ..grant().spec }, ..grant() })
}

#[test]
fn specs_survive_the_wire() {
    let newest = CloneSpec { source_point: SourcePoint::Newest, partition_filter: None, ..spec() };
    let at_time = CloneSpec { source_point: SourcePoint::Timestamp(-1), ..spec() };
    let sized = CloneSpec { verification: Verification::Size, ..spec() };
    for spec in [spec(), newest, at_time, sized] {
        assert_eq!(CloneSpec::try_from(v1::CloneSpec::from(&spec)), Ok(spec));
    }
}

#[test]
fn what_a_client_leaves_out_is_the_command_lines_default() {
    let table = |uri: &str| Some(v1::TableRef { uri: uri.into(), connection: String::new() });
    let wire = v1::CloneSpec { source: table("s3://a"), target: table("s3://b"), ..<_>::default() };
    let spec = CloneSpec::try_from(wire).unwrap();
    assert_eq!(spec.mode, Mode::Clone);
    assert_eq!(spec.source_point, SourcePoint::Newest);
    assert_eq!(spec.verification, Verification::Digest);
    assert_eq!(spec.divergence_policy, DivergencePolicy::Fail);
    assert_eq!(spec.source_replaced_policy, SourceReplacedPolicy::Fail);
    assert_eq!(spec.partition_filter, None);
}

#[test]
fn what_a_client_cannot_mean_is_refused_by_field() {
    let wire = || v1::CloneSpec::from(&spec());
    let limits = |bytes_per_second, concurrency| v1::CloneSpec {
        limits: Some(v1::JobLimits { bytes_per_second, concurrency, held: None }),
        ..wire()
    };
    let (rate, copies) = ("spec.limits.bytes_per_second", "spec.limits.concurrency");
    let cases: [(v1::CloneSpec, Reason, &str); 13] = [
        (limits(Some(131_071), None), Reason::InvalidArgument, rate),
        (limits(Some(-1), Some(1)), Reason::InvalidArgument, rate),
        (limits(None, Some(0)), Reason::InvalidArgument, copies),
        (limits(Some(131_072), Some(-1)), Reason::InvalidArgument, copies),
        (v1::CloneSpec { source: None, ..wire() }, Reason::InvalidArgument, "spec.source"),
        (
            v1::CloneSpec { target: Some(<_>::default()), ..wire() },
            Reason::InvalidArgument,
            "spec.target",
        ),
        (v1::CloneSpec { mode: 2, ..wire() }, Reason::Unimplemented, "spec.mode"),
        (v1::CloneSpec { mode: 9, ..wire() }, Reason::InvalidArgument, "spec.mode"),
        (v1::CloneSpec { verification: 9, ..wire() }, Reason::InvalidArgument, "spec.verification"),
        (
            v1::CloneSpec { divergence_policy: 9, ..wire() },
            Reason::InvalidArgument,
            "spec.divergence_policy",
        ),
        (
            v1::CloneSpec { source_replaced_policy: 9, ..wire() },
            Reason::InvalidArgument,
            "spec.source_replaced_policy",
        ),
        (
            v1::CloneSpec {
                source_point: Some(v1::clone_spec::SourcePoint::Version(-1)),
                ..wire()
            },
            Reason::InvalidArgument,
            "spec.version",
        ),
        (
            v1::CloneSpec {
                source_point: Some(v1::clone_spec::SourcePoint::Timestamp(
                    prost_types::Timestamp { seconds: i64::MAX, nanos: 0 },
                )),
                ..wire()
            },
            Reason::InvalidArgument,
            "spec.timestamp",
        ),
    ];
    for (wire, reason, field) in cases {
        let failure = Failure::from(CloneSpec::try_from(wire).unwrap_err());
        assert_eq!(failure.reason, reason, "{failure}");
        assert_eq!(failure.details["field"], field);
        assert!(failure.message.contains(field), "{failure}");
    }
}

#[test]
fn leases_survive_the_wire() {
    assert_eq!(Grant::try_from(v1::Grant::from(&grant())), Ok(grant()));
    for step in steps() {
        assert_eq!(Grant::try_from(v1::Grant::from(&step)), Ok(step));
    }
    let held = HeldTask { key: grant_key(), bytes_done: 5, bytes_read: 7 };
    assert_eq!(HeldTask::try_from(v1::HeldTask::from(&held)), Ok(held));
}

#[test]
fn limits_and_shares_survive_the_wire_and_absent_means_any_number() {
    for (bytes_per_second, concurrency) in [(None, None), (Some(131_072), None), (None, Some(1))] {
        let limits = JobLimits { bytes_per_second, concurrency, held: false };
        let wire = v1::CloneSpec::from(&CloneSpec { limits, ..spec() });
        assert_eq!(wire.limits.is_some(), !limits.is_none());
        assert_eq!(CloneSpec::try_from(wire).unwrap().limits, limits);
        let told = (JobId(Uuid::from_u128(7)), JobShare { bytes_per_second, concurrency });
        assert_eq!(told_from_wire(told_to_wire(told)), Ok(told));
        let grant = Grant { share: told.1, ..grant() };
        assert_eq!(Grant::try_from(v1::Grant::from(&grant)), Ok(grant));
    }
    for unreadable in ["", "00-ff"] {
        let untraced = v1::Grant { traceparent: unreadable.to_owned(), ..(&grant()).into() };
        assert_eq!(Grant::try_from(untraced), Ok(Grant { trace: None, ..grant() }));
    }
    let older = v1::Grant { share: None, ..(&grant()).into() };
    assert_eq!(Grant::try_from(older).unwrap().share, JobShare::ALL);
    for (told, field) in [
        (v1::ToldShare { job_id: vec![0; 16], share: None }, "shares.share"),
        (v1::ToldShare { job_id: vec![0; 15], share: None }, "shares.job_id"),
    ] {
        let error = told_from_wire(told).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn a_lease_has_no_default_for_a_missing_field() {
    type Break = fn(&mut v1::Grant);
    let cases: [(Break, &str); 8] = [
        (|grant| grant.task = None, "task"),
        (|grant| grant.ttl = None, "ttl"),
        (|grant| grant.spec = None, "spec"),
        (|grant| grant.task.as_mut().unwrap().attempt = 0, "attempt"),
        (|grant| grant.spec.as_mut().unwrap().work = None, "work"),
        (|grant| grant.spec.as_mut().unwrap().verification = 0, "verification"),
        (|grant| grant.spec.as_mut().unwrap().source_connection.clear(), "source_connection"),
        (
            |grant| {
                grant.spec.as_mut().unwrap().work =
                    Some(v1::task_spec::Work::Batch(v1::ObjectBatch { objects: vec![] }))
            },
            "batch.objects",
        ),
    ];
    for (break_it, field) in cases {
        let mut wire = v1::Grant::from(&grant());
        break_it(&mut wire);
        assert_eq!(Grant::try_from(wire), Err(WireError::Missing { field }));
    }
    let mut wire = v1::Grant::from(&grant());
    wire.spec.as_mut().unwrap().target_fingerprint.pop();
    let error = Grant::try_from(wire).unwrap_err();
    assert!(error.to_string().contains("target_fingerprint"), "{error}");
}

/// How a message is broken, and the field at fault then.
type Broken<T> = (fn(&mut T), &'static str);

/// The field at fault of a step's grant whose work is broken.
fn field_at_fault(step: usize, break_it: impl FnOnce(&mut v1::task_spec::Work)) -> String {
    let mut wire = v1::Grant::from(&steps()[step]);
    break_it(wire.spec.as_mut().unwrap().work.as_mut().unwrap());
    Failure::from(Grant::try_from(wire).unwrap_err()).details["field"].clone()
}

#[test]
fn a_step_has_no_default_for_a_missing_field() {
    use v1::task_spec::Work::{Finish, Open, Parts};
    let open = field_at_fault(0, |work| *work = Open(v1::UploadOpening { object: None }));
    assert_eq!(open, "open.object");
    let of_parts: [Broken<v1::UploadParts>; 3] = [
        (|parts| parts.object = None, "parts.object"),
        (|parts| parts.upload = None, "parts.upload"),
        (|parts| parts.end_part = 4, "parts"),
    ];
    for (break_it, field) in of_parts {
        let found = field_at_fault(1, |work| match work {
            Parts(parts) => break_it(parts),
            other => panic!("{other:?}"),
        });
        assert_eq!(found, field);
    }
    let of_finish: [Broken<v1::UploadCompletion>; 3] = [
        (|finish| finish.object = None, "finish.object"),
        (|finish| finish.upload = None, "finish.upload"),
        (|finish| finish.parts.clear(), "finish.parts"),
    ];
    for (break_it, field) in of_finish {
        let found = field_at_fault(2, |work| match work {
            Finish(finish) => break_it(finish),
            other => panic!("{other:?}"),
        });
        assert_eq!(found, field);
    }
}

#[test]
fn outcomes_survive_the_wire() {
    let object = ObjectReceipt {
        size: 1,
        crc64nvme: u64::MAX,
        source_etag: "a".into(),
        target_etag: "b".into(),
        existed: true,
        proof: Proof::Earlier,
    };
    let receipt = Receipt {
        objects: vec![object],
        bytes_read: 2,
        bytes_written: 3,
        requests: 4,
        source_requests: 3,
        target_reads: 1,
        elapsed_ms: 5,
        worker: "w".into(),
        objects_written_before: 1,
        objects_copied_by_store: 1,
        upload: Some(upload()),
        parts: vec![part(0), part(7)],
    };
    let failure = TaskFailure {
        index: Some(0),
        kind: TaskFailureKind::TargetConflict,
        message: "other bytes".into(),
        spent: AttemptCounts {
            bytes_read: 1,
            bytes_written: 2,
            requests: 3,
            source_requests: 4,
            target_reads: 5,
        },
    };
    let whole = TaskFailure { index: None, ..failure.clone() };
    for outcome in
        [TaskOutcome::Done(receipt), TaskOutcome::Failed(failure), TaskOutcome::Failed(whole)]
    {
        let wire = outcome_to_wire(&grant_key(), &outcome);
        assert_eq!(outcome_from_wire(wire), Ok((grant_key(), outcome)));
    }
    let empty = v1::TaskOutcome { task: Some((&grant_key()).into()), outcome: None };
    assert_eq!(outcome_from_wire(empty), Err(WireError::Missing { field: "outcome" }));
}

#[test]
fn every_kind_of_failure_survives_and_no_other_enters() {
    for number in 1..=10 {
        let kind = kind_from_wire(number).unwrap();
        assert_eq!(i32::from(kind_to_wire(kind)), number);
    }
    assert_eq!(kind_from_wire(0), Err(WireError::Missing { field: "kind" }));
    assert!(kind_from_wire(11).is_err());
}

#[test]
fn every_proof_survives_and_a_receipt_without_one_is_refused() {
    for number in 1..=4 {
        let proof = proof_from_wire(number).unwrap();
        assert_eq!(i32::from(proof_to_wire(proof)), number);
    }
    let with = |proof| v1::Receipt {
        objects: vec![v1::ObjectReceipt { proof, ..Default::default() }],
        ..Default::default()
    };
    assert_eq!(Receipt::try_from(with(0)), Err(WireError::Missing { field: "proof" }));
    let error = Receipt::try_from(with(5)).unwrap_err();
    assert!(error.to_string().contains("proof"), "{error}");
}

#[test]
fn failures_survive_the_wire() {
    let failure = Failure::new(Reason::ObjectVanished, "x is gone").with("key", "x");
    let wire = v1::Failure::from(&failure);
    assert_eq!((wire.code, wire.reason.as_str()), (9, "OBJECT_VANISHED"));
    assert_eq!(Failure::try_from(wire), Ok(failure));
    let unknown = v1::Failure { reason: "NEW".into(), ..<_>::default() };
    assert!(Failure::try_from(unknown).is_err());
}

#[test]
fn times_before_1970_keep_their_milliseconds() {
    for time_ms in [-1_500, -1, 0, 1_999, 1_700_000_000_123] {
        assert_eq!(timestamp_from_wire(timestamp_to_wire(time_ms), "t"), Ok(time_ms));
    }
}

#[test]
fn fixed_bytes_names_both_lengths() {
    let error = fixed_bytes::<16>(&[1, 2], "incarnation").unwrap_err();
    assert_eq!(error.to_string(), "the field incarnation is not valid: 2 bytes, not 16");
}

#[test]
fn version_0_is_said_and_not_left_out() {
    let progress = v1::Progress { source_version: Some(0), ..Default::default() };
    assert_eq!(progress.encode_to_vec(), [1 << 3, 0]);
    let (source_version, target_version) = (Some(0), Some(0));
    let result = v1::Result { source_version, target_version, ..Default::default() };
    assert_eq!(result.encode_to_vec(), [1 << 3, 0, 2 << 3, 0]);
    let plan = v1::PlanCloneResponse { target_version: Some(0), ..Default::default() };
    assert_eq!(plan.encode_to_vec(), [9 << 3, 0]);
}
