//! What a sync must do: the difference between the source's live files and the replica's.
//!
//! Words: R is the live map of the replica's head, S that of the source at the version wanted,
//! both keyed by logical file. A *record* is what a sync of ours left in its commit's
//! `commitInfo`; a *marker* is the pair of `txn` actions that carries the same through
//! checkpoints; *lineage* is the source's id at the first sync, *scope* the hash of what part of
//! the source is kept.
//!
//! Flow: [`plan_sync`] lists both logs; when the replica's head is ours and says that it has this
//! very source commit, there is nothing to do ([`up_to_date`]). Else both tables are read, the
//! target is classified ([`head`]), the source identified ([`identity`]), and the difference
//! taken ([`difference`]): files, objects to copy, protocol, metadata, domains, transactions.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_core::spec::CloneSpec;

use crate::actions::{Add, DeletionVector, DomainMetadata, Metadata, Protocol, Txn};
use crate::commit;
use crate::error::DeltaError;

mod cleaned;
mod difference;
pub mod enclosing;
mod equality;
pub(crate) mod filter;
pub(crate) mod head;
mod identity;
mod identity_marks;
mod metadata;
mod near_names;
mod objects;
mod plan;
mod protocol;
pub mod record;
mod relocate;
mod since;
mod state;
mod target_names;
mod up_to_date;

pub(crate) use equality::same_fields;
pub use identity::Identity;
pub(crate) use identity::settings;
pub(crate) use identity_marks::further as further_marks;
pub(crate) use metadata::{
    ENABLEMENT_TIMESTAMP, ENABLEMENT_VERSION, configuration, leave_out_inert,
};
pub use near_names::NearNames;
pub(crate) use objects::vector_object;
pub(crate) use plan::refuse_other_source;
pub(crate) use protocol::is_dropped;
pub(crate) use state::{ROW_TRACKING_DOMAIN, row_id_mark};
pub(crate) use target_names::replicated;

/// What a sync must do.
#[derive(Clone, Debug)]
pub enum SyncPlan {
    /// The replica has this very source commit already.
    UpToDate(UpToDate),
    /// This sync's own commit is in the replica's log: it was published before a crash.
    Published(PublishedAlready),
    /// There is something to do.
    Change(Box<ChangeSet>),
}

/// The replica has the source's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpToDate {
    /// The source's version.
    pub source_version: u64,
    /// The replica's newest version.
    pub replica_version: u64,
    /// The source's figures as our last commit tells them.
    pub metrics: Option<SourceFigures>,
}

/// What our last commit says of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFigures {
    /// Bytes of the live data files.
    pub source_table_size: u64,
    /// Live logical files.
    pub source_num_of_files: u64,
}

/// This sync's own commit was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedAlready {
    /// The source's version.
    pub source_version: u64,
    /// The version of the commit in the replica's log.
    pub replica_version: u64,
    /// The figures that the commit tells.
    pub metrics: Option<CloneMetrics>,
}

/// The six figures of a clone, under Databricks' names. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneMetrics {
    /// Bytes of the source's live data files (those that the filter keeps).
    pub source_table_size: u64,
    /// The source's live logical files (those that the filter keeps).
    pub source_num_of_files: u64,
    /// Logical files that leave the replica.
    pub num_removed_files: u64,
    /// Logical files that join the replica.
    pub num_copied_files: u64,
    /// Bytes of the data files of the logical files that leave.
    pub removed_files_size: u64,
    /// Bytes of the data files of the logical files that join.
    pub copied_files_size: u64,
}

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
    /// Where the commit comes from and what it is for.
    pub(crate) identity: Identity,
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
    /// The source's id at the replica's first sync: what was copied serves this lineage alone.
    #[must_use]
    pub fn lineage(&self) -> &str {
        &self.identity.body.lineage
    }

    /// True when the commit would say nothing but that the sync took place.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.protocol.is_none()
            && self.metadata.is_none()
            && self.domains.is_empty()
            && self.removes.is_empty()
            && self.adds.is_empty()
            && self.txns.iter().all(|txn| identity::is_ours(&txn.app_id))
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

/// Plans the sync of `target` to what `spec` asks of `source`.
///
/// # Errors
/// Everything that the source, the target or the spec can have against it, each with its reason.
pub async fn plan_sync(
    source: &TableStore,
    target: &TableStore,
    spec: &CloneSpec,
    sync: JobId,
) -> Result<SyncPlan, DeltaError> {
    plan_sync_within(source, target, spec, sync, commit::BYTES_MAX).await
}

/// Like [`plan_sync`], with another bound on the bytes of the replica's commit.
///
/// # Errors
/// As [`plan_sync`].
pub async fn plan_sync_within(
    source: &TableStore,
    target: &TableStore,
    spec: &CloneSpec,
    sync: JobId,
    commit_bytes_max: u64,
) -> Result<SyncPlan, DeltaError> {
    plan::plan(source, target, spec, sync, commit_bytes_max).await
}

/// Column → value.
pub(crate) type Configuration = BTreeMap<String, String>;
