//! One sync in any mode: planning its work and making it visible.
//!
//! Flow: [`plan`] → [`Work`] → its objects are copied → [`check`] → [`publish`] → [`finish`]. Each
//! mode is an arm of [`Work`]; the modules below know one mode each.

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_core::readiness::retention::SourceRetention;
use deepclone_core::spec::{CloneSpec, Mode};

use crate::changes::{self, SyncPlan};
pub use crate::changes::{
    ChangeSet, CloneMetrics, NearNames, PublishedAlready, SourceFigures, UpToDate, Within,
    restore_hint,
};
pub use crate::copy_objects::{CopyObject, CopyObjects};
use crate::error::DeltaError;
pub use crate::io::compute;
use crate::io::compute_here;
pub use crate::publish::{Committed, FinishReport, PublishResult};
pub use crate::room::PlanRoom;

/// What a sync must do, and the objects that must be at the target before it is published.
#[derive(Clone, Debug)]
pub enum Work {
    /// One CLONE commit on top of the replica's own history.
    Clone(Box<ChangeSet>),
}

/// The result of planning.
#[derive(Clone, Debug)]
pub enum Planned {
    /// The replica has the source's state already.
    UpToDate(UpToDate),
    /// This sync was published before a crash.
    Published(PublishedAlready),
    /// The replica must change.
    Work(Work),
}

/// Plans the sync of `target` to what `spec` asks of `source`, in the mode that it asks for.
///
/// # Errors
/// Why the source, the target or the spec does not allow the sync, each with its reason.
pub async fn plan(
    source: &TableStore,
    target: &TableStore,
    within: &Within<'_>,
    spec: &CloneSpec,
    sync: JobId,
) -> Result<Planned, DeltaError> {
    let plan = match spec.mode {
        Mode::Clone => changes::plan_sync_within(source, target, spec, sync, within).await?,
    };
    Ok(match plan {
        SyncPlan::UpToDate(found) => Planned::UpToDate(found),
        SyncPlan::Published(found) => Planned::Published(found),
        SyncPlan::Change(change_set) => Planned::Work(Work::Clone(change_set)),
    })
}

/// Checks the objects at the target whose content the log describes: new deletion vectors.
///
/// # Errors
/// DAMAGED_LOG with the object and the data file; a storage error.
pub async fn check(target: &TableStore, work: &Work) -> Result<(), DeltaError> {
    match work {
        Work::Clone(change_set) => crate::publish::check_vectors(target, change_set).await,
    }
}

/// Makes the sync visible, at the time `now_ms` (milliseconds since 1970).
///
/// # Errors
/// TARGET_DIVERGED when a commit of another writer took the version; a storage error when the
/// outcome stays unknown.
pub async fn publish(
    target: &TableStore,
    work: &Work,
    now_ms: i64,
) -> Result<PublishResult, DeltaError> {
    match work {
        Work::Clone(change_set) => crate::publish::publish(target, change_set, now_ms).await,
    }
}

/// Writes what is due after the sync's commit: checkpoint and hints. `work` is the change that the
/// commit made, where it is still at hand.
///
/// # Errors
/// Any of a store. The caller logs it and goes on.
pub async fn finish(
    target: &TableStore,
    committed: &Committed,
    work: Option<&Work>,
) -> Result<FinishReport, DeltaError> {
    crate::publish::finish(target, committed, work.map(Work::change_set)).await
}

impl Work {
    /// Returns the objects to copy, sorted by target path, each once.
    #[must_use]
    pub fn objects(&self) -> &CopyObjects {
        &self.change_set().objects
    }

    /// Returns the objects to copy, and keeps none: nothing of a sync needs them here once they are
    /// known.
    #[must_use]
    pub fn take_objects(&mut self) -> CopyObjects {
        match self {
            Self::Clone(change_set) => std::mem::take(&mut change_set.objects),
        }
    }

    /// Returns how many bytes the commit will have.
    #[must_use]
    pub fn commit_bytes(&self) -> u64 {
        compute_here(|| changes::commit_bytes(self.change_set()))
    }

    /// Returns the source's version that the sync leads to.
    #[must_use]
    pub fn source_version(&self) -> u64 {
        self.change_set().source_version
    }

    /// Returns the replica's version that the sync starts from; `None` without a replica.
    #[must_use]
    pub fn replica_version(&self) -> Option<u64> {
        self.change_set().replica_version
    }

    /// Returns when the replica's head was committed, in milliseconds since 1970; `None` without a
    /// replica.
    #[must_use]
    pub fn replica_commit_ms(&self) -> Option<i64> {
        self.change_set().replica_commit_ms
    }

    /// Returns how long the target keeps objects that no commit refers to, in milliseconds.
    #[must_use]
    pub fn retention_ms(&self) -> i64 {
        self.change_set().retention_ms
    }

    /// Returns how long the source keeps what it does not need any more.
    #[must_use]
    pub fn source_retention(&self) -> SourceRetention {
        self.change_set().source_retention
    }

    /// Returns the source's id at the replica's first sync: copies serve this lineage alone.
    #[must_use]
    pub fn lineage(&self) -> &str {
        self.change_set().lineage()
    }

    /// Returns the source's schema at that version: the text in its log.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.change_set().source_table.metadata.schema_string
    }

    /// Returns the six figures of the sync.
    #[must_use]
    pub fn metrics(&self) -> CloneMetrics {
        self.change_set().metrics
    }

    /// Returns the notices for the operator, one line each.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.change_set().notices
    }

    /// Returns pairs of keys that some local file systems take for one name.
    #[must_use]
    pub fn near_names(&self) -> &[NearNames] {
        &self.change_set().near_names
    }

    fn change_set(&self) -> &ChangeSet {
        match self {
            Self::Clone(change_set) => change_set,
        }
    }
}
