//! What one CLONE commit changes, and the objects that must be at the target before it.

use deepclone_core::ids::JobId;

use crate::actions::{Add, DeletionVector, DomainMetadata, Metadata, Protocol, Txn};
use crate::names::NearNames;
use crate::replica::{CloneMetrics, RecordBody, is_ours};

/// An object that the replica's head does not reference yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyObject {
    /// The key relative to the target table's folder, decoded.
    pub target_path: String,
    /// The key relative to the source table's folder, decoded.
    pub source_path: String,
    /// Bytes.
    pub size: u64,
    /// True for deletion vectors: the log only tells how long the object is at the least.
    pub size_is_minimum: bool,
    /// When the source's log says that it was written, in milliseconds since 1970; 0: it does not.
    pub modified_ms: i64,
    /// True when the replica's head refers to the key: what is there is to be proved.
    pub in_use: bool,
}

/// Everything that one CLONE commit changes, and the objects that must be there before it.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// The source's version that the commit leads to.
    pub source_version: u64,
    /// The replica's head that it starts from; none: no replica yet.
    pub replica_version: Option<u64>,
    /// Objects new to the replica's head, sorted by target path, each once.
    pub objects: Vec<CopyObject>,
    /// Keys on a local disk that some file systems take for one; at most one pair of each kind.
    pub near_names: Vec<NearNames>,
    /// The six figures.
    pub metrics: CloneMetrics,
    /// What an operator should know, one line each.
    pub notices: Vec<String>,
    /// How long the target keeps objects that no commit refers to, in milliseconds.
    pub retention_ms: i64,
    /// When the replica's head was committed, in milliseconds since 1970; none: no replica yet.
    pub replica_commit_ms: Option<i64>,
    /// Deletion vectors of the files that join.
    pub(crate) new_vectors: Vec<NewVector>,
    /// The source's URI, without credentials.
    pub(crate) source_uri: String,
    /// What the commit will tell of the sync.
    pub(crate) record: RecordBody,
    /// The new protocol; none: unchanged.
    pub(crate) protocol: Option<Protocol>,
    /// The new metadata; none: unchanged.
    pub(crate) metadata: Option<Metadata>,
    /// In-commit timestamps.
    pub(crate) commit_time: CommitTime,
    /// Markers and the source's transactions, by application.
    pub(crate) txns: Vec<Txn>,
    /// Domains to set and to remove.
    pub(crate) domains: Vec<DomainMetadata>,
    /// Live files of the replica that leave, as it knows them.
    pub(crate) removes: Vec<Add>,
    /// Files that join, and shared files whose other fields changed (those with `data_change`
    /// false).
    pub(crate) adds: Vec<Add>,
    /// The `dataChange` of the removes.
    pub(crate) data_change: bool,
    /// True when the replica lists row tracking.
    pub(crate) row_tracking: bool,
}

/// A deletion vector that the replica does not know yet.
#[derive(Clone, Debug)]
pub(crate) struct NewVector {
    /// The object that holds it.
    pub(crate) object: String,
    /// The data file that it belongs to, as the log spells it.
    pub(crate) file: String,
    /// Where in the object it lies.
    pub(crate) vector: DeletionVector,
}

impl ChangeSet {
    /// The version that the commit takes.
    pub(crate) fn version(&self) -> u64 {
        self.replica_version.map_or(0, |version| version + 1)
    }

    /// The id of the sync that the commit makes visible.
    pub(crate) fn sync(&self) -> JobId {
        JobId(self.record.sync_id)
    }

    /// The source's id at the replica's first sync: what was copied serves this lineage alone.
    #[must_use]
    pub fn lineage(&self) -> &str {
        &self.record.lineage
    }

    /// True when the commit would say nothing but that the sync took place.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.protocol.is_none()
            && self.metadata.is_none()
            && self.domains.is_empty()
            && self.removes.is_empty()
            && self.adds.is_empty()
            && self.txns.iter().all(|txn| is_ours(&txn.app_id))
    }
}

/// How the commit tells its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitTime {
    /// The table has no in-commit timestamps.
    FileTime,
    /// It has, from an earlier version or from version 0 on; the new one is above this.
    InCommit { above_ms: i64 },
    /// This commit turns them on above version 0: its version and time become properties.
    TurnsOn { above_ms: i64 },
}
