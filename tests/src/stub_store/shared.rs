//! What the connections of a store share.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::request::Seen;
use super::rules::Rule;

/// A connection is kept this long when it is idle, unless a test wants it otherwise.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// What the connections of a store share.
pub(super) struct Shared {
    pub(super) begun: Instant,
    pub(super) bucket: Mutex<Bucket>,
    pub(super) rules: Mutex<Vec<Rule>>,
    pub(super) seen: Mutex<Vec<Seen>>,
    /// How long a connection may be idle.
    pub(super) idle_us: AtomicU64,
    pub(super) connections: AtomicUsize,
    /// Bytes of bodies that were sent.
    pub(super) sent: AtomicU64,
}

impl Shared {
    /// Remembers a request; its number.
    pub(super) fn note(&self, request: Seen) -> usize {
        let mut seen = lock(&self.seen);
        seen.push(request);
        seen.len() - 1
    }

    pub(super) fn answered(&self, number: usize, status: u16) {
        if let Some(request) = lock(&self.seen).get_mut(number) {
            request.status = Some(status);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
