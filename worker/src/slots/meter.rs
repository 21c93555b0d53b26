//! What the copies of a route do, as its tuner sees it.

use std::sync::atomic::{AtomicU64, Ordering};

use deepclone_common::store::error::StoreErrorKind;
use deepclone_core::concurrency::TunerSample;

/// What the copies of a route did since the last sample.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: AtomicU64,
    begun_bytes: AtomicU64,
    copies: AtomicU64,
    requests: AtomicU64,
    refusals: AtomicU64,
}

impl Meter {
    /// So many bytes of objects were read.
    pub(crate) fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The copy of an object or a part of so many bytes began.
    pub(crate) fn begun(&self, bytes: u64) {
        self.begun_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An object or a part was written.
    pub(crate) fn wrote(&self) {
        self.copies.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was sent to either store.
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A request failed. Only what a store does when it has too much to do counts as refused.
    pub(crate) fn failed(&self, kind: StoreErrorKind) {
        if matches!(kind, StoreErrorKind::Throttled | StoreErrorKind::TimedOut) {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted since the last call; the rest of the sample is the lane's to say.
    pub(crate) fn take(&self) -> TunerSample {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        TunerSample {
            bytes: take(&self.bytes),
            begun_bytes: take(&self.begun_bytes),
            copies: take(&self.copies),
            requests: take(&self.requests),
            refusals: take(&self.refusals),
            ..TunerSample::default()
        }
    }
}
