//! What must survive a crash of the coordinator: a closed vocabulary, and few.
//!
//! Heartbeats, grants and progress are never facts: after a restart, workers announce what they
//! hold.

use super::event::Route;
use super::job_state::JobState;
use super::progress::Progress;
use crate::failure::Failure;
use crate::ids::{JobId, PlanDigest, TargetKey, TaskFingerprint};
use crate::job_limits::JobLimits;
use crate::receipt::{Receipt, TaskFailureKind};

/// Something that happened and stays so.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A job was accepted.
    Created {
        job: JobId,
        /// The table that it writes to.
        target: TargetKey,
        /// The connections that its workers need.
        route: Route,
        /// The encoded spec, which the machine does not read.
        spec: Vec<u8>,
    },
    /// The job has these limits, until a later fact of this kind.
    Limited { job: JobId, limits: JobLimits },
    /// A plan was made; a later one of the same job replaces it.
    Planned {
        job: JobId,
        /// Identity of the plan.
        digest: PlanDigest,
        /// The source's version that it leads to.
        source_version: u64,
        /// The replica version that it starts from; `None` without a replica.
        replica_version: Option<u64>,
    },
    /// A task's objects are at the target, or its step of a shared object is done: the receipt is
    /// the evidence.
    TaskDone { job: JobId, fingerprint: TaskFingerprint, receipt: Receipt },
    /// An attempt at a task failed and counts against its budget.
    TaskFailed { job: JobId, fingerprint: TaskFingerprint, kind: TaskFailureKind },
    /// The upload of a shared object is lost: what was recorded of its tasks before counts no more.
    GroupRestarted {
        job: JobId,
        /// All tasks of the group, the one that opens the upload first.
        fingerprints: Vec<TaskFingerprint>,
    },
    /// A client asked to cancel the job while its commit may have been on its way.
    CancelRequested { job: JobId },
    /// The commit may be on its way: from here on the replica's log decides.
    PublishIntended { job: JobId },
    /// The commit is in the replica's log, at this replica version.
    Published { job: JobId, version: u64 },
    /// The job is over: its other facts may be dropped.
    Ended {
        job: JobId,
        end: End,
        /// How far it was, and what it took.
        progress: Progress,
    },
}

impl Fact {
    /// Returns the job that the fact is about.
    #[must_use]
    pub fn job(&self) -> JobId {
        match self {
            Self::Created { job, .. }
            | Self::Limited { job, .. }
            | Self::Planned { job, .. }
            | Self::TaskDone { job, .. }
            | Self::TaskFailed { job, .. }
            | Self::GroupRestarted { job, .. }
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
    /// The replica holds the source's version.
    Succeeded {
        source_version: u64,
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
    /// Returns the state of a job that ended so.
    #[must_use]
    pub fn state(&self) -> JobState {
        match self {
            Self::Succeeded { .. } => JobState::Succeeded,
            Self::Failed(_) => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        }
    }
}
