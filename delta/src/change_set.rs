//! What one CLONE commit changes, and which objects must be at the target before it.

use deepclone_core::ids::JobId;
use deepclone_core::readiness::retention::SourceRetention;

use crate::actions::{Add, DeletionVector, DomainMetadata, Metadata, Protocol, Txn};
use crate::commit_adds::CommitAdds;
use crate::copy_objects::CopyObjects;
use crate::names::NearNames;
use crate::replica::synced::SyncedCommit;
use crate::replica::{CloneMetrics, RecordBody, SyncRecord, is_ours};
use crate::snapshot::TableState;

/// Everything that one CLONE commit changes, and the objects that must be there before it.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// The source's version that the commit leads to.
    pub source_version: u64,
    /// The version of the replica's head that it starts from; `None` without a replica.
    pub replica_version: Option<u64>,
    /// Objects new to the replica's head, sorted by target path, each once.
    pub objects: CopyObjects,
    /// Pairs of keys that some local file systems take for one name; at most one pair of each kind.
    pub near_names: Vec<NearNames>,
    pub metrics: CloneMetrics,
    /// Notices for the operator, one line each.
    pub notices: Vec<String>,
    /// How long the target keeps objects that no commit refers to, in milliseconds.
    pub retention_ms: i64,
    /// How long the source keeps what it does not need any more.
    pub source_retention: SourceRetention,
    /// When the replica's head was committed, in milliseconds since 1970; `None` without a replica.
    pub replica_commit_ms: Option<i64>,
    /// Deletion vectors of the files that join.
    pub(crate) new_vectors: Vec<NewVector>,
    /// The source's URI, without credentials.
    pub(crate) source_uri: String,
    /// The record that the commit's `commitInfo` will hold.
    pub(crate) record: RecordBody,
    /// The new protocol; `None` if it stays.
    pub(crate) protocol: Option<Protocol>,
    /// The new metadata; `None` if it stays.
    pub(crate) metadata: Option<Metadata>,
    pub(crate) commit_time: CommitTime,
    /// Markers and the source's transactions, by application.
    pub(crate) txns: Vec<Txn>,
    /// Domains to set and to remove.
    pub(crate) domains: Vec<DomainMetadata>,
    /// Live files of the replica that leave, with the replica's own fields.
    pub(crate) removes: Vec<Add>,
    /// Files that join, and shared files whose other fields changed (those with `data_change`
    /// false).
    pub(crate) adds: CommitAdds,
    /// The `dataChange` flag of the removes.
    pub(crate) data_change: bool,
    /// True when the replica lists row tracking.
    pub(crate) row_tracking: bool,
    /// The source at the version, without its files.
    pub(crate) source_table: TableState,
    /// The source's commit of the version; `None` when it is gone, or its store gives no tags.
    pub(crate) source_commit: Option<SyncedCommit>,
    /// True when the replica spells the path of a live file in another way than the source.
    pub(crate) is_respelled: bool,
    /// The replica's head, without its files; `None` without a replica.
    pub(crate) head_table: Option<TableState>,
}

/// A deletion vector that the replica's head does not refer to.
#[derive(Clone, Debug)]
pub(crate) struct NewVector {
    pub(crate) object: String,
    /// The data file that it belongs to, as the log spells it.
    pub(crate) file: String,
    /// Its descriptor, with its place in the object.
    pub(crate) vector: DeletionVector,
    /// True when this sync copies the object.
    pub(crate) is_copied: bool,
}

impl ChangeSet {
    /// Returns the version that the commit takes.
    pub(crate) fn version(&self) -> u64 {
        self.replica_version.map_or(0, |version| version + 1)
    }

    /// Returns the id of the sync that the commit makes visible.
    pub(crate) fn sync(&self) -> JobId {
        JobId(self.record.sync_id)
    }

    /// Returns whether it is this commit that made the record.
    pub(crate) fn is_of(&self, record: &SyncRecord) -> bool {
        let id = |body: &RecordBody| body.owner.as_ref().map(|owner| owner.id);
        record.sync() == self.sync() && id(&record.body) == id(&self.record)
    }

    /// Returns the source's table id at the replica's first sync. Copies serve this lineage alone.
    #[must_use]
    pub fn lineage(&self) -> &str {
        &self.record.lineage
    }

    /// Returns whether the commit would record nothing but the sync itself.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.protocol.is_none()
            && self.metadata.is_none()
            && self.domains.is_empty()
            && self.removes.is_empty()
            && self.adds.is_empty()
            && self.txns.iter().all(|txn| is_ours(&txn.app_id))
    }
}

/// How the commit records its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitTime {
    /// The table has no in-commit timestamps.
    FileTime,
    /// The table has them already, or from version 0 on; the commit's is larger than `above_ms`.
    InCommit { above_ms: i64 },
    /// This commit turns them on above version 0, so that its version and time become properties.
    TurnsOn { above_ms: i64 },
}
