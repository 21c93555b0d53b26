//! Jobs and workers as the driver would show them.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_common::connections::Resolved;
use deepclone_coordinator::driver::snapshot::{
    ConnectionSetAside, JobPhases, JobSnapshot, WorkerDescription, WorkerSnapshot,
};
use deepclone_coordinator::state::{JobSpec, PlanNote};
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::machine::{End, JobState, Progress, WorkerState};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::ProofCounts;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef, Verification,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::samples::minutes_ago;

/// The jobs of [`jobs`] by their numbers.
pub(crate) const COPYING: u128 = 20;
pub(crate) const FAILED: u128 = 19;
pub(crate) const SUCCEEDED: u128 = 18;
pub(crate) const QUEUED: u128 = 21;

pub(crate) fn job_id(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

/// Jobs of every kind, the newest first. Nobody changes them.
pub(crate) fn jobs() -> Vec<watch::Receiver<Arc<JobSnapshot>>> {
    [queued(), copying(), failed(), succeeded()].map(still).into()
}

/// A job that stays as it is.
pub(crate) fn still(job: JobSnapshot) -> watch::Receiver<Arc<JobSnapshot>> {
    let sender = watch::Sender::new(Arc::new(job));
    let job = sender.subscribe();
    // Without it, those who follow the job would take the coordinator for stopped.
    std::mem::forget(sender);
    job
}

fn queued() -> JobSnapshot {
    JobSnapshot { created_ms: minutes_ago(1).0, ..job(QUEUED, "ml/features", JobState::Queued) }
}

/// It copies a table that `orders-dr` keeps.
pub(crate) fn copying() -> JobSnapshot {
    let progress = Progress {
        tasks_total: 40,
        tasks_done: 16,
        objects_total: 4_100,
        objects_done: 1_640,
        bytes_total: 420 << 30,
        bytes_done: 170 << 30,
        bytes_moving: 2 << 30,
        workers: 3,
        workers_used: 4,
        attempts: 21,
        objects_copied: 1_640,
        bytes_read: 171 << 30,
        bytes_written: 170 << 30,
        proofs: ProofCounts { stored_checksum: 1_600, earlier: 40, ..ProofCounts::default() },
        ..Progress::default()
    };
    let limits = JobLimits { bytes_per_second: Some(200 << 20), concurrency: None, held: false };
    JobSnapshot {
        source_version: Some(4_183),
        phases: JobPhases { planned_ms: Some(minutes_ago(10).0), publishing_ms: None },
        limits,
        progress,
        note: PlanNote {
            notices: vec!["the source's change data feed is on".into()],
            ..PlanNote::default()
        },
        ..job(COPYING, "sales/fact_020", JobState::Copying)
    }
}

/// Its message has a secret and a name that hides its direction.
fn failed() -> JobSnapshot {
    let message = "PutBlob of https://account.blob/lake/a\u{202e}b?sig=topsecret is denied: the \
                   token lacks the permission `write`";
    let failure = Failure::new(Reason::PermissionDenied, message);
    JobSnapshot {
        source_version: Some(7),
        phases: JobPhases { planned_ms: Some(minutes_ago(10).0), publishing_ms: None },
        ended_ms: Some(minutes_ago(9).0),
        end: Some(End::Failed(failure)),
        ..job(FAILED, "tmp/<b>bold</b>", JobState::Failed)
    }
}

pub(crate) fn succeeded() -> JobSnapshot {
    let progress = Progress { workers_used: 2, ..copying().progress };
    let (done, bytes) = (progress.objects_total, progress.bytes_total);
    let end = End::Succeeded { source_version: 4_182, replica_version: 977, up_to_date: false };
    JobSnapshot {
        source_version: Some(4_182),
        phases: JobPhases {
            planned_ms: Some(minutes_ago(10).0),
            publishing_ms: Some(minutes_ago(4).0),
        },
        ended_ms: Some(minutes_ago(3).0),
        end: Some(end),
        progress: Progress {
            objects_done: done,
            bytes_done: bytes,
            bytes_moving: 0,
            tasks_done: 40,
            workers: 0,
            ..progress
        },
        ..job(SUCCEEDED, "sales/fact_020", JobState::Succeeded)
    }
}

/// A job that was created 12 minutes ago and has done nothing.
fn job(number: u128, table: &str, state: JobState) -> JobSnapshot {
    JobSnapshot {
        sequence: 1,
        job: job_id(number),
        job_spec: Arc::new(spec(table)),
        limits: JobLimits::default(),
        state,
        progress: Progress::default(),
        source_version: None,
        end: None,
        note: PlanNote::default(),
        sent: None,
        ahead: None,
        created_ms: minutes_ago(12).0,
        phases: JobPhases::default(),
        ended_ms: None,
    }
}

fn spec(table: &str) -> JobSpec {
    let resolved = |connection: &str| Resolved {
        connection: connection.into(),
        fingerprint: [0; 32],
        root: table.into(),
        uri: format!("s3://{connection}-lake/{table}"),
    };
    let (source, target) = (resolved("prod"), resolved("dr"));
    let table = |side: &Resolved| TableRef {
        uri: side.uri.clone(),
        connection: Some(side.connection.clone()),
    };
    let spec = CloneSpec {
        source: table(&source),
        target: table(&target),
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: BTreeMap::new(),
        verification: Verification::Digest,
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    };
    JobSpec { spec, source, target, claim: None, origin: None, submitter: None }
}

/// A worker in each state.
pub(crate) fn workers() -> Vec<WorkerSnapshot> {
    let mut busy = worker(1, "copy-7f4b-1", WorkerState::Active);
    busy.tasks_held = 12;
    busy.bytes_per_second = Some(480 << 20);
    busy.bytes_done = 31 << 40;
    busy.tasks_done = 126_976;
    busy.set_aside = vec![ConnectionSetAside {
        connection: "archive".into(),
        reason: "GET https://a/b?sig=topsecret is denied".into(),
        until_ms: crate::samples::in_minutes(3).0,
    }];
    let mut draining = worker(2, "copy-7f4b-0", WorkerState::Draining);
    draining.tasks_held = 1;
    draining.bytes_per_second = Some(3 << 20);
    draining.last_error = Some("no answer in 30 s".into());
    let mut lost = worker(3, "a-host-of-the-old-fleet", WorkerState::Lost);
    lost.last_seen_ms = minutes_ago(40).0;
    lost.bytes_per_second = None;
    vec![lost, draining, busy]
}

pub(crate) fn worker(number: u128, name: &str, state: WorkerState) -> WorkerSnapshot {
    WorkerSnapshot {
        worker: WorkerId(Uuid::from_u128(number)),
        info: WorkerDescription {
            name: name.into(),
            version: "0.1.0".into(),
            connections: vec!["dr".into(), "prod".into()],
            names: BTreeMap::new(),
        },
        state,
        last_seen_ms: minutes_ago(0).0,
        tasks_held: 0,
        tasks_done: 0,
        bytes_done: 0,
        bytes_per_second: Some(0),
        last_error: None,
        set_aside: Vec::new(),
    }
}
