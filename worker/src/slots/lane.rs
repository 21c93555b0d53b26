//! The slots of one route, whose number its tuner finds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deepclone_core::concurrency::Tuner;
use deepclone_core::job_limits::JobShare;
use tokio::sync::{Notify, oneshot};

use super::meter::Meter;
use crate::budget::{Budget, BudgetShare};
use crate::job_pace::JobPace;
use crate::permits::Permit;

/// The slots of one route, as one job has them; clones share them.
///
/// Parts of open uploads and what has not begun take turns, each by the longest wait: the parts of
/// a long object do not wait behind every small one, nor the small ones behind every part.
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
    _turn: Option<Turn>,
    _share: BudgetShare,
}

#[derive(Debug)]
struct Turns {
    meter: Arc<Meter>,
    state: Mutex<TurnState>,
}

#[derive(Debug)]
struct TurnState {
    tuner: Tuner,
    used: u32,
    /// The most that were used since the last sample.
    used_max: u32,
    /// What has not begun.
    objects: Waiting,
    parts: Waiting,
    /// A part has the next turn, if one waits.
    part_is_next: bool,
}

/// Copies that wait for a turn, the longest wait first. One that was cancelled is closed.
type Waiting = VecDeque<oneshot::Sender<Turn>>;

/// A slot in use.
#[derive(Debug)]
struct Turn {
    turns: Arc<Turns>,
}

impl Lane {
    /// `wanted` is notified when a slot is wanted: the lane has to be sampled then.
    pub(crate) fn new(budget: Budget, wanted: Arc<Notify>) -> Self {
        let state = TurnState {
            tuner: Tuner::new(budget.copies_max()),
            used: 0,
            used_max: 0,
            objects: Waiting::new(),
            parts: Waiting::new(),
            part_is_next: true,
        };
        let turns = Turns { meter: Arc::default(), state: Mutex::new(state) };
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

    /// Waits until another object may be moved that holds so many bytes. The job's permit is taken
    /// first, then the turn, so a job that may do no more takes no turn of another, and what has a
    /// share of the budget never waits for a turn.
    pub(crate) async fn slot(&self, bytes: u64) -> Slot {
        self.wait(bytes, |state| &mut state.objects).await
    }

    /// The same for a part of an object whose upload is open.
    pub(crate) async fn slot_of_part(&self, bytes: u64) -> Slot {
        self.wait(bytes, |state| &mut state.parts).await
    }

    async fn wait(&self, bytes: u64, queue: impl Fn(&mut TurnState) -> &mut Waiting) -> Slot {
        let of_job = self.job.copy().await;
        self.wanted.notify_one();
        let (sender, turn) = oneshot::channel();
        queue(&mut self.turns.lock()).push_back(sender);
        self.turns.serve();
        // It fails only when the lane is dropped, which this is not.
        let turn = turn.await.ok();
        Slot { _of_job: of_job, _turn: turn, _share: self.budget.share(bytes).await }
    }

    /// Waits until so many bytes that were read may flow on.
    pub(crate) async fn flow(&self, bytes: usize) {
        self.budget.flow(self.job.bandwidth(), bytes).await;
    }

    /// How many slots are used now.
    pub(crate) fn used(&self) -> u32 {
        self.turns.lock().used
    }

    /// True while no slot is used or waited for.
    pub(crate) fn is_idle(&self) -> bool {
        let mut state = self.turns.lock();
        state.used == 0 && !state.is_waited_for()
    }

    /// Shows the tuner the time since the last sample, and returns how many slots there are now.
    pub(crate) fn sample(&self, elapsed: Duration) -> u32 {
        let mut sample = self.turns.meter.take();
        sample.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.turns.lock();
        sample.is_waiting = state.is_waited_for();
        sample.slots_used = state.used_max;
        state.used_max = state.used;
        state.tuner.bound(self.budget.copies_max());
        let slots = state.tuner.step(&sample);
        drop(state);
        self.turns.serve();
        slots
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, TurnState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Gives turns while there are slots. One for a copy that is cancelled meanwhile comes back.
    fn serve(self: &Arc<Self>) {
        while let Some(next) = self.next() {
            drop(next.send(Turn { turns: Arc::clone(self) }));
        }
    }

    /// Takes a slot for the copy that is next.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut state = self.lock();
        if state.used >= state.tuner.slots() {
            return None;
        }
        let next = state.next()?;
        state.used += 1;
        state.used_max = state.used_max.max(state.used);
        Some(next)
    }
}

impl TurnState {
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let (first, second) = match self.part_is_next {
            true => (&mut self.parts, &mut self.objects),
            false => (&mut self.objects, &mut self.parts),
        };
        let next = open_one(first).or_else(|| open_one(second))?;
        self.part_is_next = !self.part_is_next;
        Some(next)
    }

    fn is_waited_for(&mut self) -> bool {
        for waiting in [&mut self.objects, &mut self.parts] {
            waiting.retain(|sender| !sender.is_closed());
        }
        !(self.objects.is_empty() && self.parts.is_empty())
    }
}

fn open_one(waiting: &mut Waiting) -> Option<oneshot::Sender<Turn>> {
    std::iter::from_fn(|| waiting.pop_front()).find(|sender| !sender.is_closed())
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().used -= 1;
        self.turns.serve();
    }
}
