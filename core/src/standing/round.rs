//! The round under way of a replication, as far as it is not durable.

use std::collections::BTreeMap;

use super::job::RoundJob;
use super::record::{TableEnd, TableRecord};
use crate::ids::TableNumber;
use crate::unix_time::UnixTime;

/// A round under way; its number and its cause are in the record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OpenRound {
    pub(super) stage: RoundStage,
    /// Those that are behind, once that is known; before, those that the round before left to it.
    pub(super) tables: BTreeMap<TableNumber, RoundTable>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoundStage {
    Probing,
    /// The probe failed, and is tried again then.
    ProbeAgain(UnixTime),
    Copying,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct RoundTable {
    pub(super) retry: u32,
    pub(super) stage: TableStage,
    /// The earlier round that its job is of; `None`: this one.
    pub(super) from: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TableStage {
    /// Its job is to be submitted as soon as one may be.
    Waiting,
    /// Its job failed, and another one waits until then.
    Pausing(UnixTime),
    Submitted(RoundJob),
    Ended(TableEnd),
}

impl OpenRound {
    pub(super) fn jobs(&self) -> impl Iterator<Item = &RoundJob> {
        self.tables.values().filter_map(|table| match &table.stage {
            TableStage::Submitted(job) => Some(job),
            TableStage::Waiting | TableStage::Pausing(_) | TableStage::Ended(_) => None,
        })
    }

    pub(super) fn jobs_mut(&mut self) -> impl Iterator<Item = &mut RoundJob> {
        self.tables.values_mut().filter_map(|table| match &mut table.stage {
            TableStage::Submitted(job) => Some(job),
            TableStage::Waiting | TableStage::Pausing(_) | TableStage::Ended(_) => None,
        })
    }

    /// Whether nothing is left of it but jobs that lack room within a budget: another round may
    /// begin, and goes on with them.
    pub(super) fn is_only_held(&self) -> bool {
        let is_held_or_over = |table: &RoundTable| match &table.stage {
            TableStage::Submitted(job) => job.lacks_room().is_some(),
            TableStage::Ended(_) => true,
            TableStage::Waiting | TableStage::Pausing(_) => false,
        };
        self.stage == RoundStage::Copying && self.tables.values().all(is_held_or_over)
    }

    /// Whether it has a job for the table that lacks room.
    pub(super) fn holds(&self, table: TableNumber) -> bool {
        matches!(self.tables.get(&table).map(|table| &table.stage),
            Some(TableStage::Submitted(job)) if job.lacks_room().is_some())
    }

    /// Whether it takes a place among the rounds that move at once. One whose jobs are all held, or
    /// wait to be tried again, does not.
    pub(super) fn is_moving(&self) -> bool {
        match self.stage {
            RoundStage::Probing => true,
            RoundStage::ProbeAgain(_) | RoundStage::Copying => {
                self.jobs().any(RoundJob::takes_place)
            }
        }
    }
}

impl RoundTable {
    pub(super) fn record(&self) -> TableRecord {
        let new = TableRecord { retry: self.retry, from: self.from, ..TableRecord::default() };
        match self.stage {
            TableStage::Waiting => new,
            TableStage::Pausing(at) => TableRecord { again_at: Some(at), ..new },
            TableStage::Submitted(_) => TableRecord { is_submitted: true, ..new },
            TableStage::Ended(end) => TableRecord { end: Some(end), ..new },
        }
    }
}
