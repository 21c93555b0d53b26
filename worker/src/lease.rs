//! The deadline of a grant, on this machine's own monotonic clock (I3).

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// No write may start any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseExpired;

/// Until when writes may start.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    deadline: Mutex<Instant>,
}

impl LeaseClock {
    /// A grant whose answer came at `came_at`.
    pub(crate) fn new(came_at: Instant, ttl: Duration) -> Self {
        Self { deadline: Mutex::new(came_at + ttl) }
    }

    /// A heartbeat sent at `sent_at` was answered.
    pub(crate) fn extend(&self, sent_at: Instant, ttl: Duration) {
        let mut deadline = self.deadline.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *deadline = (*deadline).max(sent_at + ttl);
    }

    /// Asked before every write.
    pub(crate) fn check(&self) -> Result<(), LeaseExpired> {
        let deadline = self.deadline.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if Instant::now() < *deadline { Ok(()) } else { Err(LeaseExpired) }
    }
}
