//! What of a replication survives a restart, as absolute values.

use serde::{Deserialize, Serialize};

use crate::unix_time::UnixTime;

/// The durable state of a replication, apart from its order. The newest one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationRecord {
    /// What becomes of slots up to this time is decided.
    pub slots_until: UnixTime,
    /// The number of the newest round. The first one is 1.
    pub rounds: u64,
    /// The round under way.
    pub active: Option<RoundRecord>,
    /// What the next round is for, once it may begin.
    pub wanted: Option<WantedRound>,
    pub pause: Option<Pause>,
    pub is_retired: bool,
    pub last_ended: Option<EndedRound>,
    pub last_skipped: Option<SkippedSlots>,
    /// How many slots were ever skipped.
    pub slots_skipped: u64,
}

/// A round under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundRecord {
    pub number: u64,
    pub cause: RoundCause,
    pub began: UnixTime,
    /// Whether it is known which tables are behind, or nobody asks any more: there is a
    /// [`TableRecord`] for each.
    pub is_probed: bool,
    pub probe_failures: u32,
    /// When the source is asked again, after a failure.
    pub probe_again_at: Option<UnixTime>,
}

/// One table of the round under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// How many of its jobs failed: the job's id is derived from it.
    pub retry: u32,
    /// Whether that job was submitted.
    pub is_submitted: bool,
    /// When it may be, after a failure.
    pub again_at: Option<UnixTime>,
    pub end: Option<TableEnd>,
    /// The earlier round that its job is of: a budget held it when that one ended.
    #[serde(default)]
    pub from: Option<u64>,
}

/// How a table's part of a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TableEnd {
    /// Its replica is as new as the source was.
    Done,
    Failed,
    /// Somebody cancelled its job, or the replication was retired before there was one.
    Cancelled,
}

/// A round that has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedRound {
    pub cause: RoundCause,
    pub since: UnixTime,
}

/// What a round is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoundCause {
    /// This slot, in its time.
    Slot(UnixTime),
    /// This slot, which came while the round before was under way.
    Queued(UnixTime),
    /// So many slots that were not served in their time: nothing ran, it was paused, or the
    /// windows were closed.
    Missed { newest: UnixTime, count: u64 },
    /// Somebody asked for it.
    ByHand,
    /// The source has a new commit.
    SourceChanged,
    /// A pause ended, in which no slot came.
    Resumed,
}

/// No round begins for now. One that is under way goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// `None`: until somebody resumes it.
    pub until: Option<UnixTime>,
}

/// A round that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRound {
    pub number: u64,
    pub cause: RoundCause,
    pub began: UnixTime,
    pub ended: UnixTime,
    pub outcome: RoundOutcome,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoundOutcome {
    /// Tables that were not behind are not counted. The next round goes on with those that a budget
    /// held.
    Copied {
        done: u32,
        failed: u32,
        cancelled: u32,
        #[serde(default)]
        held: u32,
    },
    /// It never came to be known which tables are behind.
    ProbeFailed,
}

/// Slots without a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedSlots {
    pub newest: UnixTime,
    pub count: u64,
    pub why: SkipReason,
}

/// Why a slot has no round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SkipReason {
    /// Nothing ran in its time, and missed slots are skipped.
    Missed,
    /// The round before was under way.
    Overlap,
    /// It came during a pause, and the next slot after the pause is waited for.
    Paused,
    /// It waited when the replication was retired.
    Withdrawn,
}

impl RoundCause {
    /// The slots that the round is for: the newest one, and how many.
    #[must_use]
    pub fn slots(self) -> Option<(UnixTime, u64)> {
        match self {
            Self::Slot(slot) | Self::Queued(slot) => Some((slot, 1)),
            Self::Missed { newest, count } => Some((newest, count)),
            Self::ByHand | Self::SourceChanged | Self::Resumed => None,
        }
    }
}

impl RoundOutcome {
    /// True when no table was left behind.
    #[must_use]
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Copied { failed: 0, cancelled: 0, held: 0, .. })
    }
}
