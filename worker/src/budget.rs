//! The objects that a worker copies and the bytes that it holds in memory at once (I8).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one permit stands for.
const UNIT_BYTES: u64 = 4 << 10;
/// Objects that are copied at once: beside a store 64 are as fast as 256, far from one more hide
/// its latency.
const OBJECTS_IN_FLIGHT: usize = 128;

/// Shared by every copy of the worker. Who waits longest is served first, so the first part of
/// any object goes on whatever waits behind it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    units: u32,
    turns: Arc<Semaphore>,
}

/// Bytes that are held; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    _permit: Option<OwnedSemaphorePermit>,
}

/// One object that is copied; another may begin when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let turns = Arc::new(Semaphore::new(OBJECTS_IN_FLIGHT));
        Self { permits: Arc::new(Semaphore::new(units as usize)), units, turns }
    }

    /// Waits until another object may be copied; it is taken before any bytes are reserved, so who
    /// holds bytes never waits for a turn.
    pub(crate) async fn turn(&self) -> Turn {
        // It fails only when the semaphore is closed, which nobody does.
        Turn { _permit: Arc::clone(&self.turns).acquire_owned().await.ok() }
    }

    /// Waits for room. What is larger than the whole budget takes all of it.
    pub(crate) async fn reserve(&self, bytes: u64) -> Reserved {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.units);
        // It fails only when the semaphore is closed, which nobody does.
        Reserved { _permit: Arc::clone(&self.permits).acquire_many_owned(units).await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_budget_bounds_what_is_held() {
        let budget = Budget::new(10 << 10);
        let first = budget.reserve(8 << 10).await;
        assert!(budget.reserve(8 << 10).now_or_never().is_none(), "more than the budget was given");
        drop(first);
        // More than all of it takes all of it, and does not wait for ever.
        let _all = budget.reserve(1 << 30).await;
        assert!(budget.reserve(1).now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_budget_bounds_how_many_objects_are_copied() {
        let budget = Budget::new(10 << 10);
        // Without tokio's own bound on how much one test polls.
        let turn = || tokio::task::unconstrained(budget.turn()).now_or_never();
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
