//! What must survive a crash of the coordinator: a closed vocabulary.

use super::record::{EndedRound, ReplicationRecord, RoundCause, SkippedSlots, TableRecord};
use super::upkeep::{UpkeepKind, UpkeepRecord};
use crate::budget::BudgetEntry;
use crate::ids::{ReplicationId, TableNumber};
use crate::unix_time::UnixTime;

/// The first four are what [`Standing::recover`](super::Standing::recover) needs, each by the key
/// that is named: a later one takes the place of the one before. The others are history for people.
#[derive(Clone, Debug, PartialEq)]
pub enum StandingFact {
    /// One for each replication.
    Replication { replication: ReplicationId, record: Box<ReplicationRecord> },
    /// One for each replication, round and table. Those of ended rounds are history, too.
    Table { replication: ReplicationId, round: u64, table: TableNumber, record: TableRecord },
    /// One for each key that the entry names.
    Budget(BudgetEntry),
    /// One for each replication, table and kind; `None` once it is not wanted any more.
    Upkeep {
        replication: ReplicationId,
        table: TableNumber,
        kind: UpkeepKind,
        record: Option<UpkeepRecord>,
    },
    /// A round has begun to probe.
    RoundBegan { replication: ReplicationId, round: u64, cause: RoundCause, at: UnixTime },
    /// A round is over.
    RoundEnded { replication: ReplicationId, round: EndedRound },
    /// Slots get no round.
    Skipped { replication: ReplicationId, slots: SkippedSlots, at: UnixTime },
}
