//! Everything that can happen to the machine: a closed vocabulary.

use std::collections::BTreeSet;

use super::moment::Moment;
use crate::failure::Failure;
use crate::ids::{
    ConnectionKey, GrantKey, JobId, PlanDigest, TargetKey, TaskFingerprint, WorkerId,
};
use crate::receipt::{Receipt, TaskFailure};
use crate::task::Capacity;

/// Something happened. Applied in the order of arrival; queued events before timers.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A client asks for a sync. A job id that is known already changes nothing.
    Submitted {
        /// Minted by the driver.
        job: JobId,
        /// The target: jobs of one target run one after another.
        target: TargetKey,
        /// Which connections its workers need.
        route: Route,
        /// The spec, opaque here.
        spec: Vec<u8>,
    },
    /// A client asks to end it.
    CancelRequested {
        /// The job.
        job: JobId,
    },
    /// The effect of [`super::Action::Plan`] ended well.
    Planned {
        /// The job.
        job: JobId,
        /// What there is to copy.
        plan: Plan,
    },
    /// The effect of [`super::Action::Plan`] found nothing to do: the job succeeds at once.
    UpToDate {
        /// The job.
        job: JobId,
        /// The source's version, which the replica has.
        source_version: u64,
        /// The replica's version.
        replica_version: u64,
    },
    /// The effect of [`super::Action::Plan`] refused or failed.
    PlanFailed {
        /// The job.
        job: JobId,
        /// Why.
        failure: Failure,
    },
    /// A worker process announces itself: new, or again after it lost us.
    WorkerRegistered {
        /// The worker.
        worker: WorkerId,
        /// Connections that it can read.
        readable: BTreeSet<ConnectionKey>,
        /// Connections that it can write.
        writable: BTreeSet<ConnectionKey>,
        /// Grants that it still works on: adopted where they are still wanted.
        held: Vec<GrantKey>,
    },
    /// A worker has room; answered by [`super::Action::Grant`], with nothing at the deadline.
    /// A newer question of the same worker replaces this one.
    TasksWanted {
        /// The worker.
        worker: WorkerId,
        /// What it can take on now.
        capacity: Capacity,
        /// When to answer with nothing.
        deadline: Moment,
    },
    /// A worker lives, and works on these; answered by [`super::Action::Beat`].
    Heartbeat {
        /// The worker.
        worker: WorkerId,
        /// The grants that it works on.
        held: Vec<HeldTask>,
    },
    /// A worker reports ended tasks; answered by [`super::Action::Heard`].
    Reported {
        /// The worker.
        worker: WorkerId,
        /// How each ended.
        outcomes: Vec<(GrantKey, TaskOutcome)>,
    },
    /// A worker leaves in good order; what it returns is free again, without a penalty.
    WorkerLeft {
        /// The worker.
        worker: WorkerId,
        /// Grants that it did not finish.
        returned: Vec<GrantKey>,
    },
    /// An operator wants this worker to end its work and take no more.
    DrainRequested {
        /// The worker.
        worker: WorkerId,
    },
    /// The effect of [`super::Action::Publish`] ended.
    PublishEnded {
        /// The job.
        job: JobId,
        /// How.
        outcome: PublishOutcome,
    },
    /// [`super::Machine::next_deadline`] has come.
    DeadlineReached,
}

/// The connections that a job's workers must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Read from here.
    pub source: ConnectionKey,
    /// Write to here.
    pub target: ConnectionKey,
}

/// What there is to copy, as the machine sees it: numbers, sizes, states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Identity of the whole.
    pub digest: PlanDigest,
    /// The source's version that it leads to.
    pub source_version: u64,
    /// The replica's head that it starts from; none: no replica yet.
    pub replica_version: Option<u64>,
    /// True when the source's newest version was asked for: a later plan may lead further.
    pub source_is_newest: bool,
    /// In plan order. The same fingerprint never twice.
    pub tasks: Vec<PlanTask>,
}

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTask {
    /// Its content's name.
    pub fingerprint: TaskFingerprint,
    /// Its objects' bytes together.
    pub bytes: u64,
    /// Its objects.
    pub objects: u32,
}

/// A grant that a worker works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldTask {
    /// The grant.
    pub key: GrantKey,
    /// Bytes of it that are written.
    pub bytes_done: u64,
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
    /// The commit is in the replica's log.
    Published {
        /// Its version.
        version: u64,
    },
    /// Another sync of ours won the version: plan again on top of it.
    Rebase,
    /// Evidence for these tasks turned out stale (a vacuum ate their objects): copy them again.
    Missing(Vec<TaskFingerprint>),
    /// Refused or failed for good.
    Failed(Failure),
}
