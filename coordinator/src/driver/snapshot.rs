//! Jobs and workers as the gRPC services show them: values, taken once a turn is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_core::ids::{ConnectionKey, JobId, WorkerId};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::machine::{End, JobState, Progress, WorkerState};

use crate::costs::priced::Priced;
use crate::state::{JobPlace, JobSent, JobSpec, PlanNote};

/// A job as it is now, or as it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot {
    /// Grows with every change that watchers are sent.
    pub sequence: u64,
    pub job: JobId,
    /// What the client asked for. Its limits may have changed since.
    pub job_spec: Arc<JobSpec>,
    /// The limits as they are now, or were at the end.
    pub limits: JobLimits,
    pub state: JobState,
    pub progress: Progress,
    /// The source's version that it leads to. `None` before planning.
    pub source_version: Option<u64>,
    /// `None` while it is live.
    pub end: Option<End>,
    pub note: PlanNote,
    /// What it sent so far. `None` while nothing is known to have been sent.
    pub sent: Option<JobSent>,
    /// What the rest of its plan will cost. `None` when it has no plan, or has ended.
    pub ahead: Option<Priced>,
    /// Milliseconds since 1970 (UTC).
    pub created_ms: i64,
    pub phases: JobPhases,
    /// Milliseconds since 1970 (UTC). `None` while it is live.
    pub ended_ms: Option<i64>,
}

impl JobSnapshot {
    /// Where it stands in lists.
    #[must_use]
    pub fn place(&self) -> JobPlace {
        JobPlace { created_ms: self.created_ms, job: self.job }
    }
}

/// When the phases of a job began, in milliseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobPhases {
    /// When its newest plan was made. `None` before, and when there was nothing to do.
    pub planned_ms: Option<i64>,
    /// When all was copied and the commit was begun. `None` before. It is kept no longer than the
    /// job is in memory.
    pub publishing_ms: Option<i64>,
}

/// What a worker announces of itself and the machine does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerDescription {
    /// The name that it was started with; several processes may share one.
    pub name: String,
    /// Its version of Deepclone.
    pub version: String,
    /// The names of its connections, in the order in which it announced them.
    pub connections: Vec<String>,
    /// The names of the connections that the machine knows by key.
    pub names: BTreeMap<ConnectionKey, String>,
}

/// A worker as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSnapshot {
    pub worker: WorkerId,
    pub info: WorkerDescription,
    pub state: WorkerState,
    /// When it last called, in milliseconds since 1970 (UTC).
    pub last_seen_ms: i64,
    /// Tasks that it holds.
    pub tasks_held: u32,
    /// Tasks that it finished, since the coordinator started.
    pub tasks_done: u64,
    /// Bytes of those, since the coordinator started.
    pub bytes_done: u64,
    /// What it copied in the last minute. `None` while that is not known.
    pub bytes_per_second: Option<u64>,
    /// The last failure that it reported.
    pub last_error: Option<String>,
    pub set_aside: Vec<ConnectionSetAside>,
}

/// A connection that a worker failed at, and of which it is granted nothing for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSetAside {
    pub connection: String,
    /// The failure that the worker reported last.
    pub reason: String,
    /// Milliseconds since 1970 (UTC).
    pub until_ms: i64,
}
