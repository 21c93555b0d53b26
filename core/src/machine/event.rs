//! Everything that can happen to the machine: a closed vocabulary.

use std::collections::BTreeSet;

use super::moment::Moment;
use crate::failure::Failure;
use crate::group::GroupPlace;
use crate::ids::{
    ConnectionKey, GrantKey, JobId, PlanDigest, TargetKey, TaskFingerprint, WorkerId,
};
use crate::job_limits::{JobLimits, LimitsChange};
use crate::receipt::{Receipt, TaskFailure};
use crate::task::Capacity;

/// Something happened. Events are applied in the order of arrival, queued ones before timers.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A client asks for a sync. A job that is known already changes nothing.
    Submitted {
        /// Minted by the driver.
        job: JobId,
        /// The table to write to: jobs of one target run one after another.
        target: TargetKey,
        /// The connections that its workers need.
        route: Route,
        /// The encoded spec, which the machine does not read.
        spec: Vec<u8>,
        /// What its workers may take together.
        limits: JobLimits,
    },
    /// A client changes the limits of a job. One that is over stays as it is.
    LimitsChanged { job: JobId, change: LimitsChange },
    /// What workers hold of a job is taken back from them, without a penalty. The job should be
    /// held, or they get it again.
    TasksRecalled { job: JobId },
    /// A client asks to cancel a job.
    CancelRequested { job: JobId },
    /// The effect of [`Action::Plan`](super::Action::Plan) found something to do.
    Planned { job: JobId, plan: Plan },
    /// The effect of [`Action::Plan`](super::Action::Plan) found nothing to do: the replica holds
    /// the source's version, and the job succeeds at once.
    UpToDate { job: JobId, source_version: u64, replica_version: u64 },
    /// The effect of [`Action::Plan`](super::Action::Plan) refused or failed.
    PlanFailed { job: JobId, failure: Failure },
    /// A worker process announces itself: for the first time, or again after it lost the
    /// coordinator. It waits for no answer to what it asked before.
    WorkerRegistered {
        worker: WorkerId,
        /// Connections that it can read.
        readable: BTreeSet<ConnectionKey>,
        /// Connections that it can write.
        writable: BTreeSet<ConnectionKey>,
        /// Grants that it still works on: adopted where they are still wanted. Any other that the
        /// machine gave it never reached it.
        held: Vec<GrantKey>,
    },
    /// A worker asks for tasks; answered by [`Action::Grant`](super::Action::Grant), with none at
    /// the deadline. A newer request of the same worker replaces this one.
    TasksWanted { worker: WorkerId, capacity: Capacity, deadline: Moment },
    /// A worker lives, and works on these grants; answered by
    /// [`Action::Beat`](super::Action::Beat).
    Heartbeat { worker: WorkerId, held: Vec<HeldTask> },
    /// A worker reports how grants ended; answered by [`Action::Heard`](super::Action::Heard).
    Reported { worker: WorkerId, outcomes: Vec<(GrantKey, TaskOutcome)> },
    /// A worker leaves in good order. What it holds is ready again, without a penalty.
    WorkerLeft {
        worker: WorkerId,
        /// Grants that it did not finish.
        returned: Vec<GrantKey>,
    },
    /// An operator wants this worker to finish its tasks and take no more.
    DrainRequested { worker: WorkerId },
    /// The effect of [`Action::Publish`](super::Action::Publish) ended.
    PublishEnded { job: JobId, outcome: PublishOutcome },
    /// The moment of [`Machine::next_deadline`](super::Machine::next_deadline) has come.
    DeadlineReached,
}

/// The connections that a job's workers must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    pub source: ConnectionKey,
    pub target: ConnectionKey,
}

/// What there is to copy, as the machine sees it: numbers, sizes, states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Identity of the whole plan.
    pub digest: PlanDigest,
    /// The source's version that it leads to.
    pub source_version: u64,
    /// The replica version that it starts from; `None` without a replica.
    pub replica_version: Option<u64>,
    /// True when the source's newest version was asked for: a later plan may lead further.
    pub source_is_newest: bool,
    /// In plan order, each fingerprint once.
    pub tasks: Vec<PlanTask>,
}

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTask {
    pub fingerprint: TaskFingerprint,
    /// The sizes of its objects, added up.
    pub bytes: u64,
    /// The number of the objects that are done with it: none for a step that makes no object.
    pub objects: u32,
    /// Its step in the copy of an object that several workers share.
    pub group: Option<GroupPlace>,
}

/// A grant that a worker works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldTask {
    pub key: GrantKey,
    /// Bytes of it that are at the target, or on their way there.
    pub bytes_done: u64,
    /// Bytes that were read from the source for it, repeats included.
    pub bytes_read: u64,
}

/// How a grant ended at its worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    /// Every object is at the target.
    Done(Receipt),
    /// Some object is not.
    Failed(TaskFailure),
}

/// How the effect of publishing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishOutcome {
    /// The commit is in the replica's log, at this replica version.
    Published { version: u64 },
    /// Another sync of ours won the version: the job is planned again on top of it.
    Rebase,
    /// Objects of these tasks are missing at the target, because a VACUUM deleted them: they are
    /// copied again.
    Missing(Vec<TaskFingerprint>),
    /// Refused or failed for good.
    Failed(Failure),
}
