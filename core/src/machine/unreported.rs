//! What workers may have read of grants that ended without a report.
//!
//! A worker that is killed tells nothing of what it read since its last heartbeat, and the source
//! has sent it all the same. So such a grant counts with what its worker told last, and with the
//! rest of the task, which is the most that it could still read once. What it read more slowly
//! before says nothing of its last seconds. A report that comes late takes the place of that.

use std::collections::BTreeMap;

use super::lease::Lease;
use crate::ids::{Attempt, Epoch, GrantKey, TaskFingerprint, WorkerId};
use crate::limits::UNREPORTED_GRANTS_MAX;

/// The grants of a job that ended without a report, and the bytes that each counts with.
#[derive(Clone, Debug, Default)]
pub(super) struct Unreported {
    of_grants: BTreeMap<GrantPlace, u64>,
    bytes: u64,
}

/// A grant within its job.
type GrantPlace = (TaskFingerprint, WorkerId, Attempt, Epoch);

impl Unreported {
    /// Counts a grant that ends without a report. `left` is what its worker may have read of the
    /// task beyond what it told.
    pub(super) fn lose(&mut self, fingerprint: TaskFingerprint, lease: &Lease, left: u64) {
        if self.of_grants.len() >= UNREPORTED_GRANTS_MAX {
            // What is not remembered stays counted, whatever comes late.
            self.of_grants.pop_first();
        }
        let bytes = lease.bytes_read.saturating_add(left);
        let place = (fingerprint, lease.worker, lease.attempt, lease.epoch);
        let before = self.of_grants.insert(place, bytes).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(before).saturating_add(bytes);
    }

    /// Takes back what such a grant counts with: its worker goes on with it, or reports it.
    pub(super) fn hear(&mut self, worker: WorkerId, key: &GrantKey) {
        let place = (key.fingerprint, worker, key.attempt, key.epoch);
        let bytes = self.of_grants.remove(&place).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
