//! Bounds the bytes that a worker holds in memory (I8).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT_BYTES: u64 = 4 << 10;

/// The bytes that all copies of a worker hold at once; clones share them. The longest wait is
/// served first, so the first part of an object proceeds whatever waits behind it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    units: u32,
}

/// Bytes that are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct HeldBytes {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self { permits: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits until so many bytes may be held. More than the whole budget takes all of it.
    pub(crate) async fn hold(&self, bytes: u64) -> HeldBytes {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.units);
        // It fails only when the semaphore is closed, which never happens.
        let permit = Arc::clone(&self.permits).acquire_many_owned(units).await;
        HeldBytes { _permit: permit.ok() }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_budget_bounds_what_is_held() {
        let budget = Budget::new(10 << 10);
        let first = budget.hold(8 << 10).await;
        assert!(budget.hold(8 << 10).now_or_never().is_none(), "more than the budget was given");
        drop(first);
        // More than all of it takes all of it, and does not wait for ever.
        let _all = budget.hold(1 << 30).await;
        assert!(budget.hold(1).now_or_never().is_none());
    }
}
