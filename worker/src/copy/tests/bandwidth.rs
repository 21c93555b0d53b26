//! A bound of the bytes per second holds for every way to copy an object.

use deepclone_core::job_limits::JobShare;
use deepclone_core::limits::HELD_OBJECT_BYTES_MAX;

use super::*;
use crate::job_pace::JobPace;

const RATE: u64 = 4 << 20;

/// Copies an object of this size; what the worker and the job may move per second.
async fn takes_as_long_as_it_may(size: u64, of_worker: Option<u64>, of_job: Option<u64>) {
    let mut case = case(&[], &[]);
    let limits = WorkerLimits::of(256 << 20, 8, of_worker);
    let share = JobShare { bytes_per_second: of_job, concurrency: None };
    let lane = Lane::new(Budget::new(&limits), Arc::default());
    case.context.lane = lane.for_job(JobPace::new(share));
    let begun = Instant::now();
    case.done(&bytes_of(usize::try_from(size).unwrap())).await;
    let seconds = begun.elapsed().as_secs_f64();
    // Some bytes may go before the bound is felt.
    let wanted = size as f64 / RATE as f64;
    let in_time = (wanted - 0.06..wanted * 1.05).contains(&seconds);
    assert!(in_time, "{size} with {of_worker:?} and {of_job:?}: {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_copy_takes_as_long_as_its_bytes_may() {
    for size in [HELD_OBJECT_BYTES_MAX, 16 << 20, WHOLE_OBJECT_BYTES_MAX + 1] {
        takes_as_long_as_it_may(size, Some(RATE), None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_the_workers_and_the_jobs_bound_the_smaller_one_holds() {
    for (of_worker, of_job) in
        [(None, Some(RATE)), (Some(2 * RATE), Some(RATE)), (Some(RATE), Some(2 * RATE))]
    {
        takes_as_long_as_it_may(16 << 20, of_worker, of_job).await;
    }
}
