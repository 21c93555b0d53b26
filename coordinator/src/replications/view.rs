//! Replications as others see them: the gRPC service, the pages and the metrics show the same.
//!
//! A [`FleetView`] is one moment of all of them. It is made by the engine and never changed.

use std::sync::Arc;
use std::time::Duration;

use deepclone_core::budget::{BudgetKey, MonthUse};
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::money::Money;
use deepclone_core::readiness::lag::{AnswerValidity, Lag, ReplicaFreshness};
use deepclone_core::readiness::retention::RetentionFacts;
use deepclone_core::readiness::verdict::{Member, ReadyVerdict, judge};
use deepclone_core::replication::{MaxLag, ReplicationSpec};
use deepclone_core::standing::Pause;
use deepclone_core::unix_time::UnixTime;
use serde::{Deserialize, Serialize};

use super::lag_history::LagHistory;
use super::upkeep_kept::{KeptAudit, KeptVacuum};
use crate::costs::priced::Priced;

/// All replications at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetView {
    pub at: UnixTime,
    /// In the order of their names.
    pub replications: Vec<Arc<ReplicationView>>,
}

/// One replication at that moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicationView {
    pub spec: Arc<ReplicationSpec>,
    pub state: StateView,
    /// Also while a round is under way, which goes on.
    pub pause: Option<Pause>,
    /// In the order of their paths.
    pub tables: Vec<TableView>,
    /// Tables that patterns found and that wait for approval, with their bytes.
    pub unapproved: Vec<(String, u64)>,
    /// The next slots, the first one first.
    pub slots: Vec<SlotView>,
    /// What ran and what was skipped, the newest first.
    pub rounds: Vec<RoundView>,
    pub counts: ReplicationCounts,
    /// What the budgets that it falls under have been used for in this month.
    pub budgets: Vec<(BudgetKey, MonthUse)>,
    /// How far it was behind in the last days.
    pub lag_history: Arc<LagHistory>,
    /// How long answers of both sides say how far a table is behind.
    pub valid_for: AnswerValidity,
    pub created: UnixTime,
    pub updated: UnixTime,
}

/// What a replication does now, or why it does nothing, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct StateView {
    pub state: ReplicationState,
    /// One line for people, such as `the window opens`.
    pub reason: String,
    /// When that ends; `None` when it is not known.
    pub until: Option<UnixTime>,
}

/// What a replication does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplicationState {
    /// The sources are asked, or tables are copied.
    Running,
    /// Its next slot has not come.
    WaitingForSlot,
    /// A slot has come, and the windows are closed.
    WaitingForWindow,
    /// Other replications go first.
    WaitingForTurn,
    /// A budget is used up.
    WaitingForBudget,
    Paused,
    /// It is not wanted any more.
    Retired,
}

/// One table of a replication.
#[derive(Clone, Debug, PartialEq)]
pub struct TableView {
    /// Below the roots of both connections.
    pub path: String,
    pub freshness: ReplicaFreshness,
    /// The newest version of the source, when it was last asked.
    pub source_version: Option<u64>,
    /// The source's version that the replica shows, and the replica's version that shows it.
    pub synced: Option<(u64, u64)>,
    /// When that was published, or found to be so.
    pub synced_at: Option<UnixTime>,
    /// Why its newest sync failed, or why its source cannot be read.
    pub failure: Option<Failure>,
    /// When that began; `None` when it does not fail, or that is not known.
    pub failing_since: Option<UnixTime>,
    pub job: Option<TableJob>,
    /// What is known of how long its source keeps what a sync needs.
    pub retention: RetentionFacts,
    /// What is known of its audits and vacuums; `None` where there was no try.
    pub audit: Option<KeptAudit>,
    pub vacuum: Option<KeptVacuum>,
    /// When the next of both begins; `None` while it runs or waits, and where none is wanted.
    pub next_audit: Option<UnixTime>,
    pub next_vacuum: Option<UnixTime>,
}

/// A sync of a table that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableJob {
    pub id: JobId,
    /// The state's name on the wire, such as `COPYING`.
    pub state: &'static str,
    pub bytes_total: u64,
    pub bytes_done: u64,
}

/// A slot that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotView {
    pub at: UnixTime,
    /// Why it will not start then, or not at all; empty when it will.
    pub note: String,
}

/// A round that ran or runs, or slots that were skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundView {
    /// `None` for skipped slots.
    pub number: Option<u64>,
    /// Why it ran, or why they were skipped: one line.
    pub cause: String,
    pub began: UnixTime,
    /// `None` while it runs.
    pub ended: Option<UnixTime>,
    /// Tables that were synced, and that failed.
    pub done: u32,
    pub failed: u32,
    /// Bytes that its jobs read, repeats included.
    pub bytes_read: u64,
    /// What that cost. `None` when nothing was read, or nobody counted.
    #[serde(default)]
    pub cost: Option<RoundCost>,
}

/// What a round cost, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundCost {
    pub micros: i64,
    /// The code of the currency; empty: the cost is not known.
    pub currency: String,
    pub price_table: String,
    /// Why the cost is not known.
    pub unknown: String,
}

impl From<Priced> for RoundCost {
    fn from(cost: Priced) -> Self {
        match cost {
            Priced::Known { money, price_table } => Self {
                micros: money.micros,
                currency: money.currency.code().to_owned(),
                price_table,
                unknown: String::new(),
            },
            Priced::Unknown(unknown) => {
                let (currency, price_table) = Default::default();
                Self { micros: 0, currency, price_table, unknown }
            }
        }
    }
}

impl From<&RoundCost> for Priced {
    fn from(cost: &RoundCost) -> Self {
        match cost.currency.parse() {
            Ok(currency) => Self::Known {
                money: Money { micros: cost.micros, currency },
                price_table: cost.price_table.clone(),
            },
            Err(_) => Self::Unknown(cost.unknown.clone()),
        }
    }
}

/// What a replication did since its coordinator started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicationCounts {
    /// Rounds that ended without a failure.
    pub rounds_done: u64,
    /// Rounds that ended while a table was not synced, or while the sources did not answer.
    pub rounds_failed: u64,
    pub slots_skipped: u64,
    /// Bytes that its jobs read, repeats included.
    pub bytes_read: u64,
    /// What they cost, as far as that is known; `None` before anything had a known price.
    pub spent: Option<Money>,
    /// Audits that found nothing, that found differences, and that could not be made.
    pub audits_clean: u64,
    pub audits_differing: u64,
    pub audits_failed: u64,
    /// Vacuums that ended, and that could not be made.
    pub vacuums_done: u64,
    pub vacuums_failed: u64,
}

impl ReplicationView {
    /// Returns how far each table is behind at `now`.
    pub fn lags(&self, now: UnixTime) -> impl Iterator<Item = (&TableView, Lag)> {
        self.tables.iter().map(move |table| (table, table.freshness.lag(now, self.valid_for)))
    }

    /// Returns how long the sources still keep what syncs need: of the table that has the shortest
    /// time, and the number of tables of which it is not known.
    #[must_use]
    pub fn headroom(&self, now: UnixTime) -> (Option<Duration>, usize) {
        let each = self.lags(now).map(|(table, lag)| table.retention.headroom(lag, now));
        let (known, unknown): (Vec<_>, Vec<_>) = each.partition(Option::is_some);
        (known.into_iter().flatten().min(), unknown.len())
    }

    /// True when a table that is so far behind is ready, and its owner is to be warned.
    #[must_use]
    pub fn is_late(&self, age: Duration) -> bool {
        let Some(MaxLag { warn: Some(warn), page: Some(page) }) = self.spec.max_lag else {
            return false;
        };
        age > warn && age <= page
    }

    /// Returns the tables as a verdict sees them.
    fn members(&self, now: UnixTime) -> Vec<Member> {
        let max_lag = self.spec.max_lag.and_then(|most| most.page.or(most.warn));
        let member = |(table, lag): (&TableView, Lag)| Member {
            lag,
            max_lag,
            is_failing: table.failure.is_some(),
        };
        self.lags(now).map(member).collect()
    }

    /// Judges whether all its tables can be failed over to.
    #[must_use]
    pub fn verdict(&self, now: UnixTime) -> ReadyVerdict {
        judge(&self.members(now), now)
    }
}

impl FleetView {
    /// Judges the replications of a group together, or all of them. The places of what is not ready
    /// count the tables in the order of the replications.
    #[must_use]
    pub fn verdict(&self, group: Option<&str>) -> ReadyVerdict {
        let members = self.of_group(group).flat_map(|view| view.members(self.at));
        judge(&members.collect::<Vec<_>>(), self.at)
    }

    /// The replications of a group, or all of them.
    pub fn of_group<'a>(
        &'a self,
        group: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<ReplicationView>> {
        let is_in = move |view: &&Arc<ReplicationView>| {
            group.is_none_or(|group| view.spec.group.as_deref() == Some(group))
        };
        self.replications.iter().filter(is_in)
    }
}
