//! Counts what a task has done so far, for its receipt and for heartbeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use deepclone_common::store::error::StoreError;

use crate::slots::meter::Meter;

/// What a task has done so far, repeats included.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) requests: AtomicU32,
    /// Bytes of the objects and parts whose copy has begun, repeats included.
    pub(crate) bytes_begun: AtomicU64,
    /// Counts the same for the task's route.
    meter: Arc<Meter>,
}

impl Counts {
    /// Counts that the route's meter shares.
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, ..Self::default() }
    }

    pub(crate) fn request(&self) {
        self.meter.request();
        self.requests.fetch_add(1, Ordering::Relaxed);
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

    /// An attempt of a request failed.
    pub(crate) fn failed(&self, error: &StoreError) {
        self.meter.failed(error.kind);
    }
}
