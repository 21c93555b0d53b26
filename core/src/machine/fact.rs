//! What must survive a crash of the coordinator: a closed vocabulary, and few.
//!
//! Heartbeats, grants and progress are never facts: leases are re-announced after a restart.

use super::event::Route;
use super::job_state::JobState;
use super::progress::Progress;
use crate::failure::Failure;
use crate::ids::{JobId, PlanDigest, TargetKey, TaskFingerprint};
use crate::receipt::{Receipt, TaskFailureKind};

/// Something that happened and stays so.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A job exists.
    Created {
        /// The job.
        job: JobId,
        /// Its target.
        target: TargetKey,
        /// The connections that its workers need.
        route: Route,
        /// The spec, opaque here.
        spec: Vec<u8>,
    },
    /// A plan was made; a later one of the same job replaces it.
    Planned {
        /// The job.
        job: JobId,
        /// Identity of the plan.
        digest: PlanDigest,
        /// The source's version that it leads to.
        source_version: u64,
        /// The replica's head that it starts from.
        replica_version: Option<u64>,
    },
    /// A task's objects are at the target.
    TaskDone {
        /// The job.
        job: JobId,
        /// The task's content.
        fingerprint: TaskFingerprint,
        /// The evidence.
        receipt: Receipt,
    },
    /// An attempt at a task failed and counts against its budget.
    TaskFailed {
        /// The job.
        job: JobId,
        /// The task's content.
        fingerprint: TaskFingerprint,
        /// Why.
        kind: TaskFailureKind,
    },
    /// A client asked to end it.
    CancelRequested {
        /// The job.
        job: JobId,
    },
    /// The commit may be on its way: from here the replica's log decides, not we.
    PublishIntended {
        /// The job.
        job: JobId,
    },
    /// The commit is in the replica's log.
    Published {
        /// The job.
        job: JobId,
        /// Its version.
        version: u64,
    },
    /// The job is over.
    Ended {
        /// The job.
        job: JobId,
        /// How.
        end: End,
        /// How far it was, and what it took: its other facts may be dropped from here.
        progress: Progress,
    },
}

impl Fact {
    /// The job that it is of.
    #[must_use]
    pub fn job(&self) -> JobId {
        match self {
            Self::Created { job, .. }
            | Self::Planned { job, .. }
            | Self::TaskDone { job, .. }
            | Self::TaskFailed { job, .. }
            | Self::CancelRequested { job }
            | Self::PublishIntended { job }
            | Self::Published { job, .. }
            | Self::Ended { job, .. } => *job,
        }
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The replica is at the source's version.
    Succeeded {
        /// The source's version.
        source_version: u64,
        /// The replica's version.
        replica_version: u64,
        /// True when there was nothing to do.
        up_to_date: bool,
    },
    /// Refused or failed; the replica is unchanged.
    Failed(Failure),
    /// Cancelled before it was published; the replica is unchanged.
    Cancelled,
}

impl End {
    /// The state of a job that ended so.
    #[must_use]
    pub fn state(&self) -> JobState {
        match self {
            Self::Succeeded { .. } => JobState::Succeeded,
            Self::Failed(_) => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        }
    }
}
