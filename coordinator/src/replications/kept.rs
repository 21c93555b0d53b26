//! What of a replication and its tables survives a restart, beside the scheduler's records.

use deepclone_core::readiness::retention::SourceRetention;
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::log::CommitFile;
use deepclone_delta::presence::KnownReplica;
use serde::{Deserialize, Serialize};

use super::presence::KnownSync;
use super::upkeep_kept::{KeptAudit, KeptVacuum};

/// Whether a table waits for somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Approval {
    #[default]
    Given,
    /// It was newly found. `None` while its bytes are not known.
    Asked { bytes: Option<u64> },
}

/// When a replication was declared, and last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    pub(super) created: UnixTime,
    pub(super) updated: UnixTime,
}

/// What of a table survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptTable {
    pub(super) path: String,
    pub(super) source_version: Option<u64>,
    /// The source's version that the replica shows, and the replica's version that shows it.
    pub(super) synced: Option<(u64, u64)>,
    pub(super) synced_at: Option<UnixTime>,
    pub(super) checked: Option<UnixTime>,
    pub(super) lacks_since: Option<UnixTime>,
    #[serde(default)]
    pub(super) approval: Approval,
    /// How long the source keeps what a sync needs, as its newest plan found it.
    #[serde(default)]
    pub(super) retention: Option<SourceRetention>,
    /// The source has cleaned up commits that the replica lacks.
    #[serde(default)]
    pub(super) is_cleaned: bool,
    /// Length and time of the file of the source's version that the replica shows, once that was
    /// seen to be the one that was synced. Another one is of another table.
    #[serde(default)]
    pub(super) synced_file: Option<(u64, i64)>,
    /// Length and time of the file of the replica's version, as it was seen first.
    #[serde(default)]
    pub(super) replica_file: Option<(u64, i64)>,
    /// Somebody else changed the replica since the last sync.
    #[serde(default)]
    pub(super) is_replica_changed: bool,
    /// When the replica was last seen to be there or not, or was written.
    #[serde(default)]
    pub(super) replica_checked: Option<UnixTime>,
    #[serde(default)]
    pub(super) audit: Option<KeptAudit>,
    #[serde(default)]
    pub(super) vacuum: Option<KeptVacuum>,
}

impl KeptTable {
    /// A table of which nothing is known but its path.
    pub(super) fn unknown(path: String) -> Self {
        Self {
            path,
            source_version: None,
            synced: None,
            synced_at: None,
            checked: None,
            lacks_since: None,
            approval: Approval::Given,
            retention: None,
            is_cleaned: false,
            synced_file: None,
            replica_file: None,
            is_replica_changed: false,
            replica_checked: None,
            audit: None,
            vacuum: None,
        }
    }

    /// What is known of its last sync; `None` when there was none.
    pub(super) fn known_sync(&self) -> Option<KnownSync> {
        let (source_version, version) = self.synced?;
        let file = |(size, modified_ms)| CommitFile { size, modified_ms };
        let source_file = self.synced_file.map(file);
        let replica = KnownReplica { version, file: self.replica_file.map(file) };
        Some(KnownSync { source_version, source_file, replica })
    }
}
