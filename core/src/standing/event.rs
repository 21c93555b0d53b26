//! Everything that can happen to standing replications: a closed vocabulary.

use std::collections::BTreeSet;

use super::order::Order;
use super::upkeep::{UpkeepKind, UpkeepOutcome};
use crate::budget::Cost;
use crate::ids::{JobId, ReplicationId, TableNumber};
use crate::unix_time::UnixTime;

/// Something happened. What is late, doubled or about something unknown changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum StandingEvent {
    /// A replication is wanted, for the first time or otherwise than before. A new one waits for
    /// the next start of a slot.
    Applied { replication: ReplicationId, order: Box<Order> },
    /// A replication is not wanted any more. Its jobs under way end by themselves.
    Retired { replication: ReplicationId },
    /// No round begins until then, or until [`StandingEvent::Resumed`].
    Paused { replication: ReplicationId, until: Option<UnixTime> },
    /// Somebody ends a pause.
    Resumed { replication: ReplicationId },
    /// Somebody asks for a round, which begins as soon as one may.
    RunRequested { replication: ReplicationId },
    /// A notice says that the source has a new commit. It counts for replications that follow
    /// commits; those with a schedule wait for their slots.
    SourceChanged { replication: ReplicationId },
    /// The end of [`StandingAction::Probe`](super::StandingAction::Probe).
    Probed { replication: ReplicationId, round: u64, result: ProbeResult },
    /// The end of [`StandingAction::Poll`](super::StandingAction::Poll).
    Polled { replication: ReplicationId, result: ProbeResult },
    /// The plan of a job was made, for the first time or again, and this is what it will cost
    /// beyond the newest [`StandingEvent::JobSent`].
    JobPlanned { job: JobId, cost: Cost },
    /// What a job has cost since it began: a total that grows, the last one before its end.
    JobSent { job: JobId, total: Cost },
    /// A job is over.
    JobEnded { job: JobId, outcome: JobOutcome },
    /// These tables of a replication have a replica, and no others do.
    Replicas { replication: ReplicationId, tables: BTreeSet<TableNumber> },
    /// The end of [`StandingAction::Upkeep`](super::StandingAction::Upkeep).
    UpkeepEnded {
        replication: ReplicationId,
        table: TableNumber,
        kind: UpkeepKind,
        outcome: UpkeepOutcome,
    },
    /// The time of [`Standing::next_deadline`](super::Standing::next_deadline) has come, or a
    /// minute is over.
    Woken,
}

/// What the source's tables are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// The replicas of these tables lack commits of the source; those of no others do.
    Behind(Vec<TableNumber>),
    /// It is not known.
    Failed,
}

/// How a job of a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    Done,
    Failed { is_retryable: bool },
    Cancelled,
}
