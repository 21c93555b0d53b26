//! The bytes that a worker holds in memory at once (I8).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one permit stands for.
const UNIT_BYTES: u64 = 4 << 10;

/// Shared by every copy of the worker. Who waits longest is served first, so the first part of
/// any object goes on whatever waits behind it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    units: u32,
}

/// Bytes that are held; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self { permits: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits for room. What is larger than the whole budget takes all of it.
    pub(crate) async fn reserve(&self, bytes: u64) -> Reserved {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.units);
        // It fails only when the semaphore is closed, which nobody does.
        Reserved { _permit: Arc::clone(&self.permits).acquire_many_owned(units).await.ok() }
    }
}
