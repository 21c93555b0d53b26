//! What a worker is told by the process that runs it.

use std::time::Duration;

use deepclone_common::config::{ByteRate, ByteSize, LimitSettings};
use deepclone_core::failure::Failure;
use deepclone_core::limits::SLOTS_MAX;
use deepclone_core::reason::Reason;
use tonic::transport::Channel;

use crate::bandwidth::{BODY_BYTES_PER_SECOND_MIN, Bandwidth};
use crate::metrics::WorkerMetrics;
use crate::open_files;

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
}

/// How much a worker may take.
#[derive(Clone, Debug)]
pub struct WorkerLimits {
    /// Bytes of objects that it holds in memory at once.
    pub memory_bytes: u64,
    /// Objects and parts that it copies at once.
    pub concurrency: u32,
    /// Bytes per second that it copies; `None` for no bound.
    pub bandwidth: Option<Bandwidth>,
}

impl WorkerLimits {
    /// The limits that settings ask for, or the defaults, as far as this process can keep them.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with the setting that makes no sense.
    pub fn new(settings: LimitSettings) -> Result<Self, Failure> {
        let LimitSettings { memory, concurrency, bandwidth } = settings;
        let invalid = |message: String| Failure::new(Reason::InvalidArgument, message);
        if concurrency.is_some_and(|copies| !(1..=SLOTS_MAX).contains(&copies)) {
            return Err(invalid(format!("concurrency: write a number from 1 to {SLOTS_MAX}")));
        }
        if bandwidth.is_some_and(|ByteRate(rate)| rate < BODY_BYTES_PER_SECOND_MIN) {
            let least = BODY_BYTES_PER_SECOND_MIN >> 10;
            return Err(invalid(format!("bandwidth: write {least}KiB/s or more")));
        }
        let bandwidth = bandwidth.map(|ByteRate(rate)| Bandwidth::new(rate));
        let starving = bandwidth.as_ref().map_or(u32::MAX, Bandwidth::copies_max);
        let files = open_files::copies_max().unwrap_or(u32::MAX);
        let wanted = concurrency.unwrap_or(SLOTS_MAX);
        if concurrency.is_some() && files < wanted {
            tracing::warn!(concurrency = files, "fewer open files are allowed: see ulimit -n");
        }
        Ok(Self {
            memory_bytes: memory.map_or(MEMORY_BYTES, |ByteSize(bytes)| bytes),
            concurrency: wanted.min(starving).min(files),
            bandwidth,
        })
    }

    /// The share of one of so many workers in one process, at least one. The bandwidth is common.
    #[must_use]
    pub fn share(&self, workers: u32) -> Self {
        Self {
            memory_bytes: self.memory_bytes / u64::from(workers.max(1)),
            concurrency: (self.concurrency / workers.max(1)).max(1),
            bandwidth: self.bandwidth.clone(),
        }
    }
}

/// A coordinator that a worker may serve.
#[derive(Clone, Debug)]
pub struct CoordinatorEndpoint {
    /// Its URL, as logs and the ready line show it.
    pub url: String,
    /// The connection to it, which reconnects by itself.
    pub channel: Channel,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn limits_are_checked_and_fit_each_other() {
        let limits = |concurrency, bandwidth: Option<u64>| {
            let bandwidth = bandwidth.map(ByteRate);
            WorkerLimits::new(LimitSettings { memory: None, concurrency, bandwidth })
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
            assert_eq!(limits.concurrency, copies, "{concurrency:?} {bandwidth:?}");
            assert_eq!(limits.bandwidth.is_some(), bandwidth.is_some());
            assert_eq!(limits.memory_bytes, MEMORY_BYTES);
        }
        assert!((1..=SLOTS_MAX).contains(&limits(None, None).unwrap().concurrency));
        for (concurrency, bandwidth, part) in [
            (Some(0), None, "concurrency: write a number from 1 to 512"),
            (Some(513), None, "concurrency: write a number from 1 to 512"),
            (None, Some(0), "bandwidth: write 128KiB/s or more"),
        ] {
            let failure = limits(concurrency, bandwidth).unwrap_err();
            assert_eq!((failure.reason, &*failure.message), (Reason::InvalidArgument, part));
        }
        let shared = limits(Some(9), None).unwrap().share(2);
        assert_eq!((shared.memory_bytes, shared.concurrency), (MEMORY_BYTES / 2, 4));
    }
}
