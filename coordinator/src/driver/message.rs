//! What reaches the driver: requests of the gRPC services, each with a way to answer it, and the
//! ends of effects and look-ups.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::request_id::RequestId;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{ConnectionKey, Epoch, GrantKey, JobId, TargetKey, WorkerId};
use deepclone_core::job_limits::{JobShare, LimitsChange};
use deepclone_core::machine::{HeldTask, Route, TaskOutcome};
use deepclone_core::price::Traffic;
use deepclone_core::task::{Capacity, Grant};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::job_query::JobsQuery;
use super::snapshot::{JobSnapshot, WorkerDescription, WorkerSnapshot};
use crate::effects::plan::PlanOutcome;
use crate::effects::publish::PublishEnd;
use crate::state::{Entry, JobSpec, StateError};

/// Takes the answer to a request.
pub type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// A request of the gRPC services, or the end of work that the driver started.
pub enum Message {
    Submit(Box<Submission>, Reply<Arc<JobSnapshot>>),
    /// With the principal who asks, if any is known.
    Cancel(JobId, Option<String>, Reply<Arc<JobSnapshot>>),
    /// Comes from `UpdateJob`; a job that has ended is refused.
    Limit(JobId, LimitsChange, Reply<Arc<JobSnapshot>>),
    /// Takes back what workers hold of a job.
    Recall(JobId, Reply<Arc<JobSnapshot>>),
    Job(JobId, Reply<Arc<JobSnapshot>>),
    Jobs(JobsQuery, Reply<Vec<Arc<JobSnapshot>>>),
    Watch(JobId, Reply<watch::Receiver<Arc<JobSnapshot>>>),
    Workers(Reply<Vec<WorkerSnapshot>>),
    Drain(WorkerId, Reply<WorkerSnapshot>),
    /// Comes from `RegisterWorker`; answered with the epoch of this coordinator.
    Register(Registration, Reply<Epoch>),
    Acquire(TasksWanted, Reply<Vec<Grant>>),
    /// Comes from `ReportTasks`; answered with the grants that were refused.
    Report(Report, Reply<Vec<GrantKey>>),
    Heartbeat(WorkerId, Vec<HeldTask>, Reply<Beat>),
    /// Comes from `DeregisterWorker`, with the grants that it returns.
    Leave(WorkerId, Vec<GrantKey>, Reply<()>),
    /// Answered at the end of its turn: tells whether the loop goes on.
    Ping(Reply<()>),
    /// A look-up of an ended job in the database ended.
    Recalled(JobId, Result<Option<Vec<Entry>>, StateError>),
    /// A planning effect ended, which read so much.
    PlanEnded(JobId, Traffic, Result<PlanOutcome, Failure>),
    /// A publishing effect ended, which read so much.
    PublishEnded(JobId, Traffic, Result<PublishEnd, Failure>),
}

/// A job that a client asks for.
pub struct Submission {
    pub job: JobId,
    /// The id comes from a request id: it may have been used before.
    pub is_named: bool,
    pub target: TargetKey,
    pub route: Route,
    pub job_spec: Arc<JobSpec>,
    /// The call that asks for it; `None` for a replication.
    pub request_id: Option<RequestId>,
}

/// A worker process that announces itself.
pub struct Registration {
    pub worker: WorkerId,
    pub info: WorkerDescription,
    /// Connections that it can read.
    pub readable: BTreeSet<ConnectionKey>,
    /// Connections that it can write.
    pub writable: BTreeSet<ConnectionKey>,
    /// Grants that it still works on.
    pub held: Vec<GrantKey>,
}

/// A worker's request for tasks.
pub struct TasksWanted {
    pub worker: WorkerId,
    pub capacity: Capacity,
    /// How long it waits for an answer.
    pub wait: Duration,
}

/// A worker's report of ended tasks.
pub struct Report {
    pub worker: WorkerId,
    pub outcomes: Vec<(GrantKey, TaskOutcome)>,
    /// When it arrived: it may wait for the driver.
    pub received: Instant,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Grants that the worker must drop at once.
    pub abandon: Vec<GrantKey>,
    /// What the worker may take from now on for these jobs.
    pub shares: Vec<(JobId, JobShare)>,
    /// The worker must finish what it has and leave.
    pub drain: bool,
}
