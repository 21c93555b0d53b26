//! What was asked of a store.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was asked of a store, and what it gave.
#[derive(Debug, Default)]
pub struct StoreCounts {
    reads: AtomicU64,
    lists: AtomicU64,
    writes: AtomicU64,
    bytes_read: AtomicU64,
}

impl StoreCounts {
    /// Requests that read or describe an object.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Requests that list keys, one for each page.
    #[must_use]
    pub fn lists(&self) -> u64 {
        self.lists.load(Ordering::Relaxed)
    }

    /// All other requests: mostly objects and parts that are written.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Bytes of objects that were read.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    pub(super) fn read_one(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn list(&self, pages: u64) {
        self.lists.fetch_add(pages, Ordering::Relaxed);
    }

    pub(super) fn write(&self) {
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }
}
