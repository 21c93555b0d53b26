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
    /// Those that are behind, once that is known.
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
    pub(super) fn probing() -> Self {
        Self { stage: RoundStage::Probing, tables: BTreeMap::new() }
    }

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

    /// Whether it takes a place among the rounds that move at once. One whose jobs are all held, or
    /// wait to be tried again, does not.
    pub(super) fn is_moving(&self) -> bool {
        match self.stage {
            RoundStage::Probing => true,
            RoundStage::ProbeAgain(_) => false,
            RoundStage::Copying => self.jobs().any(RoundJob::takes_place),
        }
    }
}

impl RoundTable {
    pub(super) fn record(&self) -> TableRecord {
        let new = TableRecord { retry: self.retry, ..TableRecord::default() };
        match self.stage {
            TableStage::Waiting => new,
            TableStage::Pausing(at) => TableRecord { again_at: Some(at), ..new },
            TableStage::Submitted(_) => TableRecord { is_submitted: true, ..new },
            TableStage::Ended(end) => TableRecord { end: Some(end), ..new },
        }
    }
}
