//! Everything that the machine can ask for: a closed vocabulary.

use std::time::Duration;

use super::fact::Fact;
use super::notice::Notice;
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{GrantKey, JobId, TaskIndex, WorkerId};
use crate::job_limits::JobShare;

/// What the driver is to do. It makes every [`Action::Record`] of a batch of steps durable in one
/// transaction before it releases any other action of that batch (I4).
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Makes a fact durable.
    Record(Fact),
    /// Reads both logs and plans. Ends in `Planned`, `UpToDate`, `PlanFailed`, or in `PublishEnded`
    /// when the job's own commit is in the log already.
    Plan { job: JobId },
    /// Plans again because an object of the newest plan is gone from the source, and fails when the
    /// new plan needs that object too. Ends as [`Action::Plan`] does.
    PlanAgain {
        job: JobId,
        /// The task of the newest plan that has the object.
        task: TaskIndex,
        /// The object's place in the task; `None` when any of them may be gone.
        object: Option<u32>,
    },
    /// Refuses a submission: nothing is recorded of it, and there is no such job.
    Refused { job: JobId, failure: Failure },
    /// Answers [`Event::Reported`](super::Event::Reported), once the facts are durable.
    Heard {
        worker: WorkerId,
        /// Outcomes that count for nothing: this machine gave no such grant to this worker.
        refused: Vec<GrantKey>,
        /// False when nothing was taken: the worker must register and report again.
        known: bool,
    },
    /// Answers [`Event::TasksWanted`](super::Event::TasksWanted) with tasks, or with none.
    Grant {
        worker: WorkerId,
        /// Empty at the request's deadline, or when the worker drains or is not known.
        tasks: Vec<GrantedTask>,
    },
    /// Answers [`Event::Heartbeat`](super::Event::Heartbeat) with what the worker is to stop.
    Beat {
        worker: WorkerId,
        /// Grants that are not wanted any more: the worker stops them at once.
        abandon: Vec<GrantKey>,
        /// What the worker may take from now on for each job of which it holds tasks. A job that is
        /// not in the list stays as it was told.
        shares: Vec<(JobId, JobShare)>,
        /// True when the worker is to finish its tasks and leave.
        drain: bool,
        /// False when the worker must register again.
        known: bool,
    },
    /// Writes the commit. Ends in `PublishEnded`.
    Publish { job: JobId },
    /// Tells the job's watchers that its state or progress changed.
    Changed { job: JobId },
    /// Tells operators of something from which nothing follows.
    Noticed(Notice),
    /// Logs that a rule of the machine does not hold. The job, if it is live, fails as internal.
    Violated(Violation),
    /// Frees what the driver holds for a job that is over.
    Ended { job: JobId },
}

/// One task granted to one worker, as the machine knows it: the driver adds what is to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantedTask {
    /// Names the grant in heartbeats and reports.
    pub key: GrantKey,
    /// The task's place in the plan.
    pub index: TaskIndex,
    /// How long it holds without a heartbeat. A duration, because clocks differ.
    pub ttl: Duration,
    /// What the worker may take for the job from now on.
    pub share: JobShare,
}
