//! Counts what a task has done so far, for its receipt and for heartbeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use deepclone_common::connections::Side;
use deepclone_common::store::error::StoreError;
use deepclone_core::receipt::AttemptCounts;

use crate::slots::meter::Meter;

/// What a task has done so far, repeats included.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) requests: AtomicU32,
    /// Those of the requests that went to the source.
    source_requests: AtomicU32,
    /// Those that read or described objects at the target.
    target_reads: AtomicU32,
    /// Bytes of the objects and parts whose copy has begun, repeats included.
    pub(crate) bytes_begun: AtomicU64,
    /// Bytes of objects that the target had already.
    bytes_found: AtomicU64,
    /// Bytes that the writes under way have taken.
    bytes_flowing: AtomicU64,
    /// Counts the same for the task's route.
    meter: Arc<Meter>,
}

impl Counts {
    /// Counts that the route's meter shares.
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, ..Self::default() }
    }

    /// A request reads or describes an object.
    pub(crate) fn read_at(&self, side: Side) {
        self.meter.request();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let of_side = match side {
            Side::Source => &self.source_requests,
            Side::Target => &self.target_reads,
        };
        of_side.fetch_add(1, Ordering::Relaxed);
    }

    /// A request to the target does anything else.
    pub(crate) fn write(&self) {
        self.meter.request();
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
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.meter.read(bytes as u64);
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        self.meter.wrote();
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The target had an object already.
    pub(crate) fn found(&self, bytes: u64) {
        self.bytes_found.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A write has taken some bytes.
    pub(crate) fn flows(&self, bytes: u64) {
        self.bytes_flowing.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A write that had taken so many bytes has ended.
    pub(crate) fn flowed(&self, bytes: u64) {
        self.bytes_flowing.fetch_sub(bytes, Ordering::Relaxed);
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
