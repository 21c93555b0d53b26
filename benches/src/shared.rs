//! What the two addresses share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::counts::Tallies;
use crate::faults::LinkFaults;
use crate::objects::Objects;

/// The objects, and how clients reach them.
#[derive(Debug, Default)]
pub(crate) struct BenchStore {
    pub(crate) objects: Mutex<Objects>,
    pub(crate) tallies: Tallies,
    pub(crate) faults: Mutex<LinkFaults>,
    /// Of connections that begin now.
    pub(crate) round_trip: Mutex<Duration>,
}

/// The value, also after a request that failed while it held the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
