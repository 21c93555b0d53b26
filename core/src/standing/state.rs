//! The state of all standing replications.

use std::collections::{BTreeMap, BTreeSet};

use super::action::StandingAction;
use super::context::{JobPlaces, StepContext};
use super::limits::StandingLimits;
use super::replication::Replication;
use super::upkeep::{Upkeep, UpkeepKind};
use crate::budget::BudgetLedger;
use crate::ids::{ReplicationId, TableNumber};
use crate::limits::STANDING_SLEEP_MAX;
use crate::unix_time::UnixTime;

/// Decides when each replication begins a round, and what a round does next.
#[derive(Clone, Debug)]
pub struct Standing {
    pub(super) limits: StandingLimits,
    /// The time of the newest step.
    pub(super) now: UnixTime,
    pub(super) replications: BTreeMap<ReplicationId, Replication>,
    pub(super) jobs: JobPlaces,
    pub(super) ledger: BudgetLedger,
    /// Whether budgets may have room that they did not have.
    pub(super) recheck_due: bool,
    /// When each replication must be looked at again.
    pub(super) wakes: BTreeSet<(UnixTime, ReplicationId)>,
    /// Those whose round waits for nothing but its turn.
    pub(super) ready: BTreeSet<ReplicationId>,
    /// Those that the step looked at.
    pub(super) touched: BTreeSet<ReplicationId>,
    pub(super) chores: Chores,
}

/// One kind of upkeep of one table.
pub(super) type ChoreKey = (ReplicationId, TableNumber, UpkeepKind);

/// The upkeep of all replicas.
#[derive(Clone, Debug, Default)]
pub(super) struct Chores {
    pub(super) all: BTreeMap<ChoreKey, Upkeep>,
    /// When each that does not wait for anything else starts.
    pub(super) wakes: BTreeSet<(UnixTime, ChoreKey)>,
    /// Those that are due, since when, and wait for a place or for a sync of their table.
    pub(super) due: BTreeSet<(UnixTime, ChoreKey)>,
    /// Those under way, also of tables that are not wanted any more.
    pub(super) running: BTreeSet<ChoreKey>,
}

impl Standing {
    /// Returns a scheduler without replications.
    #[must_use]
    pub fn new(limits: StandingLimits, now: UnixTime) -> Self {
        Self {
            limits,
            now,
            replications: BTreeMap::new(),
            jobs: BTreeMap::new(),
            ledger: BudgetLedger::default(),
            recheck_due: false,
            wakes: BTreeSet::new(),
            ready: BTreeSet::new(),
            touched: BTreeSet::new(),
            chores: Chores::default(),
        }
    }

    /// When [`StandingEvent::Woken`](super::StandingEvent::Woken) is due at the latest: some
    /// minutes after the newest step, because clocks are set. `None` when nothing is waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<UnixTime> {
        let latest = self.now.after(STANDING_SLEEP_MAX);
        let rounds = self.wakes.first().map(|(at, _)| *at);
        let chores = self.chores.wakes.first().map(|(at, _)| *at);
        let first = rounds.into_iter().chain(chores).min();
        first.map(|at| at.min(latest)).or_else(|| (!self.replications.is_empty()).then_some(latest))
    }

    /// All replications, retired ones too.
    pub fn replications(&self) -> impl Iterator<Item = ReplicationId> {
        self.replications.keys().copied()
    }

    /// What the budgets have been used for.
    #[must_use]
    pub fn ledger(&self) -> &BudgetLedger {
        &self.ledger
    }

    /// A replication, and what a step on it may use; the step counts as one that looked at it.
    pub(super) fn open<'a>(
        &'a mut self,
        id: ReplicationId,
        actions: &'a mut Vec<StandingAction>,
    ) -> Option<(&'a mut Replication, StepContext<'a>)> {
        let replication = self.replications.get_mut(&id)?;
        self.touched.insert(id);
        let (now, jobs, ledger) = (self.now, &mut self.jobs, &mut self.ledger);
        Some((replication, StepContext { id, now, jobs, ledger, actions }))
    }
}
