//! Bounds the bytes per second that copies move.
//!
//! Every flow reads piece by piece, and waits for its turn with each piece. A piece is paid for in
//! small slices, first come, first served, so flows with large and with small pieces get the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// Bytes that a flow pays for at once.
const SLICE_BYTES: u64 = 16 << 10;
/// How long the bytes that nobody used may be used later: the timer is about a millisecond late.
const BURST: Duration = Duration::from_millis(50);
/// The slowest rate at which a body may flow: twice that below which our client gives a request up.
/// Stores drop a body that gets nothing for half a minute.
pub(crate) const BODY_BYTES_PER_SECOND_MIN: u64 = 128 << 10;

/// A bound of the bytes per second that copies move; clones share it.
#[derive(Clone, Debug)]
pub struct Bandwidth {
    bytes_per_second: u64,
    /// When all bytes that were asked for so far have been moved.
    paid_until: Arc<Mutex<Instant>>,
}

impl Bandwidth {
    /// A bound of so many bytes per second, from now on.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        let paid_until = Arc::new(Mutex::new(Instant::now()));
        Self { bytes_per_second: bytes_per_second.max(1), paid_until }
    }

    /// The most copies at once that do not starve each other.
    #[must_use]
    pub fn copies_max(&self) -> u32 {
        let copies = self.bytes_per_second / BODY_BYTES_PER_SECOND_MIN;
        u32::try_from(copies).unwrap_or(u32::MAX).max(1)
    }

    /// Waits until so many bytes may be moved.
    pub(crate) async fn take(&self, bytes: usize) {
        let mut left = bytes as u64;
        while left > 0 {
            let slice = left.min(SLICE_BYTES);
            left -= slice;
            let at = self.reserve(slice);
            if at > Instant::now() {
                tokio::time::sleep_until(at).await;
            }
        }
    }

    /// When the slice may be moved: after all that were asked for before it.
    fn reserve(&self, bytes: u64) -> Instant {
        let mut paid_until =
            self.paid_until.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let now = Instant::now();
        let at = (*paid_until).max(now.checked_sub(BURST).unwrap_or(now));
        let nanoseconds = bytes.saturating_mul(1_000_000_000) / self.bytes_per_second;
        *paid_until = at + Duration::from_nanos(nanoseconds);
        at
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// The bytes that a flow with pieces of this length moves in so many seconds.
    async fn moved(bandwidth: Bandwidth, piece: usize, seconds: u64) -> u64 {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut bytes = 0;
        loop {
            bandwidth.take(piece).await;
            if Instant::now() > end {
                return bytes;
            }
            bytes += piece as u64;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept_whatever_flows() {
        // Files come by pieces of 1 MiB, sockets by some kilobytes.
        let pieces = [1 << 20, 1 << 14, 5_000, 70_000];
        for (rate, flows, seconds) in [(MIB, 1, 60), (10 * MIB, 8, 30), (200 * MIB, 40, 5)] {
            let bandwidth = Bandwidth::new(rate);
            let mut copies = JoinSet::new();
            for number in 0..flows {
                let piece = pieces[number % pieces.len()];
                copies.spawn(moved(bandwidth.clone(), piece, seconds));
            }
            let whole: u64 = copies.join_all().await.iter().sum();
            let share = whole as f64 / (rate * seconds) as f64;
            assert!((0.95..1.05).contains(&share), "{rate} over {flows}: {share}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn flows_with_large_and_with_small_pieces_get_the_same() {
        let bandwidth = Bandwidth::new(8 * MIB);
        let flows = (moved(bandwidth.clone(), 1 << 20, 60), moved(bandwidth, 1 << 14, 60));
        let (large, small) = tokio::join!(flows.0, flows.1);
        let share = large as f64 / small as f64;
        assert!((0.95..1.05).contains(&share), "{large} and {small}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let bandwidth = Bandwidth::new(MIB);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let begun = Instant::now();
        bandwidth.take(2 << 20).await;
        assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
    }

    #[test]
    fn few_bodies_are_open_when_little_may_flow() {
        for (rate, copies) in [(1, 1), (256 << 10, 2), (MIB, 8), (64 * MIB, 512)] {
            assert_eq!(Bandwidth::new(rate).copies_max(), copies, "{rate}");
        }
    }
}
