//! Bounds the writes of a grant in time, by this machine's monotonic clock (I3).

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// The lease has ended: no write may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseExpired;

/// The time until which writes may start.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    deadline: Mutex<Instant>,
}

impl LeaseClock {
    /// Begins the lease of a grant whose answer came at `came_at`.
    pub(crate) fn new(came_at: Instant, ttl: Duration) -> Self {
        Self { deadline: Mutex::new(came_at + ttl) }
    }

    /// Extends the lease after the answer to a heartbeat that was sent at `sent_at`.
    pub(crate) fn extend(&self, sent_at: Instant, ttl: Duration) {
        let mut deadline = self.deadline.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *deadline = (*deadline).max(sent_at + ttl);
    }

    /// Must be called before each write.
    ///
    /// # Errors
    /// The lease has ended.
    pub(crate) fn check(&self) -> Result<(), LeaseExpired> {
        let deadline = self.deadline.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if Instant::now() < *deadline { Ok(()) } else { Err(LeaseExpired) }
    }
}
