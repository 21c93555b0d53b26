//! Requests and bytes of bodies by their kind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// The requests of one kind.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    requests: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// What was counted since the last reset, by kind: a method and `data` or `log`.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<BTreeMap<String, Arc<Tally>>>);

impl Tally {
    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Tallies {
    /// Counts a request, and returns where its bytes are counted.
    pub(crate) fn request(&self, kind: &str) -> Arc<Tally> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = kinds.entry(kind.to_owned()).or_default();
        tally.requests.fetch_add(1, Ordering::Relaxed);
        Arc::clone(tally)
    }

    /// Begins again. What is still under way counts no more.
    pub(crate) fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Arc<Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
