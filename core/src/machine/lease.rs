//! What holds a grant in time.

use super::moment::Moment;
use crate::ids::{Attempt, Epoch, GrantKey, WorkerId};

/// Holds a grant until it expires; heartbeats extend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) worker: WorkerId,
    pub(super) attempt: Attempt,
    pub(super) epoch: Epoch,
    pub(super) expires_at: Moment,
    pub(super) bytes_done: u64,
}

impl Lease {
    /// True when it holds the grant `key` of `worker`.
    pub(super) fn is(&self, worker: WorkerId, key: &GrantKey) -> bool {
        self.worker == worker && self.attempt == key.attempt && self.epoch == key.epoch
    }
}
