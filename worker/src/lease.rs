//! Bounds the writes of a grant in time, by this machine's monotonic clock (I3).

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The lease has ended: no write may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseExpired;

/// The time until which writes may start.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    deadline: watch::Sender<Instant>,
}

impl LeaseClock {
    /// Begins the lease of a grant whose answer came at `came_at`.
    pub(crate) fn new(came_at: Instant, ttl: Duration) -> Self {
        Self { deadline: watch::Sender::new(came_at + ttl) }
    }

    /// Extends the lease after the answer to a heartbeat that was sent at `sent_at`.
    pub(crate) fn extend(&self, sent_at: Instant, ttl: Duration) {
        self.deadline.send_modify(|deadline| *deadline = (*deadline).max(sent_at + ttl));
    }

    /// Must be called before each write.
    ///
    /// # Errors
    /// The lease has ended.
    pub(crate) fn check(&self) -> Result<(), LeaseExpired> {
        if Instant::now() < *self.deadline.borrow() { Ok(()) } else { Err(LeaseExpired) }
    }

    /// Returns at once while the lease holds; else waits until it is extended.
    pub(crate) async fn renewed(&self) {
        // Fails only when the sender is dropped, which this is.
        let mut deadline = self.deadline.subscribe();
        let _holds = deadline.wait_for(|deadline| Instant::now() < *deadline).await;
    }
}
