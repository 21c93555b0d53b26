//! The wall clock: the machine's, or in a simulation one that runs with the runtime's time.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The operating system's clock.
    #[default]
    System,
    /// One that follows tokio's time, which a simulation pauses and advances.
    Simulated {
        /// The time at `started`, in milliseconds since 1970 (UTC).
        start_ms: i64,
        /// When the simulation began.
        started: Instant,
    },
}

impl Clock {
    /// Milliseconds since 1970 (UTC).
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        let (start_ms, since) = match self {
            Self::System => (0, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            Self::Simulated { start_ms, started } => (*start_ms, started.elapsed()),
        };
        start_ms.saturating_add(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_follows_the_runtimes_time() {
        let clock = Clock::Simulated { start_ms: 1_000, started: Instant::now() };
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now_ms(), 1_250);
        assert!(Clock::System.now_ms() > 1_700_000_000_000);
    }
}
