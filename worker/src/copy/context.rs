//! What the copies of one task share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::Attempt;
use deepclone_core::spec::Verification;
use object_store::ObjectStore;
use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use super::error::CopyError;
use super::target::Target;
use crate::budget::Budget;
use crate::lease::LeaseClock;

/// What the copies of one task share.
#[derive(Clone, Debug)]
pub(crate) struct TaskContext {
    pub(crate) source: TableStore,
    pub(crate) target: Target,
    /// The number of this attempt at the task, from 1.
    pub(crate) attempt: Attempt,
    pub(crate) verification: Verification,
    pub(crate) budget: Budget,
    pub(crate) lease: Arc<LeaseClock>,
    /// Cancelled when the coordinator wants nothing more of the grant.
    pub(crate) stop: CancellationToken,
    pub(crate) counts: Arc<Counts>,
    /// Set once an object of the task was found at the target: the others may be there, too.
    pub(crate) leftovers: Arc<AtomicBool>,
}

impl TaskContext {
    pub(crate) fn source_store(&self) -> &dyn ObjectStore {
        &*self.source.store
    }

    pub(crate) fn target_store(&self) -> &dyn ObjectStore {
        &*self.target.table().store
    }

    /// Asked before each write of the object `key`.
    ///
    /// # Errors
    /// The lease has ended (I3).
    pub(crate) fn check_lease(&self, key: &str) -> Result<(), CopyError> {
        self.lease.check().map_err(|_| CopyError::lease_expired(key))
    }
}
