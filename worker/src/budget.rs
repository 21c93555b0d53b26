//! Bounds what all copies of a worker take together (I8).

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bandwidth::{Bandwidth, take};
use crate::metrics::WorkerMetrics;
use crate::options::WorkerLimits;
use crate::permits::{Permit, Permits};

/// Bytes that one permit stands for.
const UNIT_BYTES: u64 = 4 << 10;

/// What all copies of a worker take together; clones share it. The longest wait is served first,
/// so the first part of an object proceeds whatever waits behind it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    copies: Permits,
    bytes: Arc<Semaphore>,
    units: u32,
    bandwidth: Bandwidth,
    /// Shows the bytes that are taken.
    shown: Gauge,
}

/// The share of one copy, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct BudgetShare {
    _copy: Permit,
    _bytes: Option<OwnedSemaphorePermit>,
    _shown: ShownBytes,
}

/// Bytes that a gauge shows until this is dropped.
#[derive(Debug)]
struct ShownBytes {
    gauge: Gauge,
    bytes: i64,
}

impl Drop for ShownBytes {
    fn drop(&mut self) {
        self.gauge.dec_by(self.bytes);
    }
}

impl Budget {
    pub(crate) fn new(limits: &WorkerLimits) -> Self {
        let units = u32::try_from(limits.memory_bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self {
            copies: limits.copies.clone(),
            bytes: Arc::new(Semaphore::new(units as usize)),
            units,
            bandwidth: limits.bandwidth.clone(),
            shown: Gauge::default(),
        }
    }

    /// Returns the same, whose memory these metrics show.
    pub(crate) fn shown_by(self, metrics: &WorkerMetrics) -> Self {
        metrics.limit_buffers(u64::from(self.units) * UNIT_BYTES);
        Self { shown: metrics.buffers.clone(), ..self }
    }

    /// The most copies at once, as of now.
    pub(crate) fn copies_max(&self) -> u32 {
        self.copies.most()
    }

    /// Waits until one more copy may run that holds so many bytes. More than the whole budget takes
    /// all of it. What holds bytes waits for nothing more.
    pub(crate) async fn share(&self, bytes: u64) -> BudgetShare {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.units);
        let copy = self.copies.acquire().await;
        // It fails only when the semaphore is closed, which never happens.
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(units).await.ok();
        BudgetShare { _copy: copy, _bytes: bytes, _shown: self.show(units) }
    }

    fn show(&self, units: u32) -> ShownBytes {
        let bytes = i64::try_from(u64::from(units) * UNIT_BYTES).unwrap_or(i64::MAX);
        self.shown.inc_by(bytes);
        ShownBytes { gauge: self.shown.clone(), bytes }
    }

    /// Waits until so many bytes that were read may flow on, also within another bound.
    pub(crate) async fn flow(&self, other: &Bandwidth, bytes: usize) {
        take(&[&self.bandwidth, other], bytes).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn budget(memory_bytes: u64, concurrency: u32) -> Budget {
        Budget::new(&WorkerLimits::of(memory_bytes, concurrency, None))
    }

    #[tokio::test]
    async fn the_budget_bounds_what_is_held() {
        let budget = budget(10 << 10, 9);
        let first = budget.share(8 << 10).await;
        assert!(budget.share(8 << 10).now_or_never().is_none(), "more than the budget was given");
        drop(first);
        // More than all of it takes all of it, and does not wait for ever.
        let _all = budget.share(1 << 30).await;
        assert!(budget.share(1).now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_metrics_show_what_is_held() {
        let metrics = WorkerMetrics::default();
        let budget = budget(64 << 10, 9).shown_by(&metrics);
        let (first, second) = (budget.share(8 << 10).await, budget.share(1).await);
        assert_eq!(metrics.buffers.get(), (8 << 10) + (4 << 10));
        drop(first);
        assert_eq!(metrics.buffers.get(), 4 << 10);
        let waiting = Box::pin(budget.share(64 << 10));
        assert!(waiting.now_or_never().is_none());
        drop(second);
        assert_eq!(metrics.buffers.get(), 0, "what waited no more is not held");
    }

    #[tokio::test]
    async fn a_change_of_the_limits_is_a_change_of_the_budget() {
        let limits = WorkerLimits::of(1 << 30, 1, None);
        let budget = Budget::new(&limits);
        let _first = budget.share(1).await;
        let mut second = Box::pin(budget.share(1));
        assert!(second.as_mut().now_or_never().is_none());
        limits.copies.set(2);
        assert_eq!(budget.copies_max(), 2);
        assert!(second.now_or_never().is_some(), "the copy that waits gets the new permit");
    }

    #[tokio::test]
    async fn the_budget_bounds_how_many_copies_run() {
        let budget = budget(1 << 30, 2);
        let (first, _second) = (budget.share(1).await, budget.share(1).await);
        assert!(budget.share(1).now_or_never().is_none(), "more copies run than are allowed");
        drop(first);
        assert!(budget.share(1).now_or_never().is_some());
    }
}
