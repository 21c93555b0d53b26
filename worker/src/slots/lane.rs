//! The slots of one route, whose number its tuner finds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deepclone_core::concurrency::Tuner;
use deepclone_core::job_limits::JobShare;
use tokio::sync::Notify;

use super::meter::Meter;
use crate::budget::{Budget, BudgetShare};
use crate::job_pace::JobPace;
use crate::permits::{Permit, Permits};

/// The slots of one route, as one job has them; clones share them. The longest wait is served
/// first.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    turns: Arc<Turns>,
    budget: Budget,
    job: JobPace,
    /// Notified when a slot is wanted.
    wanted: Arc<Notify>,
}

/// The permission to move one object or part, with its share of the worker's budget; both are free
/// again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _of_job: Permit,
    _turn: Turn,
    _share: BudgetShare,
}

#[derive(Debug)]
struct Turns {
    permits: Permits,
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
}

#[derive(Debug)]
struct Turn {
    turns: Arc<Turns>,
    _permit: Permit,
}

/// Counts a waiting copy until it is dropped, be it that the copy was cancelled.
struct Waiting<'a>(&'a AtomicUsize);

impl Lane {
    /// `wanted` is notified when a slot is wanted: the lane has to be sampled then.
    pub(crate) fn new(budget: Budget, wanted: Arc<Notify>) -> Self {
        let tuner = Tuner::new(budget.copies_max());
        let permits = Permits::new(tuner.slots());
        let state = Mutex::new(TurnState { tuner, used: 0, used_max: 0 });
        let turns = Turns { permits, waiting: AtomicUsize::new(0), meter: Arc::default(), state };
        Self { turns: Arc::new(turns), budget, job: JobPace::new(JobShare::ALL), wanted }
    }

    /// The same slots for the copies of a job, which take no more than it may.
    pub(crate) fn for_job(&self, job: JobPace) -> Self {
        Self { job, ..self.clone() }
    }

    /// Where the copies of the route count what they do.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.turns.meter)
    }

    /// Waits until another object or part may be moved that holds so many bytes. The job's permit
    /// is taken first, then the turn, so a job that may do no more takes no turn of another, and
    /// what has a share of the budget never waits for a turn.
    pub(crate) async fn slot(&self, bytes: u64) -> Slot {
        let of_job = self.job.copy().await;
        self.wanted.notify_one();
        let waiting = Waiting::new(&self.turns.waiting);
        let permit = self.turns.permits.acquire().await;
        drop(waiting);
        let turn = Turn::new(&self.turns, permit);
        Slot { _of_job: of_job, _turn: turn, _share: self.budget.share(bytes).await }
    }

    /// Waits until so many bytes that were read may flow on.
    pub(crate) async fn flow(&self, bytes: usize) {
        self.budget.flow(self.job.bandwidth(), bytes).await;
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
        state.tuner.bound(self.budget.copies_max());
        let slots = state.tuner.step(&sample);
        self.turns.permits.set(slots);
        slots
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, TurnState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Turn {
    fn new(turns: &Arc<Turns>, permit: Permit) -> Self {
        let mut state = turns.lock();
        state.used += 1;
        state.used_max = state.used_max.max(state.used);
        drop(state);
        Self { turns: Arc::clone(turns), _permit: permit }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().used -= 1;
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
