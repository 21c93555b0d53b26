//! What the driver is told: questions of the gRPC face with a way back, and effects that ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{ConnectionKey, Epoch, GrantKey, JobId, TargetKey, WorkerId};
use deepclone_core::machine::{
    HeldTask, JobState, PublishOutcome, Route, TaskOutcome, WorkerState,
};
use deepclone_core::task::{Capacity, Grant};
use tokio::sync::{oneshot, watch};

use super::book::JobSnapshot;
use crate::effects::plan::PlanOutcome;
use crate::state::{Entry, JobSpec, StateError};

/// A way back to who asked.
pub type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// Something that the driver is told.
pub enum Message {
    /// A client asks for a sync.
    Submit(Box<Submission>, Reply<Arc<JobSnapshot>>),
    /// A client asks to end one.
    Cancel(JobId, Reply<Arc<JobSnapshot>>),
    /// A client asks for one.
    Job(JobId, Reply<Arc<JobSnapshot>>),
    /// A client asks for a page of all, the newest first.
    Jobs(JobsQuery, Reply<JobsPage>),
    /// A client wants to follow one.
    Watch(JobId, Reply<watch::Receiver<Arc<JobSnapshot>>>),
    /// An operator asks for all workers.
    Workers(Reply<Vec<WorkerSnapshot>>),
    /// An operator wants one to leave.
    Drain(WorkerId, Reply<WorkerSnapshot>),
    /// A worker announces itself.
    Register(Registration, Reply<Epoch>),
    /// A worker asks for tasks.
    Acquire(TasksWanted, Reply<Vec<Grant>>),
    /// A worker reports.
    Report(WorkerId, Vec<(GrantKey, TaskOutcome)>, Reply<Vec<GrantKey>>),
    /// A worker lives.
    Heartbeat(WorkerId, Vec<HeldTask>, Reply<Beat>),
    /// A worker leaves.
    Leave(WorkerId, Vec<GrantKey>, Reply<()>),
    /// The database told of a job that ended long ago.
    Recalled(JobId, Result<Option<Vec<Entry>>, StateError>),
    /// The effect of planning ended.
    PlanEnded(JobId, Result<PlanOutcome, Failure>),
    /// The effect of publishing ended.
    PublishEnded(JobId, Result<PublishOutcome, Failure>),
}

/// Which jobs a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct JobsQuery {
    /// Only those in this state; none: all.
    pub state: Option<JobState>,
    /// Only those older than this one; none: from the newest.
    pub after: Option<JobId>,
    /// How many.
    pub size: usize,
}

/// Some jobs, the newest first.
#[derive(Clone, Debug)]
pub struct JobsPage {
    /// The jobs.
    pub jobs: Vec<Arc<JobSnapshot>>,
    /// True when there are more.
    pub is_more: bool,
}

/// A sync to be made.
pub struct Submission {
    /// Its id.
    pub job: JobId,
    /// The id comes from a request id: it may have been used before.
    pub is_named: bool,
    /// Its target.
    pub target: TargetKey,
    /// The connections that its workers need.
    pub route: Route,
    /// What is asked for, resolved.
    pub job_spec: JobSpec,
}

/// A worker process.
pub struct Registration {
    /// Its id.
    pub worker: WorkerId,
    /// What people see of it.
    pub card: WorkerCard,
    /// Connections that it can read.
    pub readable: BTreeSet<ConnectionKey>,
    /// Connections that it can write.
    pub writable: BTreeSet<ConnectionKey>,
    /// Grants that it still works on.
    pub held: Vec<GrantKey>,
}

/// What people see of a worker that the machine does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCard {
    /// The name that it was started with.
    pub name: String,
    /// Its version of Deepclone.
    pub version: String,
    /// The connections that it knows.
    pub connections: Vec<String>,
    /// The names of those that the machine knows by key.
    pub names: BTreeMap<ConnectionKey, String>,
}

/// A worker as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSnapshot {
    /// Its id.
    pub worker: WorkerId,
    /// What people see of it.
    pub card: WorkerCard,
    /// Where it stands.
    pub state: WorkerState,
    /// When it was heard of last, in milliseconds since 1970 (UTC).
    pub last_seen_ms: i64,
    /// Connections that it is given nothing of for a while.
    pub set_aside: Vec<Aside>,
}

/// A connection that a worker is given nothing of for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// The connection's name.
    pub connection: String,
    /// What the worker reported last.
    pub reason: String,
    /// Until when, in milliseconds since 1970 (UTC).
    pub until_ms: i64,
}

/// A worker's request for tasks.
pub struct TasksWanted {
    /// Who asks.
    pub worker: WorkerId,
    /// What it can take on now.
    pub capacity: Capacity,
    /// How long it waits.
    pub wait: Duration,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Grants that are not wanted any more.
    pub abandon: Vec<GrantKey>,
    /// End your work and leave.
    pub drain: bool,
}
