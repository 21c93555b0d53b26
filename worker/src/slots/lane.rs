//! The slots of one route, whose number its tuner finds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deepclone_core::concurrency::Tuner;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::meter::Meter;
use crate::budget::{Budget, BudgetShare};

/// The slots of one route; clones share them. The longest wait is served first.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    turns: Arc<Turns>,
    budget: Budget,
    /// Notified when a slot is wanted.
    wanted: Arc<Notify>,
}

/// The permission to move one object or part, with its share of the worker's budget; both are free
/// again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _turn: Turn,
    _share: BudgetShare,
}

#[derive(Debug)]
struct Turns {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    meter: Arc<Meter>,
    state: Mutex<TurnState>,
}

#[derive(Debug)]
struct TurnState {
    tuner: Tuner,
    used: u32,
    /// The most that were used since the last sample.
    used_max: u32,
    /// Permits to take away as they come back.
    surplus: usize,
}

#[derive(Debug)]
struct Turn {
    turns: Arc<Turns>,
    permit: Option<OwnedSemaphorePermit>,
}

/// Counts a waiting copy until it is dropped, be it that the copy was cancelled.
struct Waiting<'a>(&'a AtomicUsize);

impl Lane {
    /// `wanted` is notified when a slot is wanted: the lane has to be sampled then.
    pub(crate) fn new(budget: Budget, wanted: Arc<Notify>) -> Self {
        let tuner = Tuner::new(budget.copies_max());
        let permits = Arc::new(Semaphore::new(tuner.slots() as usize));
        let state = Mutex::new(TurnState { tuner, used: 0, used_max: 0, surplus: 0 });
        let turns = Turns { permits, waiting: AtomicUsize::new(0), meter: Arc::default(), state };
        Self { turns: Arc::new(turns), budget, wanted }
    }

    /// Where the copies of the route count what they do.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.turns.meter)
    }

    /// Waits until another object or part may be moved that holds so many bytes. The turn is taken
    /// first, so what has a share of the budget never waits for a turn.
    pub(crate) async fn slot(&self, bytes: u64) -> Slot {
        self.wanted.notify_one();
        let waiting = Waiting::new(&self.turns.waiting);
        // It fails only when the semaphore is closed, which never happens.
        let permit = Arc::clone(&self.turns.permits).acquire_owned().await.ok();
        drop(waiting);
        let turn = Turn::new(&self.turns, permit);
        Slot { _turn: turn, _share: self.budget.share(bytes).await }
    }

    /// Waits until so many bytes that were read may flow on.
    pub(crate) async fn flow(&self, bytes: usize) {
        self.budget.flow(bytes).await;
    }

    /// True while no slot is used or waited for.
    pub(crate) fn is_idle(&self) -> bool {
        self.turns.lock().used == 0 && self.turns.waiting.load(Ordering::Relaxed) == 0
    }

    /// Shows the tuner the time since the last sample, and returns how many slots there are now.
    pub(crate) fn sample(&self, elapsed: Duration) -> u32 {
        let mut sample = self.turns.meter.take();
        sample.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        sample.is_waiting = self.turns.waiting.load(Ordering::Relaxed) > 0;
        let mut state = self.turns.lock();
        sample.slots_used = state.used_max;
        state.used_max = state.used;
        let before = state.tuner.slots();
        let slots = state.tuner.step(&sample);
        if slots > before {
            let more = (slots - before) as usize;
            let kept = more.min(state.surplus);
            state.surplus -= kept;
            self.turns.permits.add_permits(more - kept);
        } else {
            let fewer = (before - slots) as usize;
            state.surplus += fewer - self.turns.permits.forget_permits(fewer);
        }
        slots
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, TurnState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Turn {
    fn new(turns: &Arc<Turns>, permit: Option<OwnedSemaphorePermit>) -> Self {
        let mut state = turns.lock();
        state.used += 1;
        state.used_max = state.used_max.max(state.used);
        drop(state);
        Self { turns: Arc::clone(turns), permit }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.used -= 1;
        if state.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            state.surplus -= 1;
            permit.forget();
        }
    }
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
