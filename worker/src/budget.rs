//! Bounds the objects that a worker copies at once, and the bytes that it holds in memory (I8).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT_BYTES: u64 = 4 << 10;
/// Objects that are copied at once: next to a store 64 are as fast as 256; far from one, more hide
/// its latency.
const OBJECTS_IN_FLIGHT: usize = 128;

/// The budget of a worker, shared by all its copies. It serves the longest wait first, so the first
/// part of an object proceeds whatever waits behind it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    units: u32,
    turns: Arc<Semaphore>,
}

/// The permission to move one object or part, and the bytes that it holds meanwhile; both are free
/// again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _turn: Option<OwnedSemaphorePermit>,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let turns = Arc::new(Semaphore::new(OBJECTS_IN_FLIGHT));
        Self { permits: Arc::new(Semaphore::new(units as usize)), units, turns }
    }

    /// Waits until another object or part may be moved that holds so many bytes. More than the
    /// whole budget takes all of it. The turn is taken first, so what holds bytes never waits for
    /// a turn.
    pub(crate) async fn slot(&self, bytes: u64) -> Slot {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.units);
        // Both fail only when the semaphore is closed, which never happens.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        let bytes = Arc::clone(&self.permits).acquire_many_owned(units).await.ok();
        Slot { _turn: turn, _bytes: bytes }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_budget_bounds_what_is_held() {
        let budget = Budget::new(10 << 10);
        let first = budget.slot(8 << 10).await;
        assert!(budget.slot(8 << 10).now_or_never().is_none(), "more than the budget was given");
        drop(first);
        // More than all of it takes all of it, and does not wait for ever.
        let _all = budget.slot(1 << 30).await;
        assert!(budget.slot(1).now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_budget_bounds_how_many_objects_are_copied() {
        let budget = Budget::new(10 << 20);
        // Without tokio's own bound on how much one test polls.
        let turn = || tokio::task::unconstrained(budget.slot(1)).now_or_never();
        let mut turns = Vec::new();
        while let Some(turn) = turn() {
            turns.push(turn);
            assert!(turns.len() <= 1024, "there is no bound");
        }
        assert!(turns.len() >= 64, "too few objects to hide a store's latency");
        turns.pop();
        assert!(turn().is_some(), "a turn that ended is not given again");
    }
}
