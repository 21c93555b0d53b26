//! What the checkers remember of what happened.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::budget::BudgetKey;
use deepclone_core::calendar::zone::Month;
use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::standing::{RoundCause, RoundOutcome, UpkeepKind};
use deepclone_core::unix_time::UnixTime;

#[derive(Default)]
pub(crate) struct Rounds {
    /// The round under way of each replication.
    pub(crate) open: BTreeMap<ReplicationId, (u64, RoundCause)>,
    pub(crate) ended: BTreeMap<ReplicationId, Vec<(u64, RoundCause, RoundOutcome)>>,
    pub(crate) jobs: BTreeMap<JobId, (ReplicationId, u64, TableNumber)>,
}

impl Rounds {
    /// No id is that of two different pieces of work. A round that is over may have left jobs to
    /// the open one.
    pub(crate) fn submitted(&mut self, work: (ReplicationId, u64, TableNumber), job: JobId) {
        let known = self.jobs.insert(job, work);
        assert!(known.is_none_or(|known| known == work), "{job} was {known:?}, and is {work:?}");
        let open = self.open.get(&work.0).map(|(number, _)| *number);
        let may_be = open.is_some_and(|open| work.1 <= open);
        assert!(may_be, "{job} is of round {}, and {open:?} is open", work.1);
    }
}

#[derive(Default)]
pub(crate) struct Slots {
    /// From which time on slots count.
    pub(crate) first: BTreeMap<ReplicationId, UnixTime>,
    pub(crate) decided: BTreeMap<ReplicationId, u64>,
    pub(crate) newest: BTreeMap<ReplicationId, UnixTime>,
    pub(crate) was_set: bool,
}

impl Slots {
    pub(crate) fn clock_is_set(&mut self, step: i64) {
        self.was_set = true;
        if step < 0 {
            // Slots may come again.
            self.newest.clear();
        }
    }
}

/// One kind of upkeep of one table.
pub(crate) type Chore = (ReplicationId, TableNumber, UpkeepKind);

#[derive(Default)]
pub(crate) struct Keeping {
    pub(crate) running: BTreeSet<Chore>,
    /// How often each ended well, and when that was last.
    pub(crate) done: BTreeMap<Chore, (u64, u64)>,
    pub(crate) failed: u64,
}

#[derive(Default)]
pub(crate) struct Money {
    pub(crate) entries: BTreeMap<(BudgetKey, JobId, Month), (u64, u64)>,
    /// What all jobs of a budget have reserved, each alone and together.
    pub(crate) reserved: BTreeMap<BudgetKey, BTreeMap<JobId, u64>>,
    pub(crate) spent: BTreeMap<(BudgetKey, Month), u64>,
}

impl Money {
    pub(crate) fn has_reserved(&self, budget: &BudgetKey, job: JobId) -> bool {
        self.reserved.get(budget).is_some_and(|jobs| jobs.contains_key(&job))
    }
}

#[derive(Default)]
pub(crate) struct Alive {
    /// When a slot was last decided.
    pub(crate) decided: BTreeMap<ReplicationId, (u64, UnixTime)>,
    /// When the clock was last set, or the coordinator started.
    pub(crate) set: u64,
}

impl Alive {
    pub(crate) fn clock_is_set(&mut self, now: u64) {
        self.set = now;
    }

    pub(crate) fn resumed(&mut self, id: ReplicationId, now: u64) {
        if let Some((at, _)) = self.decided.get_mut(&id) {
            *at = now;
        }
    }
}
