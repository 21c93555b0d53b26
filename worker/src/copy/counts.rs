//! Counts what a task has done so far, for its receipt and for heartbeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use deepclone_common::connections::Side;
use deepclone_common::store::error::StoreError;
use deepclone_common::store::operation::StoreOperation;
use deepclone_common::store::retry::RetriedRequest;
use deepclone_core::receipt::AttemptCounts;

use crate::metrics::WorkerMetrics;
use crate::slots::meter::Meter;

/// What a task has done so far, repeats included.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) requests: AtomicU32,
    /// Those of the requests that went to the source.
    source_requests: AtomicU32,
    /// Those that read or described objects at the target.
    target_reads: AtomicU32,
    /// Bytes of the objects and parts whose copy has begun, repeats included. A long object has
    /// begun with its first part, until its upload is open and the others can begin.
    pub(crate) bytes_begun: AtomicU64,
    /// Bytes of objects that the target had already.
    bytes_found: AtomicU64,
    /// Bytes that the writes under way have taken.
    bytes_flowing: AtomicU64,
    /// Counts the same for the task's route.
    meter: Arc<Meter>,
    /// Shows the same to operators.
    pub(super) metrics: WorkerMetrics,
    /// The names of the connections, for metrics and logs.
    source: Arc<str>,
    target: Arc<str>,
}

impl Counts {
    /// Counts that the route's meter and the worker's metrics share.
    pub(crate) fn new(meter: Arc<Meter>, metrics: WorkerMetrics) -> Self {
        Self {
            bytes_read: AtomicU64::default(),
            bytes_written: AtomicU64::default(),
            requests: AtomicU32::default(),
            source_requests: AtomicU32::default(),
            target_reads: AtomicU32::default(),
            bytes_begun: AtomicU64::default(),
            bytes_found: AtomicU64::default(),
            bytes_flowing: AtomicU64::default(),
            meter,
            metrics,
            source: Arc::default(),
            target: Arc::default(),
        }
    }

    /// Returns the same for a copy between these connections.
    pub(crate) fn between(self, source: &str, target: &str) -> Self {
        Self { source: source.into(), target: target.into(), ..self }
    }

    /// Returns what a request asks of the store of a side.
    pub(crate) fn asked(&self, side: Side, operation: StoreOperation) -> RetriedRequest {
        let store = match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        RetriedRequest::new(operation, Arc::clone(store))
    }

    /// A request reads or describes an object.
    pub(crate) fn read_at(&self, side: Side) {
        self.request();
        let of_side = match side {
            Side::Source => &self.source_requests,
            Side::Target => &self.target_reads,
        };
        of_side.fetch_add(1, Ordering::Relaxed);
    }

    /// A request to the target does anything else.
    pub(crate) fn write(&self) {
        self.request();
    }

    fn request(&self) {
        self.meter.request();
        self.metrics.requests.inc();
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// What is reported, however the task ends.
    pub(crate) fn of_attempt(&self) -> AttemptCounts {
        AttemptCounts {
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            source_requests: self.source_requests.load(Ordering::Relaxed),
            target_reads: self.target_reads.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn begun(&self, bytes: u64) {
        self.bytes_begun.fetch_add(bytes, Ordering::Relaxed);
        self.meter.begun(bytes);
    }

    /// So many bytes of what has begun wait for slots of their own.
    pub(crate) fn waits(&self, bytes: u64) {
        self.bytes_begun.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.meter.read(bytes as u64);
        self.metrics.bytes_read.inc_by(bytes as u64);
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        self.meter.wrote();
        self.metrics.bytes_written.inc_by(bytes);
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The target had an object already.
    pub(crate) fn found(&self, bytes: u64) {
        self.bytes_found.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A write has taken some bytes.
    pub(crate) fn flows(&self, bytes: u64) {
        self.bytes_flowing.fetch_add(bytes, Ordering::Relaxed);
        self.metrics.bytes_flowing.inc_by(signed(bytes));
    }

    /// A write that had taken so many bytes has ended.
    pub(crate) fn flowed(&self, bytes: u64) {
        self.bytes_flowing.fetch_sub(bytes, Ordering::Relaxed);
        self.metrics.bytes_flowing.dec_by(signed(bytes));
    }

    /// Bytes that are at the target or on their way into a write, repeats included: how far the
    /// task is. A long object moves them long before its first part is written.
    pub(crate) fn bytes_done(&self) -> u64 {
        let counts = [&self.bytes_written, &self.bytes_found, &self.bytes_flowing];
        counts.map(|count| count.load(Ordering::Relaxed)).into_iter().fold(0, u64::saturating_add)
    }

    /// An attempt of a request failed.
    pub(crate) fn failed(&self, error: &StoreError) {
        self.meter.failed(error.kind);
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
