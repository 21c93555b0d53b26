//! Records become a scheduler again.

use super::action::StandingAction;
use super::limits::StandingLimits;
use super::order::Order;
use super::record::{ReplicationRecord, TableRecord};
use super::replication::Replication;
use super::state::Standing;
use super::upkeep::{UpkeepKind, UpkeepRecord};
use crate::budget::{BudgetEntry, BudgetLedger};
use crate::ids::{JobId, ReplicationId, TableNumber};
use crate::unix_time::UnixTime;

/// A replication as it was left.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReplication {
    pub replication: ReplicationId,
    pub order: Order,
    pub record: ReplicationRecord,
    /// Those of the round under way. Others are not needed.
    pub tables: Vec<(TableNumber, TableRecord)>,
    /// Those of its replicas.
    pub upkeep: Vec<((TableNumber, UpkeepKind), UpkeepRecord)>,
}

impl Standing {
    /// Returns the scheduler as the newest records leave it. What came due meanwhile is decided.
    /// Rounds under way go on: one that was not probed is probed again, and jobs that were
    /// submitted are submitted again, under the same ids.
    pub fn recover(
        limits: StandingLimits,
        now: UnixTime,
        stored: impl IntoIterator<Item = StoredReplication>,
        entries: impl IntoIterator<Item = BudgetEntry>,
        actions: &mut Vec<StandingAction>,
    ) -> Self {
        let mut standing = Self::new(limits, now);
        standing.ledger = BudgetLedger::recover(entries);
        for StoredReplication { replication: id, order, record, tables, upkeep } in stored {
            let mut replication = Replication::with_record(order, record.clone(), now);
            replication.recorded = Some(record);
            standing.replications.insert(id, replication);
            if let Some((replication, mut context)) = standing.open(id, actions) {
                replication.look_at_windows(now);
                replication.recover_round(tables, &mut context);
            }
            standing.settle(id, actions);
            standing.recover_chores(id, upkeep);
        }
        let is_over = |job: &JobId| !standing.jobs.contains_key(job);
        let over: Vec<JobId> = standing.ledger.jobs().filter(is_over).collect();
        for job in over {
            standing.release_budget(job, actions);
        }
        standing.finish(actions);
        standing
    }
}
