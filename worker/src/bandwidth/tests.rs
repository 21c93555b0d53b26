//! Flows in virtual time: what they move in a second is what the bound says.

use std::sync::atomic::AtomicU64;

use tokio::task::JoinSet;

use super::*;

const MIB: u64 = 1 << 20;

/// The bytes that a flow with pieces of this length moves in so many seconds.
async fn moved(bandwidth: Bandwidth, piece: usize, seconds: u64) -> u64 {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut bytes = 0;
    loop {
        take(&[&bandwidth], piece).await;
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
        let bandwidth = Bandwidth::new(Some(rate));
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
    let bandwidth = Bandwidth::new(Some(8 * MIB));
    let flows = (moved(bandwidth.clone(), 1 << 20, 60), moved(bandwidth, 1 << 14, 60));
    let (large, small) = tokio::join!(flows.0, flows.1);
    let share = large as f64 / small as f64;
    assert!((0.95..1.05).contains(&share), "{large} and {small}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_not_made_up_for() {
    let bandwidth = Bandwidth::new(Some(MIB));
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let begun = Instant::now();
    take(&[&bandwidth], 2 << 20).await;
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
}

/// The line of [`endless`], in bytes per second.
const LINE: u64 = 400 * MIB;

/// Flows that move bytes for ever over a line, and how many they moved.
fn endless(bounds: &[Bandwidth], flows: usize) -> (JoinSet<()>, Arc<AtomicU64>) {
    const PIECE: usize = 16 << 10;
    let line = Bandwidth::new(Some(LINE));
    let whole = Arc::new(AtomicU64::new(0));
    let mut copies = JoinSet::new();
    for _ in 0..flows {
        let (line, bounds, whole) = (line.clone(), bounds.to_vec(), Arc::clone(&whole));
        copies.spawn(async move {
            let bounds: Vec<&Bandwidth> = bounds.iter().collect();
            loop {
                take(&[&line], PIECE).await;
                take(&bounds, PIECE).await;
                whole.fetch_add(PIECE as u64, Ordering::Relaxed);
            }
        });
    }
    (copies, whole)
}

/// Bytes per second over the next two seconds.
async fn rate_of(whole: &AtomicU64) -> f64 {
    const SECONDS: u64 = 2;
    let before = whole.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    (whole.load(Ordering::Relaxed) - before) as f64 / SECONDS as f64
}

#[tokio::test(start_paused = true)]
async fn a_change_is_kept_from_then_on_also_by_the_flows_that_wait() {
    let bandwidth = Bandwidth::new(Some(200 * MIB));
    let (_copies, whole) = endless(std::slice::from_ref(&bandwidth), 64);
    for (rate, wanted) in [
        (Some(200 * MIB), 200 * MIB),
        (Some(50 * MIB), 50 * MIB),
        (None, LINE),
        (Some(100 * MIB), 100 * MIB),
        (Some(MIB), MIB),
        (Some(200 * MIB), 200 * MIB),
    ] {
        bandwidth.set(rate);
        assert_eq!(bandwidth.rate(), rate);
        let share = rate_of(&whole).await / wanted as f64;
        assert!((0.95..1.05).contains(&share), "{rate:?}: {share}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_waits_long_goes_on_at_once_when_the_bound_goes() {
    let bandwidth = Bandwidth::new(Some(1));
    take(&[&bandwidth], 1).await;
    let waiting = tokio::spawn({
        let bandwidth = bandwidth.clone();
        async move { take(&[&bandwidth], 1 << 20).await }
    });
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(!waiting.is_finished());
    bandwidth.set(None);
    let begun = Instant::now();
    waiting.await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn of_two_bounds_the_smaller_one_holds() {
    for (one, other, wanted) in [
        (Some(30 * MIB), Some(10 * MIB), 10 * MIB),
        (Some(10 * MIB), Some(30 * MIB), 10 * MIB),
        (Some(10 * MIB), Some(10 * MIB), 10 * MIB),
        (Some(10 * MIB), None, 10 * MIB),
        (None, Some(10 * MIB), 10 * MIB),
        (None, None, LINE),
    ] {
        for flows in [1, 16] {
            let bounds = [Bandwidth::new(one), Bandwidth::new(other)];
            let (_copies, whole) = endless(&bounds, flows);
            let share = rate_of(&whole).await / wanted as f64;
            assert!((0.95..1.05).contains(&share), "{one:?} {other:?} {flows}: {share}");
        }
    }
}
