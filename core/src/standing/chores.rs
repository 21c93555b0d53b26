//! Which audits and vacuums of replicas run: at most some at once, one of a table at a time, and
//! none while a sync of the table is at work.
//!
//! A sync that begins meanwhile is not held up: an audit looks at one version, whose objects stay
//! for the retention, and a vacuum and a sync know of each other.

use std::collections::BTreeSet;

use super::action::StandingAction;
use super::fact::StandingFact;
use super::round::TableStage;
use super::state::{ChoreKey, Chores, Standing};
use super::upkeep::{Upkeep, UpkeepKind, UpkeepOutcome, UpkeepRecord};
use crate::calendar::schedule::Schedule;
use crate::ids::{ReplicationId, TableNumber};
use crate::unix_time::UnixTime;

/// One kind of upkeep of a table, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpkeepView {
    pub is_running: bool,
    /// When it starts next, unless it runs or waits for its turn.
    pub next: Option<UnixTime>,
    /// Tries in a row that failed.
    pub failures: u32,
}

impl Standing {
    /// Returns one kind of upkeep of a table; `None` where it is not wanted.
    #[must_use]
    pub fn upkeep(
        &self,
        replication: ReplicationId,
        table: TableNumber,
        kind: UpkeepKind,
    ) -> Option<UpkeepView> {
        let upkeep = self.chores.all.get(&(replication, table, kind))?;
        let failures = upkeep.record.failures;
        Some(UpkeepView { is_running: upkeep.running.is_some(), next: upkeep.starts(), failures })
    }

    /// Takes which tables have a replica.
    pub(super) fn set_replicas(
        &mut self,
        id: ReplicationId,
        tables: &BTreeSet<TableNumber>,
        actions: &mut Vec<StandingAction>,
    ) {
        let gone = self.chores_of(id).filter(|(_, table, _)| !tables.contains(table)).collect();
        self.drop_chores(gone, actions);
        for (kind, schedule) in self.schedules(id) {
            for table in tables {
                let key = (id, *table, kind);
                if !self.chores.all.contains_key(&key) {
                    let upkeep = Upkeep::new(schedule.clone(), &name(key), self.now);
                    actions.push(record(key, Some(upkeep.record)));
                    self.chores.insert(key, upkeep);
                }
            }
        }
    }

    /// Follows a change of the order: of its schedules, and of whether it is wanted at all.
    pub(super) fn follow_schedules(
        &mut self,
        id: ReplicationId,
        actions: &mut Vec<StandingAction>,
    ) {
        let schedules = self.schedules(id);
        let has = |kind| schedules.iter().any(|(wanted, _)| *wanted == kind);
        let gone = self.chores_of(id).filter(|(_, _, kind)| !has(*kind)).collect();
        self.drop_chores(gone, actions);
        for key in self.chores_of(id).collect::<Vec<_>>() {
            let schedule = schedules.iter().find(|(kind, _)| *kind == key.2);
            let Some(((_, schedule), now)) = schedule.zip(Some(self.now)) else { continue };
            let Some(mut upkeep) = self.chores.take(key) else { continue };
            if upkeep.follow(schedule, &name(key), now) {
                actions.push(record(key, Some(upkeep.record)));
            }
            self.chores.insert(key, upkeep);
        }
    }

    /// Goes on from records after a restart: what was under way is due again.
    pub(super) fn recover_chores(
        &mut self,
        id: ReplicationId,
        records: Vec<((TableNumber, UpkeepKind), UpkeepRecord)>,
    ) {
        let schedules = self.schedules(id);
        for ((table, kind), record) in records {
            let key = (id, table, kind);
            let schedule = schedules.iter().find(|(wanted, _)| *wanted == kind);
            let Some((_, schedule)) = schedule else { continue };
            let mut upkeep =
                Upkeep::new(schedule.clone(), &name(key), self.now).with_record(record);
            upkeep.follow_clock(self.now);
            self.chores.insert(key, upkeep);
        }
        self.chores_come_due(false);
    }

    /// A try is over.
    pub(super) fn upkeep_ended(
        &mut self,
        key: ChoreKey,
        outcome: UpkeepOutcome,
        actions: &mut Vec<StandingAction>,
    ) {
        self.chores.running.remove(&key);
        let Some(mut upkeep) = self.chores.take(key) else { return };
        if upkeep.end(outcome, self.now) {
            actions.push(record(key, Some(upkeep.record)));
        }
        self.chores.insert(key, upkeep);
        self.chores_come_due(false);
    }

    /// Moves those whose time has come to the ones that wait for their turn.
    pub(super) fn chores_come_due(&mut self, is_set_back: bool) {
        if is_set_back {
            for key in self.chores.all.keys().copied().collect::<Vec<_>>() {
                let Some(mut upkeep) = self.chores.take(key) else { continue };
                upkeep.follow_clock(self.now);
                self.chores.insert(key, upkeep);
            }
        }
        while let Some((at, key)) = self.chores.wakes.first().copied()
            && at <= self.now
        {
            self.chores.wakes.remove(&(at, key));
            self.chores.due.insert((at, key));
        }
    }

    /// Begins those for which there is a place and whose table no sync is at work for: those that
    /// have waited longest first.
    pub(super) fn take_chores(&mut self, actions: &mut Vec<StandingAction>) {
        self.chores_come_due(false);
        let is_full = |chores: &Chores, most| chores.running.len() >= most;
        let most = self.limits.upkeep_at_once_max;
        if is_full(&self.chores, most) {
            return;
        }
        for (at, key) in self.chores.due.clone() {
            if is_full(&self.chores, most) {
                return;
            }
            let (replication, table, kind) = key;
            if self.is_at_work(replication, table) || self.chores.is_kept(replication, table) {
                continue;
            }
            self.chores.due.remove(&(at, key));
            let Some(upkeep) = self.chores.all.get_mut(&key) else { continue };
            upkeep.begin(self.now);
            self.chores.running.insert(key);
            actions.push(StandingAction::Upkeep { replication, table, kind });
        }
    }

    /// Whether a sync of the table is under way and is not held.
    fn is_at_work(&self, id: ReplicationId, table: TableNumber) -> bool {
        let replication = self.replications.get(&id);
        let round = replication.and_then(|replication| replication.round.as_ref());
        let stage = round.and_then(|round| round.tables.get(&table)).map(|table| &table.stage);
        matches!(stage, Some(TableStage::Submitted(job)) if job.takes_place())
    }

    /// What is wanted for the replicas; nothing once they are retired.
    fn schedules(&self, id: ReplicationId) -> Vec<(UpkeepKind, Schedule)> {
        let replication = self.replications.get(&id);
        let kept = replication.filter(|replication| !replication.record.is_retired);
        kept.into_iter()
            .flat_map(|kept| &kept.order.upkeep)
            .map(|(kind, schedule)| (*kind, schedule.clone()))
            .collect()
    }

    fn chores_of(&self, id: ReplicationId) -> impl Iterator<Item = ChoreKey> {
        let first = (id, TableNumber(0), UpkeepKind::Audit);
        let keys = self.chores.all.range(first..).map(|(key, _)| *key);
        keys.take_while(move |(replication, ..)| *replication == id)
    }

    fn drop_chores(&mut self, keys: Vec<ChoreKey>, actions: &mut Vec<StandingAction>) {
        for key in keys {
            if self.chores.take(key).is_some() {
                actions.push(record(key, None));
            }
        }
    }
}

impl Chores {
    /// Adds one, which is waited for unless it runs.
    fn insert(&mut self, key: ChoreKey, upkeep: Upkeep) {
        self.wakes.extend(upkeep.starts().map(|at| (at, key)));
        self.all.insert(key, upkeep);
    }

    /// Takes one away, so that nothing waits for it.
    fn take(&mut self, key: ChoreKey) -> Option<Upkeep> {
        let upkeep = self.all.remove(&key)?;
        if let Some(at) = upkeep.starts() {
            self.wakes.remove(&(at, key));
            self.due.remove(&(at, key));
        }
        Some(upkeep)
    }

    /// Whether something is done for the replica of a table.
    fn is_kept(&self, replication: ReplicationId, table: TableNumber) -> bool {
        let first = (replication, table, UpkeepKind::Audit);
        let last = (replication, table, UpkeepKind::Vacuum);
        self.running.range(first..=last).next().is_some()
    }

    /// Whether each is waited for, due or under way, and nothing else is.
    pub(super) fn is_consistent(&self, at_once_max: usize) -> bool {
        let waits = |(key, upkeep): (&ChoreKey, &Upkeep)| match upkeep.starts() {
            Some(at) => self.wakes.contains(&(at, *key)) != self.due.contains(&(at, *key)),
            None => self.running.contains(key),
        };
        let waiting = self.all.values().filter(|upkeep| upkeep.running.is_none()).count();
        self.all.iter().all(waits)
            && self.wakes.len() + self.due.len() == waiting
            && self.running.len() <= at_once_max
    }
}

/// By which the start of a slot is spread.
fn name((replication, table, kind): ChoreKey) -> String {
    format!("{replication}/{}/{kind:?}", table.0)
}

fn record((replication, table, kind): ChoreKey, record: Option<UpkeepRecord>) -> StandingAction {
    StandingAction::Record(StandingFact::Upkeep { replication, table, kind, record })
}
