//! What ends when, of one sync, also over a restart.

use std::sync::Arc;

use deepclone_common::connections::Resolved;
use deepclone_common::telemetry::span::{EndedSpan, SpanValue};
use deepclone_core::failure::Failure;
use deepclone_core::ids::{Attempt, Epoch, GrantKey, JobId, PlanDigest, TaskFingerprint};
use deepclone_core::limits::{SPAN_EVENTS_MAX, SPANS_OPEN_PER_JOB_MAX};
use deepclone_core::machine::{End, Fact, JobState, Progress};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{AttemptCounts, Receipt, TaskFailure, TaskFailureKind};
use deepclone_core::spec::CloneSpec;
use deepclone_core::trace::{SpanId, TraceId};
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::v1;
use uuid::Uuid;

use super::sync_trace::SyncTrace;
use crate::state::{JobOrigin, JobRound, JobSpec};

const JOB: JobId = JobId(Uuid::from_u128(7));
const TASK: TaskFingerprint = TaskFingerprint([1; 32]);
const OTHER: TaskFingerprint = TaskFingerprint([2; 32]);

fn job_spec() -> Arc<JobSpec> {
    let table = |uri: &str| Some(v1::TableRef { uri: uri.to_owned(), ..Default::default() });
    let (source, target) = ("s3://lake/sales/orders", "az://dr/sales/orders");
    let wire = v1::CloneSpec { source: table(source), target: table(target), ..Default::default() };
    let side = |uri: &str| Resolved {
        connection: "c".to_owned(),
        fingerprint: [0; 32],
        root: "sales/orders".to_owned(),
        uri: format!("{uri}?sig=hunter2"),
    };
    let origin = JobOrigin {
        replication: "lake-dr".to_owned(),
        round: Some(JobRound { number: 3, slot: None }),
        ..JobOrigin::default()
    };
    Arc::new(JobSpec {
        spec: CloneSpec::try_from(wire).unwrap(),
        source: side(source),
        target: side(target),
        claim: None,
        origin: Some(origin),
        submitter: None,
    })
}

fn new() -> SyncTrace {
    SyncTrace::new(JOB, job_spec(), UnixTime(0))
}

fn planned() -> Fact {
    let digest = PlanDigest([0; 32]);
    Fact::Planned { job: JOB, digest, source_version: 5, replica_version: Some(2) }
}

fn done(task: TaskFingerprint) -> Fact {
    let receipt =
        Receipt { bytes_read: 9, elapsed_ms: 3, worker: "w".to_owned(), ..Receipt::default() };
    Fact::TaskDone { job: JOB, fingerprint: task, receipt }
}

fn ended(end: End) -> Fact {
    Fact::Ended { job: JOB, end, progress: Progress { bytes_total: 90, ..Progress::default() } }
}

fn succeeded() -> Fact {
    ended(End::Succeeded { source_version: 5, replica_version: 3, up_to_date: false })
}

fn key(task: TaskFingerprint, attempt: u32) -> GrantKey {
    GrantKey { job: JOB, fingerprint: task, attempt: Attempt(attempt), epoch: Epoch(1) }
}

fn failure() -> TaskFailure {
    TaskFailure {
        index: None,
        kind: TaskFailureKind::Transient,
        message: "GET https://a/b?sig=hunter2: 503".to_owned(),
        spent: AttemptCounts::default(),
    }
}

/// Names a span: its phase and number, or its task and round.
fn name_of(id: SpanId) -> String {
    let phases = ["queue", "plan", "copy", "publish", "checkpoint"];
    let numbers = phases.iter().flat_map(|phase| (1..4).map(move |number| (*phase, number)));
    let mut known: Vec<_> = numbers
        .map(|(phase, number)| (SpanId::of_phase(JOB, phase, number), format!("{phase}{number}")))
        .collect();
    known.push((SpanId::of_job(JOB), "sync".to_owned()));
    for (task, name) in [(TASK, "task"), (OTHER, "other")] {
        let of_round = |round| (SpanId::of_task(JOB, task, round), format!("{name}{round}"));
        known.extend((0..3).map(of_round));
    }
    let found = known.into_iter().find(|(known, _)| *known == id);
    found.map_or_else(|| panic!("{id:?} is unknown"), |(_, name)| name)
}

/// Shows spans as `parent > name began-ended`.
fn shown(spans: Vec<EndedSpan>) -> Vec<String> {
    let line = |span: EndedSpan| {
        assert_eq!(span.context.trace, TraceId::of_job(JOB));
        assert!(!format!("{span:?}").contains("hunter2"), "{span:?}");
        let parent = span.parent.map_or_else(String::new, |id| format!("{} > ", name_of(id)));
        let mark = span.error.as_ref().map_or("", |_| "!");
        let (began, ended) = (span.began.0, span.ended.0);
        format!("{parent}{}{mark} {began}-{ended}", name_of(span.context.span))
    };
    spans.into_iter().map(line).collect()
}

fn value<'a>(span: &'a EndedSpan, name: &str) -> Option<&'a SpanValue> {
    span.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[test]
fn a_sync_is_its_phases_and_its_tasks() {
    let mut sync = new();
    let none = Progress::default();
    assert_eq!(shown(sync.planning(UnixTime(10))), ["sync > queue1 0-10"]);
    let plan = sync.apply(&planned(), UnixTime(20), none);
    assert_eq!(value(&plan[0], "deepclone.source.version"), Some(&SpanValue::Number(5)));
    assert_eq!(shown(plan), ["sync > plan1 10-20"]);
    let context = sync.granted(&key(TASK, 1), "w", UnixTime(21)).unwrap();
    assert_eq!(name_of(context.span), "task0");
    sync.attempt_failed(&key(TASK, 1), "w", &failure(), UnixTime(22));
    // Neither was granted to whoever reports it.
    sync.attempt_failed(&key(TASK, 9), "w", &failure(), UnixTime(22));
    sync.attempt_failed(&key(TASK, 1), "liar", &failure(), UnixTime(22));
    assert_eq!(sync.granted(&key(TASK, 2), "v", UnixTime(23)), Some(context));
    let task = sync.apply(&done(TASK), UnixTime(30), none);
    assert_eq!(value(&task[0], "deepclone.task.attempts"), Some(&SpanValue::Number(2)));
    assert_eq!(value(&task[0], "deepclone.bytes.read"), Some(&SpanValue::Number(9)));
    assert_eq!(value(&task[0], "deepclone.worker.name"), Some(&"w".into()));
    assert_eq!((task[0].events.len(), task[0].events[0].at), (1, UnixTime(22)));
    assert_eq!(shown(task), ["copy1 > task0 21-30"]);
    let copied = sync.apply(&Fact::PublishIntended { job: JOB }, UnixTime(31), none);
    assert_eq!(shown(copied), ["sync > copy1 20-31"]);
    assert_eq!(shown(sync.committed(UnixTime(40))), ["sync > publish1 31-40"]);
    let published = Fact::Published { job: JOB, version: 3 };
    let published = sync.apply(&published, UnixTime(50), none);
    assert_eq!(shown(published), ["sync > checkpoint1 40-50"]);
    let whole = sync.apply(&succeeded(), UnixTime(50), none);
    for (name, expected) in [
        ("deepclone.job.id", SpanValue::from(JOB.to_string())),
        ("deepclone.replication.name", "lake-dr".into()),
        ("deepclone.replication.round", SpanValue::Number(3)),
        ("deepclone.table", "sales/orders".into()),
        ("deepclone.source.uri", "s3://lake/sales/orders".into()),
        ("deepclone.replica.version", SpanValue::Number(3)),
        ("deepclone.bytes.total", SpanValue::Number(90)),
        ("deepclone.outcome", "succeeded".into()),
    ] {
        assert_eq!(value(&whole[0], name), Some(&expected), "{name}");
    }
    assert_eq!(shown(whole), ["sync 0-50"]);
}

#[test]
fn a_sync_with_nothing_to_do_is_planned_alone() {
    let mut sync = new();
    sync.planning(UnixTime(1));
    let end = End::Succeeded { source_version: 5, replica_version: 3, up_to_date: true };
    let spans = sync.apply(&ended(end), UnixTime(2), Progress::default());
    assert_eq!(value(&spans[1], "deepclone.outcome"), Some(&"up_to_date".into()));
    assert_eq!(shown(spans), ["sync > plan1 1-2", "sync 0-2"]);
}

#[test]
fn what_a_failed_sync_left_open_ends_with_it_and_only_what_failed_is_an_error() {
    let mut sync = new();
    sync.planning(UnixTime(1));
    sync.apply(&planned(), UnixTime(2), Progress::default());
    sync.granted(&key(TASK, 1), "w", UnixTime(3));
    sync.granted(&key(OTHER, 1), "w", UnixTime(4));
    for _ in 0..=SPAN_EVENTS_MAX {
        sync.attempt_failed(&key(TASK, 1), "w", &failure(), UnixTime(5));
    }
    let failure = Failure::new(Reason::StorageUnavailable, "PUT https://a/b?sig=hunter2: 503");
    let spans = sync.apply(&ended(End::Failed(failure)), UnixTime(6), Progress::default());
    assert_eq!(spans[0].events.len(), SPAN_EVENTS_MAX);
    assert_eq!(value(&spans[0], "error.type"), Some(&"transient".into()));
    assert_eq!(value(&spans[1], "deepclone.outcome"), Some(&"given_up".into()));
    assert_eq!(value(&spans[2], "error.type"), Some(&"STORAGE_UNAVAILABLE".into()));
    assert_eq!(spans[3].error.as_deref(), Some("STORAGE_UNAVAILABLE: PUT https://a/b?*** 503"));
    let lines = ["copy1 > task0! 3-6", "copy1 > other0 4-6", "sync > copy1! 2-6", "sync! 0-6"];
    assert_eq!(shown(spans), lines);
}

#[test]
fn what_is_copied_again_is_another_span() {
    let mut sync = new();
    let none = Progress::default();
    sync.planning(UnixTime(1));
    sync.apply(&planned(), UnixTime(2), none);
    sync.granted(&key(TASK, 1), "w", UnixTime(2));
    sync.apply(&done(TASK), UnixTime(3), none);
    sync.apply(&Fact::PublishIntended { job: JOB }, UnixTime(4), none);
    // Its objects were gone before the commit.
    assert_eq!(shown(sync.changed(JobState::Copying, UnixTime(5))), ["sync > publish1 4-5"]);
    assert_eq!(shown(sync.changed(JobState::Held, UnixTime(5))), [""; 0]);
    sync.granted(&key(TASK, 2), "w", UnixTime(6));
    let again = sync.apply(&done(TASK), UnixTime(7), none);
    assert_eq!(shown(again), ["copy2 > task1 6-7"]);
    sync.apply(&Fact::PublishIntended { job: JOB }, UnixTime(8), none);
    // Another sync won the version.
    assert_eq!(shown(sync.planning(UnixTime(9))), ["sync > publish2 8-9"]);
    assert_eq!(shown(sync.apply(&planned(), UnixTime(10), none)), ["sync > plan2 9-10"]);
}

#[test]
fn after_a_restart_the_same_spans_go_on() {
    let none = Progress::default();
    let facts = [(planned(), 2), (done(OTHER), 5)];
    let mut before = new();
    before.planning(UnixTime(1));
    for (fact, at) in &facts {
        before.apply(fact, UnixTime(*at), none);
    }
    let granted = before.granted(&key(TASK, 1), "w", UnixTime(6));
    let mut after = new();
    for (fact, at) in &facts {
        after.apply(fact, UnixTime(*at), none);
    }
    after.recovered();
    assert_eq!(shown(after.planning(UnixTime(20))), [""; 0], "it was copying, and goes on");
    assert_eq!(shown(after.apply(&planned(), UnixTime(21), none)), ["sync > copy1 2-21"]);
    // A worker held it over the restart.
    let task = after.apply(&done(TASK), UnixTime(22), none);
    assert_eq!(Some(task[0].context), granted);
    assert_eq!(shown(task), ["copy2 > task0 19-22"]);
    // One that copied again what was gone, when it stopped.
    let mut after = new();
    let intended = Fact::PublishIntended { job: JOB };
    for fact in [planned(), intended.clone(), intended] {
        after.apply(&fact, UnixTime(3), none);
    }
    after.recovered();
    let spans = after.apply(&succeeded(), UnixTime(9), none);
    assert_eq!(shown(spans), ["sync > publish2 3-9", "sync 0-9"]);
    // One that waited for its turn.
    let mut after = new();
    after.recovered();
    assert_eq!(shown(after.planning(UnixTime(4))), ["sync > queue1 0-4"]);
}

#[test]
fn tasks_whose_spans_wait_are_bounded() {
    let mut sync = new();
    let task = |number: usize| {
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&number.to_be_bytes());
        TaskFingerprint(fingerprint)
    };
    for number in 0..SPANS_OPEN_PER_JOB_MAX {
        assert!(sync.granted(&key(task(number), 1), "w", UnixTime(1)).is_some());
    }
    let one_more = key(task(SPANS_OPEN_PER_JOB_MAX), 1);
    assert!(sync.granted(&one_more, "w", UnixTime(1)).is_none());
    assert!(sync.granted(&key(task(0), 2), "w", UnixTime(1)).is_some());
}
