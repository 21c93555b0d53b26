//! What was seen of a run, for the checkers.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::{GrantKey, JobId, TaskFingerprint, WorkerId};
use deepclone_core::machine::End;

use crate::steps::SeenSteps;

/// A plan as the effect made it: the head that it starts from, and its tasks.
pub(crate) type Planned = (Option<u64>, Vec<u8>);

/// What is checked against.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The newest plan of each job.
    pub(crate) plans: BTreeMap<JobId, Planned>,
    /// Tasks whose receipt is durable.
    pub(crate) done: BTreeSet<(JobId, TaskFingerprint)>,
    /// Tasks whose evidence a vacuum once made stale.
    pub(crate) stale: BTreeSet<TaskFingerprint>,
    /// Who could not reach an object of which task, and in which epoch it said so.
    pub(crate) denied: BTreeSet<(WorkerId, JobId, TaskFingerprint, u64)>,
    /// When each job ended.
    pub(crate) ended_ms: BTreeMap<JobId, u64>,
    pub(crate) intended: BTreeSet<JobId>,
    pub(crate) steps: SeenSteps,
    /// How each job ended.
    pub(crate) ends: BTreeMap<JobId, End>,
}

/// What copying took, for each task of each job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// Copies that workers began.
    pub(crate) began: BTreeMap<(JobId, TaskFingerprint), u64>,
    /// Copies that failed, or that ended with the death of their worker.
    pub(crate) excused: BTreeMap<(JobId, TaskFingerprint), u64>,
    /// Copies that were given while another worker copied the task.
    pub(crate) copies: BTreeMap<(JobId, TaskFingerprint), u64>,
    /// Grants whose leases ended at their workers, which heard nothing from the coordinator.
    pub(crate) lapsed: BTreeSet<GrantKey>,
}
