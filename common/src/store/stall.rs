//! When a request is given up: by its size, and by the progress of a body that flows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The longest wait for the head of an answer once the request's body is sent, and for each frame.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait for the answer to a completed upload: a store puts the parts together first,
/// which takes minutes, and two completions at once lose the object at some.
pub(super) const COMPLETION_TIMEOUT: Duration = Duration::from_secs(600);
/// The slowest rate of a request's body.
pub(super) const FLOOR_BYTES_PER_SECOND: u64 = 64 << 10;

/// Returns how long a request with a body of `bytes` may take.
pub(super) fn deadline_for(bytes: u64) -> Duration {
    STALL_TIMEOUT + Duration::from_secs(bytes / FLOOR_BYTES_PER_SECOND)
}

/// When the store last took bytes of a body.
#[derive(Debug)]
pub(super) struct FlowProgress {
    begun: Instant,
    /// Milliseconds after `begun`; [`WAITS_FOR_SOURCE`] while the source is asked for more.
    at_ms: AtomicU64,
    /// True once the last byte was taken.
    is_ended: AtomicBool,
}

const WAITS_FOR_SOURCE: u64 = u64::MAX;
/// What buffers below the client may hold when the last byte is taken.
const BUFFERED_BYTES_MAX: u64 = 4 << 20;

impl Default for FlowProgress {
    fn default() -> Self {
        Self { begun: Instant::now(), at_ms: AtomicU64::new(0), is_ended: AtomicBool::new(false) }
    }
}

impl FlowProgress {
    /// Notes that the store took bytes; `is_ended` with the last of them.
    pub(super) fn note(&self, is_ended: bool) {
        self.is_ended.store(is_ended, Ordering::Relaxed);
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(WAITS_FOR_SOURCE - 1);
        self.at_ms.store(now, Ordering::Relaxed);
    }

    /// Notes that the store asked for bytes which the source did not give yet.
    pub(super) fn wait_for_source(&self) {
        self.at_ms.store(WAITS_FOR_SOURCE, Ordering::Relaxed);
    }

    /// Returns once the store has been silent for too long, and for how long. The time in which the
    /// source gives nothing does not count: the source has its own time-outs.
    pub(super) async fn stalled(&self) -> Duration {
        loop {
            let at_ms = self.at_ms.load(Ordering::Relaxed);
            let limit = match self.is_ended.load(Ordering::Relaxed) {
                true => deadline_for(BUFFERED_BYTES_MAX),
                false => STALL_TIMEOUT,
            };
            let since = match at_ms {
                WAITS_FOR_SOURCE => Instant::now(),
                at_ms => self.begun + Duration::from_millis(at_ms),
            };
            if at_ms != WAITS_FOR_SOURCE && since.elapsed() >= limit {
                return limit;
            }
            tokio::time::sleep_until(since + limit).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_a_store_that_takes_nothing_is_given_up() {
        let progress = FlowProgress::default();
        let begun = Instant::now();
        // It takes bytes now and then, and the source lets it wait for longer than the limit.
        let work = async {
            for _ in 0..5 {
                tokio::time::sleep(STALL_TIMEOUT - SECOND).await;
                progress.note(false);
            }
            progress.wait_for_source();
            tokio::time::sleep(STALL_TIMEOUT * 3).await;
            progress.note(false);
        };
        let busy = STALL_TIMEOUT * 8 - SECOND * 5;
        let (after, ()) = tokio::join!(progress.stalled(), work);
        assert_eq!(after, STALL_TIMEOUT);
        let took = begun.elapsed();
        assert!(took >= busy + STALL_TIMEOUT && took <= busy + STALL_TIMEOUT * 2, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_last_byte_the_store_may_take_longer() {
        let progress = FlowProgress::default();
        progress.note(true);
        let begun = Instant::now();
        assert!(progress.stalled().await > STALL_TIMEOUT);
        assert!(begun.elapsed() > STALL_TIMEOUT);
    }
}
