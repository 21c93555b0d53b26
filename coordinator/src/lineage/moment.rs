//! What an event of lineage is made from.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, ReplicationId};
use deepclone_core::unix_time::UnixTime;

use crate::state::JobSpec;

/// Something that is told, with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct LineageMoment {
    pub at: UnixTime,
    pub of: LineageSubject,
}

/// What began or ended.
#[derive(Clone, Debug, PartialEq)]
pub enum LineageSubject {
    Sync(SyncMoment),
    Round(RoundMoment),
}

/// A sync that begins or ends.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncMoment {
    pub job: JobId,
    pub job_spec: Arc<JobSpec>,
    /// The source's version that it leads to; `None` before planning.
    pub source_version: Option<u64>,
    /// The source's schema at that version, as the log has it; `None` where no plan is at hand.
    pub schema: Option<String>,
    pub step: SyncStep,
}

/// Whether a sync begins, or how it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncStep {
    Started,
    Completed {
        /// The replica's version that shows the source's.
        replica_version: u64,
        written: SyncWritten,
    },
    Failed(Failure),
    Cancelled,
}

/// What a sync added to a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncWritten {
    pub files: u64,
    pub bytes: u64,
}

/// A round of a replication that begins or ends: the parent of its syncs.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundMoment {
    pub replication: String,
    pub id: ReplicationId,
    pub number: u64,
    /// The slot that it is for; `None` when it is for none.
    pub slot: Option<UnixTime>,
    pub step: RoundStep,
}

/// Whether a round begins, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoundStep {
    Started,
    Completed,
    /// Why a table was not synced.
    Failed(String),
}
