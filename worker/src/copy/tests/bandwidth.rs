//! A bound of the bytes per second holds for every way to copy an object.

use deepclone_core::limits::HELD_OBJECT_BYTES_MAX;

use super::*;
use crate::bandwidth::Bandwidth;

#[tokio::test(start_paused = true)]
async fn a_copy_takes_as_long_as_its_bytes_may() {
    const RATE: u64 = 4 << 20;
    for size in [HELD_OBJECT_BYTES_MAX, 16 << 20, WHOLE_OBJECT_BYTES_MAX + 1] {
        let mut case = case(&[], &[]);
        let bandwidth = Some(Bandwidth::new(RATE));
        let limits = WorkerLimits { memory_bytes: 256 << 20, concurrency: 8, bandwidth };
        case.context.lane = Lane::new(Budget::new(&limits), Arc::default());
        let begun = Instant::now();
        case.done(&bytes_of(usize::try_from(size).unwrap())).await;
        let seconds = begun.elapsed().as_secs_f64();
        // Some bytes may go before the bound is felt.
        let wanted = size as f64 / RATE as f64;
        assert!((wanted - 0.06..wanted * 1.05).contains(&seconds), "{size}: {seconds} s");
    }
}
