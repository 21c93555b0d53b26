//! What applying a set would do, with what its sources and targets say.

use deepclone_core::money::Money;
use deepclone_core::price::Traffic;
use deepclone_core::replication::ReplicationName;

use super::diff::{BudgetDiff, ReplicationChange, ReplicationDiff};
use super::survey::Survey;

/// What becomes of one replication, and what that means for its tables.
#[derive(Clone, Debug)]
pub struct PlannedChange {
    pub diff: ReplicationDiff,
    /// `None` where no table is another one than before.
    pub survey: Option<Survey>,
    /// What the first round would cost after all that this month has seen; `None` when that is not
    /// known.
    pub cost: Option<Money>,
}

/// All that applying a set does.
#[derive(Clone, Debug)]
pub struct PlannedSet {
    pub replications: Vec<PlannedChange>,
    /// The budgets of several replications that change.
    pub budgets: Vec<BudgetDiff>,
    /// The name of the prices that the costs are by.
    pub price_table: String,
}

/// Joins both. A new replication whose replicas are there adopts them. `price` says what it costs
/// that a replication sends so much.
#[must_use]
pub fn planned(
    diffs: Vec<ReplicationDiff>,
    surveys: Vec<Survey>,
    price: impl Fn(&ReplicationName, Traffic) -> Option<Money>,
) -> Vec<PlannedChange> {
    let mut surveys = surveys;
    let join = |mut diff: ReplicationDiff| {
        let at = surveys.iter().position(|survey| survey.name == diff.name);
        let survey = at.map(|at| surveys.swap_remove(at));
        let adopts = survey.as_ref().is_some_and(|survey| survey.replicas > 0);
        if diff.change == ReplicationChange::Create && adopts {
            diff.change = ReplicationChange::Adopt;
        }
        let copies = survey.as_ref().and_then(|survey| survey.copies);
        let traffic = copies.and_then(|copies| copies.known_traffic());
        let cost = traffic.and_then(|traffic| price(&diff.name, traffic));
        PlannedChange { diff, survey, cost }
    };
    diffs.into_iter().map(join).collect()
}
