//! What a worker is told by the process that runs it.

use std::time::Duration;

use deepclone_common::config::{ByteRate, ByteSize, LimitSettings};
use deepclone_common::dial::CoordinatorChannel;
use deepclone_common::telemetry::spans::Spans;
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::copies_max;
use deepclone_core::limits::{BODY_BYTES_PER_SECOND_MIN, SLOTS_MAX};
use deepclone_core::reason::Reason;

use crate::bandwidth::Bandwidth;
use crate::metrics::WorkerMetrics;
use crate::open_files;
use crate::permits::Permits;

/// Memory without a flag or a setting.
const MEMORY_BYTES: u64 = 512 << 20;

/// How a worker runs.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Its name, which stays over restarts; [`run`](crate::run) mints the incarnation.
    pub name: String,
    /// How much it may take.
    pub limits: WorkerLimits,
    /// How long it goes on with what it holds once it should leave. What is not done then is given
    /// back.
    pub drain_max: Duration,
    /// Where it counts what it does.
    pub metrics: WorkerMetrics,
    /// Takes the spans of what it does.
    pub spans: Spans,
}

/// How much a worker may take. Clones share what may change while it runs: the copies and the
/// bandwidth.
#[derive(Clone, Debug)]
pub struct WorkerLimits {
    /// Bytes of objects that it holds in memory at once.
    pub memory_bytes: u64,
    /// One for each object or part that it copies at once.
    pub copies: Permits,
    /// Bounds the bytes per second that it copies.
    pub bandwidth: Bandwidth,
}

impl WorkerLimits {
    /// The limits that settings ask for, or the defaults, as far as this process can keep them.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with the setting that makes no sense.
    pub fn new(settings: LimitSettings) -> Result<Self, Failure> {
        let (copies, rate) = checked(settings)?;
        Ok(Self::of(Self::memory_of(settings), copies, rate))
    }

    /// Bytes in memory that settings ask for, or the default.
    pub(crate) fn memory_of(settings: LimitSettings) -> u64 {
        settings.memory.map_or(MEMORY_BYTES, |ByteSize(bytes)| bytes)
    }

    /// These limits: bytes in memory, copies at once, and bytes per second, `None` for any number.
    #[must_use]
    pub fn of(memory_bytes: u64, copies: u32, bytes_per_second: Option<u64>) -> Self {
        let (copies, bandwidth) = (Permits::new(copies), Bandwidth::new(bytes_per_second));
        Self { memory_bytes, copies, bandwidth }
    }

    /// Changes the copies and the bandwidth to what settings ask for, or the defaults, also for the
    /// copies that run. The memory stays.
    ///
    /// # Errors
    /// As [`WorkerLimits::new`]; then nothing is changed.
    pub fn change(&self, settings: LimitSettings) -> Result<(), Failure> {
        let (copies, rate) = checked(settings)?;
        self.copies.set(copies);
        self.bandwidth.set(rate);
        Ok(())
    }

    /// The limits of each of so many workers in one process. The bandwidth is common to all, the
    /// copies and the memory are each one's own.
    #[must_use]
    pub fn shares(&self, workers: u32) -> Vec<Self> {
        let share = |_| Self {
            memory_bytes: self.memory_bytes / u64::from(workers),
            copies: Permits::new((self.copies.most() / workers).max(1)),
            bandwidth: self.bandwidth.clone(),
        };
        (0..workers).map(share).collect()
    }
}

/// The copies at once and the bytes per second that settings ask for.
fn checked(settings: LimitSettings) -> Result<(u32, Option<u64>), Failure> {
    let LimitSettings { concurrency, bandwidth, .. } = settings;
    let rate = bandwidth.map(|ByteRate(rate)| rate);
    let invalid = |message: String| Failure::new(Reason::InvalidArgument, message);
    if concurrency.is_some_and(|copies| !(1..=SLOTS_MAX).contains(&copies)) {
        return Err(invalid(format!("concurrency: write a number from 1 to {SLOTS_MAX}")));
    }
    if rate.is_some_and(|rate| rate < BODY_BYTES_PER_SECOND_MIN) {
        let least = ByteRate(BODY_BYTES_PER_SECOND_MIN);
        return Err(invalid(format!("bandwidth: write {least} or more")));
    }
    let files = open_files::copies_max().unwrap_or(u32::MAX);
    let wanted = concurrency.unwrap_or(SLOTS_MAX);
    if concurrency.is_some() && files < wanted {
        tracing::warn!(concurrency = files, "fewer open files are allowed: see ulimit -n");
    }
    Ok((wanted.min(copies_max(rate)).min(files), rate))
}

/// A coordinator that a worker may serve.
#[derive(Clone, Debug)]
pub struct CoordinatorEndpoint {
    /// Its URL, as logs and the ready line show it.
    pub url: String,
    /// The connection to it, which reconnects by itself.
    pub channel: CoordinatorChannel,
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn limits_are_checked_and_fit_each_other() {
        let limits = |concurrency, bandwidth: Option<u64>| {
            let bandwidth = bandwidth.map(ByteRate);
            WorkerLimits::new(LimitSettings {
                memory: None,
                concurrency,
                bandwidth,
                ..LimitSettings::default()
            })
        };
        for (concurrency, bandwidth, copies) in [
            (Some(1), None, 1),
            (Some(40), None, 40),
            (Some(40), Some(200 << 20), 40),
            // Eight bodies at 128 KiB/s.
            (Some(40), Some(1 << 20), 8),
            (None, Some(1 << 20), 8),
        ] {
            let limits = limits(concurrency, bandwidth).unwrap();
            assert_eq!(limits.copies.most(), copies, "{concurrency:?} {bandwidth:?}");
            assert_eq!(limits.bandwidth.rate(), bandwidth);
            assert_eq!(limits.memory_bytes, MEMORY_BYTES);
        }
        assert!((1..=SLOTS_MAX).contains(&limits(None, None).unwrap().copies.most()));
        for (concurrency, bandwidth, part) in [
            (Some(0), None, "concurrency: write a number from 1 to 512"),
            (Some(513), None, "concurrency: write a number from 1 to 512"),
            (None, Some(0), "bandwidth: write 128KiB/s or more"),
        ] {
            let failure = limits(concurrency, bandwidth).unwrap_err();
            assert_eq!((failure.reason, &*failure.message), (Reason::InvalidArgument, part));
        }
    }

    #[tokio::test]
    async fn workers_of_one_process_take_no_copies_from_each_other() {
        let limits = WorkerLimits::of(MEMORY_BYTES, 9, Some(1 << 20));
        let shares = limits.shares(2);
        assert_eq!(shares.len(), 2);
        let mut taken = Vec::new();
        for share in &shares {
            assert_eq!((share.memory_bytes, share.copies.most()), (MEMORY_BYTES / 2, 4));
            for _ in 0..4 {
                let permit = share.copies.acquire().now_or_never();
                taken.push(permit.expect("each worker has permits of its own"));
            }
        }
        limits.bandwidth.set(Some(2 << 20));
        assert!(shares.iter().all(|share| share.bandwidth.rate() == Some(2 << 20)));
    }
}
