//! What applying a set would do, with what its sources and targets say.

use deepclone_core::money::Money;

use super::diff::{ReplicationChange, ReplicationDiff};
use super::survey::Survey;

/// What becomes of one replication, and what that means for its tables.
#[derive(Clone, Debug)]
pub struct PlannedChange {
    pub diff: ReplicationDiff,
    /// `None` where no table is another one than before.
    pub survey: Option<Survey>,
    /// What the first round would cost by list prices; `None` when that is not known.
    pub cost: Option<Money>,
}

/// Joins both. A new replication whose replicas are there adopts them.
#[must_use]
pub fn planned(diffs: Vec<ReplicationDiff>, surveys: Vec<Survey>) -> Vec<PlannedChange> {
    let mut surveys = surveys;
    let join = |mut diff: ReplicationDiff| {
        let at = surveys.iter().position(|survey| survey.name == diff.name);
        let survey = at.map(|at| surveys.swap_remove(at));
        let adopts = survey.as_ref().is_some_and(|survey| survey.replicas > 0);
        if diff.change == ReplicationChange::Create && adopts {
            diff.change = ReplicationChange::Adopt;
        }
        PlannedChange { diff, survey, cost: None }
    };
    diffs.into_iter().map(join).collect()
}
