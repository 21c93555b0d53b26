//! What a step on one replication may use of the rest.

use std::collections::BTreeMap;

use super::action::StandingAction;
use super::fact::StandingFact;
use crate::budget::BudgetLedger;
use crate::ids::{JobId, ReplicationId, TableNumber};
use crate::unix_time::UnixTime;

/// Which table a job is for.
pub(super) type JobPlaces = BTreeMap<JobId, (ReplicationId, TableNumber)>;

/// The replication that a step acts on, the time, and what the step may change beside it.
pub(super) struct StepContext<'a> {
    pub(super) id: ReplicationId,
    pub(super) now: UnixTime,
    /// The jobs that were submitted and have not ended.
    pub(super) jobs: &'a mut JobPlaces,
    pub(super) ledger: &'a mut BudgetLedger,
    pub(super) actions: &'a mut Vec<StandingAction>,
}

impl StepContext<'_> {
    pub(super) fn record(&mut self, fact: StandingFact) {
        self.actions.push(StandingAction::Record(fact));
    }
}
