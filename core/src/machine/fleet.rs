//! Every worker that is known, with what a step asks of all of them: who waits for tasks, until
//! when, and how many may get some. So no step visits every worker for that.
//!
//! Whether a worker waits, what it holds and its state change here alone.

use std::collections::{BTreeMap, BTreeSet};

use super::lookout::Lookout;
use super::moment::Moment;
use super::view::WorkerState;
use super::worker::{OpenRequest, Worker};
use crate::ids::{JobId, TaskIndex, WorkerId};

/// Every worker that is known, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Fleet {
    all: BTreeMap<WorkerId, Worker>,
    /// Those with an open request, by how many tasks they hold.
    waiting: BTreeSet<(usize, WorkerId)>,
    /// Until when they wait.
    requests: Lookout<WorkerId>,
    active: usize,
    live: usize,
}

impl Fleet {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.all.get(&id)
    }

    /// A worker, to note what was seen of it.
    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.all.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (WorkerId, &Worker)> {
        self.all.iter().map(|(&id, worker)| (id, worker))
    }

    /// Every worker, to note what was seen of it.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.all.values_mut()
    }

    /// Returns how many are active.
    pub(super) fn active(&self) -> usize {
        self.active
    }

    /// True when some worker is not lost.
    pub(super) fn is_any_live(&self) -> bool {
        self.live > 0
    }

    /// True when some worker has an open request.
    pub(super) fn is_any_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns those with an open request, first those that hold the fewest tasks.
    pub(super) fn waiting(&self) -> impl Iterator<Item = WorkerId> {
        self.waiting.iter().map(|(_, id)| *id)
    }

    /// Returns when the first of them has waited long enough.
    pub(super) fn first_deadline(&self) -> Option<Moment> {
        self.requests.first()
    }

    /// Returns those that have waited long enough, by id.
    pub(super) fn overdue(&self, now: Moment) -> Vec<WorkerId> {
        self.requests.due(now)
    }

    /// Adds a worker, in place of the one of this id.
    pub(super) fn insert(&mut self, id: WorkerId, worker: Worker) {
        self.remove(id);
        self.note(id, &worker, true);
        self.all.insert(id, worker);
    }

    pub(super) fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.all.remove(&id)?;
        self.note(id, &worker, false);
        Some(worker)
    }

    pub(super) fn set_state(&mut self, id: WorkerId, state: WorkerState) {
        self.change(id, |worker| worker.state = state);
    }

    /// Sets the open request of a worker, or ends it. Returns the one before.
    pub(super) fn set_request(
        &mut self,
        id: WorkerId,
        request: Option<OpenRequest>,
    ) -> Option<OpenRequest> {
        self.change(id, |worker| std::mem::replace(&mut worker.waiting, request)).flatten()
    }

    /// Notes that a worker holds a task.
    pub(super) fn hold(&mut self, id: WorkerId, task: (JobId, TaskIndex)) {
        self.change(id, |worker| worker.held.insert(task));
    }

    /// Notes that a worker holds a task no more.
    pub(super) fn let_go(&mut self, id: WorkerId, task: (JobId, TaskIndex)) {
        self.change(id, |worker| worker.held.remove(&task));
    }

    /// True when what is kept of all workers equals a recount.
    pub(super) fn equals_a_recount(&self) -> bool {
        let mut again = Self::default();
        for (&id, worker) in &self.all {
            again.note(id, worker, true);
        }
        (&again.waiting, &again.requests, again.active, again.live)
            == (&self.waiting, &self.requests, self.active, self.live)
    }

    fn change<T>(&mut self, id: WorkerId, change: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        let worker = self.all.get_mut(&id)?;
        let before = Traits::of(worker);
        let changed = change(worker);
        let after = Traits::of(worker);
        if before != after {
            self.count(id, before, false);
            self.count(id, after, true);
        }
        Some(changed)
    }

    fn note(&mut self, id: WorkerId, worker: &Worker, is_added: bool) {
        self.count(id, Traits::of(worker), is_added);
    }

    fn count(&mut self, id: WorkerId, traits: Traits, is_added: bool) {
        let Traits { waits, is_active, is_live } = traits;
        if let Some((held, deadline)) = waits {
            if is_added {
                self.waiting.insert((held, id));
            } else {
                self.waiting.remove(&(held, id));
            }
            self.requests.set(id, is_added.then_some(deadline));
        }
        let count = |number: &mut usize, counts: bool| match is_added {
            true => *number += usize::from(counts),
            false => *number -= usize::from(counts),
        };
        count(&mut self.active, is_active);
        count(&mut self.live, is_live);
    }
}

/// What is kept of all workers, of one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Traits {
    /// How many tasks it holds while it waits for more, and until when it waits.
    waits: Option<(usize, Moment)>,
    is_active: bool,
    is_live: bool,
}

impl Traits {
    fn of(worker: &Worker) -> Self {
        Self {
            waits: worker.waiting.map(|request| (worker.held.len(), request.deadline)),
            is_active: worker.state == WorkerState::Active,
            is_live: worker.is_live(),
        }
    }
}
