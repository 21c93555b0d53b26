//! What the driver is told: questions of the gRPC face with a way back, and effects that ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{ConnectionKey, Epoch, JobId, TargetKey, TaskKey, WorkerId};
use deepclone_core::machine::{HeldTask, PublishOutcome, Route, TaskOutcome, WorkerState};
use deepclone_core::task::Lease;
use tokio::sync::{oneshot, watch};

use super::book::JobSnapshot;
use crate::effects::plan::Outcome;
use crate::state::JobSpec;

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
    /// A client asks for all, the newest first.
    Jobs(Reply<Vec<Arc<JobSnapshot>>>),
    /// A client wants to follow one.
    Watch(JobId, Reply<watch::Receiver<Arc<JobSnapshot>>>),
    /// An operator asks for all workers.
    Workers(Reply<Vec<WorkerSnapshot>>),
    /// An operator wants one to leave.
    Drain(WorkerId, Reply<WorkerSnapshot>),
    /// A worker announces itself.
    Register(Registration, Reply<Epoch>),
    /// A worker has room.
    Acquire(Room, Reply<Vec<Lease>>),
    /// A worker reports.
    Report(WorkerId, Vec<(TaskKey, TaskOutcome)>, Reply<()>),
    /// A worker lives.
    Heartbeat(WorkerId, Vec<HeldTask>, Reply<Beat>),
    /// A worker leaves.
    Leave(WorkerId, Vec<TaskKey>, Reply<()>),
    /// The effect of planning ended.
    PlanEnded(JobId, Result<Outcome, Failure>),
    /// The effect of publishing ended.
    PublishEnded(JobId, Result<PublishOutcome, Failure>),
}

/// A sync to be made.
pub struct Submission {
    /// Its id.
    pub job: JobId,
    /// Its target.
    pub target: TargetKey,
    /// The connections that its workers need.
    pub route: Route,
    /// The order.
    pub order: JobSpec,
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
    pub held: Vec<TaskKey>,
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
}

/// A worker's question for tasks.
pub struct Room {
    /// Who asks.
    pub worker: WorkerId,
    /// Bytes that it can take on.
    pub bytes_free: u64,
    /// Objects that it can take on.
    pub objects_free: u32,
    /// How long it waits.
    pub wait: Duration,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Grants that are not wanted any more.
    pub abandon: Vec<TaskKey>,
    /// End your work and leave.
    pub drain: bool,
}
