//! What the engine knows of a replication beside the scheduler: its declaration and its tables.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::money::Money;
use deepclone_core::readiness::lag::ReplicaFreshness;
use deepclone_core::readiness::retention::RetentionFacts;
use deepclone_core::replication::{CheckedReplication, ReplicationSpec, SpecError};
use deepclone_core::standing::RoundOutcome;
use deepclone_core::unix_time::UnixTime;
use uuid::Uuid;

use super::kept::{Approval, KeptTable, Times};
use super::lag_history::LagHistory;
use super::news::{JobFigures, JobNews};
use super::probe::{ProbeOrder, Probed};
use super::view::{ReplicationCounts, RoundView};
use crate::costs::priced::Priced;

/// Rounds of a replication that are kept for people.
pub(super) const ROUNDS_KEPT: usize = 100;

/// A replication and its tables.
#[derive(Debug)]
pub(super) struct ReplicationEntry {
    pub(super) id: ReplicationId,
    pub(super) spec: Arc<ReplicationSpec>,
    pub(super) checked: CheckedReplication,
    /// What identifies it at its targets.
    pub(super) owner: Uuid,
    pub(super) created: UnixTime,
    pub(super) updated: UnixTime,
    pub(super) tables: BTreeMap<TableNumber, Table>,
    /// Rounds, the newest one first.
    pub(super) history: VecDeque<RoundView>,
    pub(super) lag_history: Arc<LagHistory>,
    /// Why the sources could not be asked last.
    pub(super) probe_failure: Option<Failure>,
    /// Bytes per second of all its jobs together; `None` for any number.
    pub(super) rate: Option<u64>,
    pub(super) is_retired: bool,
    /// Its sources have been listed under its declaration.
    pub(super) has_looked: bool,
    /// What the ended jobs of the round under way sent.
    pub(super) sent_in_round: RoundSent,
    pub(super) counts: ReplicationCounts,
}

/// What the jobs of a round sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundSent {
    pub(super) bytes_read: u64,
    /// `None` while nothing was sent.
    pub(super) cost: Option<Priced>,
}

impl RoundSent {
    pub(super) fn add(&mut self, job: &JobFigures) {
        self.bytes_read = self.bytes_read.saturating_add(job.bytes_read);
        self.cost = match (self.cost.take(), &job.cost) {
            (Some(before), Some(more)) => Some(before.plus(more)),
            (before, more) => before.or_else(|| more.clone()),
        };
    }
}

/// A table of a replication. Its number stays, also while it is gone.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) kept: KeptTable,
    /// It was not found when the sources were asked last.
    pub(super) is_gone: bool,
    pub(super) failure: Option<Failure>,
    /// When the first of the failures in a row was.
    pub(super) failing_since: Option<UnixTime>,
    pub(super) job: Option<(JobId, Option<JobFigures>)>,
    /// Its job was under way before this process began: what that had read counts no more.
    pub(super) is_recovered: bool,
    /// The newest look at both sides, since this process began, found them as the last sync left
    /// them, and no look since has found more.
    pub(super) is_proven: bool,
    pub(super) rate: JobRate,
}

/// How much a look at the stores asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookDepth {
    /// Both sides of every table.
    Whole,
    /// The replicas of tables without news once in a while only.
    AsDue,
}

/// Bytes per second; `None`: any number.
pub(super) type Rate = Option<u64>;

/// What is known of the rate of a table's job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct JobRate {
    /// Whether the job may get tasks.
    pub(super) may_copy: bool,
    /// What a budget demands.
    pub(super) slow: Rate,
    /// What the job was told last; `None`: not known.
    pub(super) told: Option<Rate>,
}

impl Table {
    pub(super) fn new(kept: KeptTable) -> Self {
        let (failure, failing_since, job, rate) = (None, None, None, JobRate::default());
        let (is_gone, is_recovered, is_proven) = (false, false, false);
        Self { kept, is_gone, failure, failing_since, job, is_recovered, is_proven, rate }
    }

    /// Its job is over, or is not followed any more.
    pub(super) fn end_job(&mut self) -> Option<(JobId, Option<JobFigures>)> {
        self.rate = JobRate::default();
        self.is_recovered = false;
        self.job.take()
    }

    /// Drops what is known of it at other stores than those that it is kept at now. A job that is
    /// under way there is not followed any more.
    pub(super) fn forget(&mut self) {
        let path = std::mem::take(&mut self.kept.path);
        *self = Self::new(KeptTable::unknown(path));
    }

    pub(super) fn freshness(&self, check_failed: bool) -> ReplicaFreshness {
        ReplicaFreshness {
            is_copied: self.kept.synced.is_some(),
            checked: self.kept.checked,
            check_failed,
            lacks_since: self.kept.lacks_since,
            replica_checked: self.kept.replica_checked,
        }
    }

    /// Takes the end of a sync: the replica shows this version.
    pub(super) fn synced(&mut self, source: u64, replica: u64, planned: UnixTime, now: UnixTime) {
        self.kept.synced = Some((source, replica));
        (self.kept.synced_file, self.kept.replica_file) = (None, None);
        self.kept.is_replica_changed = false;
        self.kept.synced_at = Some(now);
        self.kept.replica_checked = Some(now);
        self.is_proven = false;
        self.kept.source_version = self.kept.source_version.max(Some(source));
        if self.kept.source_version == Some(source) {
            // Its plan read the source's log, and found no newer version.
            self.kept.checked = self.kept.checked.max(Some(planned));
            self.kept.lacks_since = None;
            self.kept.is_cleaned = false;
        }
        self.is_well();
        self.is_gone = false;
    }

    /// Takes what the plan of its own job says of its source.
    pub(super) fn learn(&mut self, job: JobId, news: &JobNews) {
        let (JobNews::Moved(figures) | JobNews::Ended { figures, .. }) = news else { return };
        if self.job.as_ref().is_some_and(|(own, _)| *own == job) {
            self.kept.retention = figures.kept.or(self.kept.retention);
        }
    }

    /// What is known of how long its source keeps what a sync needs.
    pub(super) fn retention(&self) -> RetentionFacts {
        RetentionFacts {
            kept: self.kept.retention,
            is_cleaned: self.kept.is_cleaned,
            planned: self.job.as_ref().and_then(|(_, figures)| figures.as_ref()?.planned),
        }
    }

    pub(super) fn is_well(&mut self) {
        (self.failure, self.failing_since) = (None, None);
    }

    pub(super) fn fail(&mut self, failure: Failure, now: UnixTime) {
        self.failing_since.get_or_insert(now);
        self.failure = Some(failure);
    }
}

impl ReplicationEntry {
    /// Returns a replication without tables.
    ///
    /// # Errors
    /// Every mistake in its declaration.
    pub(super) fn of_kept(
        id: ReplicationId,
        spec: &ReplicationSpec,
        owner: Uuid,
        times: Times,
        now: UnixTime,
    ) -> Result<Self, Vec<SpecError>> {
        let Times { created, updated } = times;
        Ok(Self { created, updated, ..Self::new(id, spec.check(now)?, owner, now) })
    }

    /// Returns a replication that is declared now.
    pub(super) fn new(
        id: ReplicationId,
        checked: CheckedReplication,
        owner: Uuid,
        now: UnixTime,
    ) -> Self {
        Self {
            id,
            spec: Arc::new(checked.spec.clone()),
            rate: checked.bandwidth.at(now).bytes_per_second,
            checked,
            owner,
            created: now,
            updated: now,
            tables: BTreeMap::new(),
            history: VecDeque::new(),
            lag_history: Arc::default(),
            probe_failure: None,
            is_retired: false,
            has_looked: false,
            sent_in_round: RoundSent::default(),
            counts: ReplicationCounts::default(),
        }
    }

    pub(super) fn with_tables(mut self, kept: BTreeMap<TableNumber, KeptTable>) -> Self {
        let table = |kept: KeptTable| {
            // In a state of before that was kept, each look was one at both sides.
            let replica_checked = kept.replica_checked.or(kept.checked);
            Table::new(KeptTable { replica_checked, ..kept })
        };
        self.tables = kept.into_iter().map(|(number, kept)| (number, table(kept))).collect();
        self
    }

    /// Takes rounds, the oldest first, and how far it was behind.
    pub(super) fn with_history(mut self, rounds: Vec<RoundView>, lag: LagHistory) -> Self {
        self.history = rounds.into_iter().rev().take(ROUNDS_KEPT).collect();
        self.lag_history = Arc::new(lag);
        self
    }

    pub(super) fn fail(&mut self, number: TableNumber, failure: Failure, now: UnixTime) {
        if let Some(table) = self.tables.get_mut(&number) {
            table.fail(failure, now);
        }
    }

    /// True when its tables are at other connections under this declaration.
    pub(super) fn is_moved_by(&self, spec: &ReplicationSpec) -> bool {
        self.spec.source != spec.source || self.spec.target != spec.target
    }

    /// The tables that have been synced.
    pub(super) fn synced_paths(&self) -> BTreeSet<String> {
        let synced = self.tables.values().filter(|table| table.kept.synced.is_some());
        synced.map(|table| table.kept.path.clone()).collect()
    }

    /// What a look at its tables is to find out at `now`.
    pub(super) fn probe_order(&self, depth: LookDepth, now: UnixTime) -> ProbeOrder {
        let is_brief = |table: &&Table| depth == LookDepth::AsDue && table.may_be_brief(now);
        let brief = self.tables.values().filter(is_brief).map(|table| table.kept.path.clone());
        let synced = |table: &Table| Some((table.kept.path.clone(), table.kept.known_sync()?));
        ProbeOrder {
            source: self.spec.source.clone(),
            target: self.spec.target.clone(),
            tables: self.checked.tables.clone(),
            synced: self.tables.values().filter_map(synced).collect(),
            brief: brief.collect(),
            sized: self.sized_paths(),
        }
    }

    /// The tables whose bytes nobody needs to know; `None`: those of no table.
    fn sized_paths(&self) -> Option<BTreeSet<String>> {
        let unsized_ = Approval::Asked { bytes: None };
        let sized = self.tables.values().filter(|table| table.kept.approval != unsized_);
        let paths = sized.map(|table| table.kept.path.as_str());
        let paths = paths.chain(self.checked.tables.literals()).map(str::to_owned);
        (self.has_looked && self.spec.ask_above_bytes.is_some()).then(|| paths.collect())
    }

    /// Takes what the sources answered, and returns the tables that are behind, with those whose
    /// rows changed.
    pub(super) fn take_probe(&mut self, probed: Probed) -> (Vec<TableNumber>, Vec<TableNumber>) {
        let Probed { at, tables } = probed;
        self.probe_failure = None;
        for table in self.tables.values_mut() {
            table.is_gone = !tables.contains_key(&table.kept.path);
        }
        let (mut behind, mut changed) = (Vec::new(), Vec::new());
        for (path, answer) in tables {
            let number = self.number(&path);
            let approval = self.approval_of_new(&path);
            let new = || Table::new(KeptTable { approval, ..KeptTable::unknown(path) });
            let before = self.tables.entry(number).or_insert_with(new).kept.clone();
            self.judge_approval(number, answer.as_ref().ok().and_then(|look| look.source.bytes));
            let Some(table) = self.tables.get_mut(&number) else { continue };
            match answer {
                Ok(look) => {
                    if table.take_look(look, at) {
                        behind.push(number);
                    }
                }
                Err(failure) => table.fail(failure, at),
            }
            if table.kept != before {
                changed.push(number);
            }
        }
        self.has_looked = true;
        (behind, changed)
    }

    /// The number of a table; the next one for a table that has none.
    fn number(&self, path: &str) -> TableNumber {
        let known = self.tables.iter().find(|(_, table)| table.kept.path == path);
        let next = self.tables.keys().next_back().map_or(0, |last| last.0 + 1);
        known.map_or(TableNumber(next), |(number, _)| *number)
    }

    /// Counts what a job sent since the figures before, of which there are none at first. What one
    /// had sent before this process began is not counted again.
    pub(super) fn count_sent(
        &mut self,
        figures: &JobFigures,
        before: Option<&JobFigures>,
        is_recovered: bool,
    ) {
        if is_recovered && before.is_none() {
            return;
        }
        let counts = &mut self.counts;
        counts.bytes_read = counts.bytes_read.saturating_add(figures.bytes_read_since(before));
        if let Some(more) = figures.spent_since(before) {
            let sum = counts.spent.filter(|spent| spent.currency == more.currency);
            let micros = sum.map_or(0, |sum| sum.micros).saturating_add(more.micros);
            counts.spent = Some(Money { micros, ..more });
        }
    }

    pub(super) fn count_round(&mut self, outcome: RoundOutcome) {
        let counts = &mut self.counts;
        match outcome {
            RoundOutcome::Copied { failed: 0, .. } => counts.rounds_done += 1,
            RoundOutcome::Copied { .. } | RoundOutcome::ProbeFailed => counts.rounds_failed += 1,
        }
    }

    pub(super) fn note_round(&mut self, round: RoundView) {
        self.history.retain(|known| known.number.is_none() || known.number != round.number);
        self.history.push_front(round);
        self.history.truncate(ROUNDS_KEPT);
    }
}
