//! Everything that the machine can ask for: a closed vocabulary.

use std::time::Duration;

use super::fact::Fact;
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{GrantKey, JobId, TaskIndex, WorkerId};

/// Something to do. The driver makes every [`Action::Record`] of a batch of steps durable in one
/// transaction before it releases any other action of that batch (I4).
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make this durable.
    Record(Fact),
    /// Read both logs and plan: ends in `Planned`, `UpToDate` or `PlanFailed`.
    Plan {
        /// The job.
        job: JobId,
    },
    /// An object of the newest plan is gone from the source: plan again, and fail when the new
    /// plan needs that object too. Ends as [`Action::Plan`] does.
    PlanAgain {
        /// The job.
        job: JobId,
        /// The task of the newest plan.
        task: TaskIndex,
        /// The object's place in the task; none: any of them.
        object: Option<u32>,
    },
    /// A submission was refused: nothing is recorded of it.
    Refused {
        /// The job that is none.
        job: JobId,
        /// Why.
        failure: Failure,
    },
    /// The answer to `Reported`.
    Heard {
        /// To whom.
        worker: WorkerId,
        /// Outcomes that count for nothing: this machine gave no such grant to this worker.
        refused: Vec<GrantKey>,
        /// False: nothing was taken; the worker must register again, and report again.
        known: bool,
    },
    /// The answer to `TasksWanted`.
    Grant {
        /// To whom.
        worker: WorkerId,
        /// What: empty at the question's deadline or when the worker drains.
        tasks: Vec<GrantedTask>,
    },
    /// The answer to `Heartbeat`.
    Beat {
        /// To whom.
        worker: WorkerId,
        /// Grants that are not wanted any more: stop at once.
        abandon: Vec<GrantKey>,
        /// End your work and leave.
        drain: bool,
        /// False: the worker must register again.
        known: bool,
    },
    /// Write the commit: ends in `PublishEnded`.
    Publish {
        /// The job.
        job: JobId,
    },
    /// The job's state or progress changed: tell its watchers.
    Changed {
        /// The job.
        job: JobId,
    },
    /// A rule of the machine does not hold: log it. The job, if it is live, fails as internal.
    Violated(Violation),
    /// The job is over: free what the driver holds for it.
    Ended {
        /// The job.
        job: JobId,
    },
}

/// One task given to one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantedTask {
    /// What the worker reports under.
    pub key: GrantKey,
    /// The task's place in the plan.
    pub index: TaskIndex,
    /// How long it holds without a heartbeat. A duration: clocks differ.
    pub ttl: Duration,
}
