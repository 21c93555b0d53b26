//! What the copies of one task share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deepclone_common::connections::{OneStore, Side};
use deepclone_common::store::stored_checksum::StoredChecksum;
use deepclone_common::store::table::TableStore;
use deepclone_core::ids::Attempt;
use deepclone_core::limits::HELD_OBJECT_BYTES_MAX;
use deepclone_core::spec::Verification;
use object_store::ObjectStore;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use super::digests::{Digests, SecondDigest, StoreSays};
use super::error::CopyError;
use super::length::Length;
use super::target::Target;
use crate::lease::LeaseClock;
use crate::slots::lane::{Lane, Slot};

/// Bytes of a flow that are in memory at once: the buffers of two connections.
const FLOW_BYTES: u64 = 1 << 20;

/// What the copies of one task share.
#[derive(Clone, Debug)]
pub(crate) struct TaskContext {
    pub(crate) source: TableStore,
    pub(crate) target: Target,
    /// The store of both sides, where it may copy by itself.
    pub(crate) one_store: Option<OneStore>,
    /// The number of this attempt at the task, from 1.
    pub(crate) attempt: Attempt,
    pub(crate) verification: Verification,
    /// The slots of the task's route.
    pub(crate) lane: Lane,
    pub(crate) lease: Arc<LeaseClock>,
    /// Cancelled when the coordinator wants nothing more of the grant.
    pub(crate) stop: CancellationToken,
    pub(crate) counts: Arc<Counts>,
    /// Notified when the copy of an object or a part begins.
    pub(crate) begun: Arc<Notify>,
    /// Set once an object of the task was found at the target: the others may be there, too.
    pub(crate) leftovers: Arc<AtomicBool>,
}

impl TaskContext {
    pub(crate) fn store_of(&self, side: Side) -> &dyn ObjectStore {
        match side {
            Side::Source => &*self.source.store,
            Side::Target => self.target_store(),
        }
    }

    pub(crate) fn target_store(&self) -> &dyn ObjectStore {
        &*self.target.table().store
    }

    /// The digest to compute besides CRC-64/NVME: that of the checksums which the target says.
    pub(crate) fn second_digest(&self) -> Option<SecondDigest> {
        match self.verification {
            Verification::Digest => self.target.second_digest(),
            Verification::Size | Verification::ReadBack => None,
        }
    }

    /// Compares bytes with what the target's store says of them, where more than their number
    /// counts.
    pub(crate) fn compare(&self, digests: &Digests, stored: Option<StoredChecksum>) -> StoreSays {
        match self.verification {
            Verification::Size => StoreSays::Nothing,
            Verification::Digest | Verification::ReadBack => digests.compare(stored),
        }
    }

    /// True when objects of the task may be at the target: an earlier attempt, whose worker may
    /// have been killed, left them there.
    pub(crate) fn may_have_leftovers(&self) -> bool {
        self.attempt.0 > 1 || self.leftovers.load(Ordering::Relaxed)
    }

    /// Waits until an object of this length may be moved, or its first part.
    pub(crate) async fn slot(&self, length: Length) -> Slot {
        let length = match length {
            Length::Exact(bytes) => bytes,
            Length::AtLeast(bytes) => bytes.max(HELD_OBJECT_BYTES_MAX),
        };
        let held = length.min(FLOW_BYTES) + self.target.holds(length);
        let slot = self.lane.slot(held).await;
        self.begins(length);
        slot
    }

    /// Waits until a part of so many bytes may be moved, of an object whose upload is open.
    pub(crate) async fn slot_of_part(&self, length: u64) -> Slot {
        let held = length.min(FLOW_BYTES) + self.target.holds(length);
        let slot = self.lane.slot_of_part(held).await;
        self.begins(length);
        slot
    }

    /// Waits until the store may be asked to copy so many bytes by itself.
    pub(crate) async fn slot_of_store(&self, length: u64) -> Slot {
        let slot = self.lane.slot(0).await;
        self.begins(length);
        slot
    }

    fn begins(&self, length: u64) {
        self.counts.begun(length);
        self.begun.notify_waiters();
    }

    /// Waits until an object may be looked at, or read back.
    pub(crate) async fn look(&self) -> Slot {
        self.lane.slot(0).await
    }

    /// Ends `work` on the object `key` early when the grant is not wanted any more. The steps of
    /// the work take memory from here on: a task has many objects that wait.
    ///
    /// # Errors
    /// That of the work; a lease that ended.
    pub(crate) fn until_stopped<T>(
        &self,
        key: &str,
        work: impl Future<Output = Result<T, CopyError>>,
    ) -> impl Future<Output = Result<T, CopyError>> {
        let work = Box::pin(work);
        async move {
            tokio::select! {
                biased;
                done = work => done,
                () = self.stop.cancelled() => Err(CopyError::lease_expired(key)),
            }
        }
    }

    /// Asked before each write of the object `key`.
    ///
    /// # Errors
    /// The lease has ended (I3).
    pub(crate) fn check_lease(&self, key: &str) -> Result<(), CopyError> {
        self.lease.check().map_err(|_| CopyError::lease_expired(key))
    }
}
