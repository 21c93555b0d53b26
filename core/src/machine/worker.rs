//! One worker, and what happens to it: it comes, leaves, drains, is lost.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::attempts::Standing;
use super::deny::Denials;
use super::job::State;
use super::tasks::{Lease, TaskState};
use super::{Action, Machine, Moment, Route, SetAside, WorkerState, WorkerView};
use crate::ids::{ConnectionKey, GrantKey, JobId, TaskIndex, WorkerId};
use crate::task::Capacity;

/// One worker process.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    readable: BTreeSet<ConnectionKey>,
    writable: BTreeSet<ConnectionKey>,
    pub(super) last_seen: Moment,
    pub(super) state: WorkerState,
    pub(super) waiting: Option<OpenRequest>,
    /// Its leases; kept by [`Machine::set_task`].
    pub(super) held: BTreeSet<(JobId, TaskIndex)>,
    pub(super) tasks_done: u64,
    pub(super) bytes_done: u64,
    pub(super) last_error: Option<String>,
    /// What it could not reach, by connection.
    pub(super) denials: BTreeMap<ConnectionKey, Denials>,
    /// Connections that it is given nothing of for a while.
    pub(super) set_aside: BTreeMap<ConnectionKey, SetAside>,
}

/// A request for tasks that is not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenRequest {
    pub(super) capacity: Capacity,
    pub(super) deadline: Moment,
}

impl Worker {
    pub(super) fn is_live(&self) -> bool {
        self.state != WorkerState::Lost
    }

    /// True when it may be given tasks of this route.
    pub(super) fn takes(&self, route: &Route) -> bool {
        self.state == WorkerState::Active
            && self.readable.contains(&route.source)
            && self.writable.contains(&route.target)
            && !self.set_aside.contains_key(&route.source)
            && !self.set_aside.contains_key(&route.target)
    }

    pub(super) fn view(&self, worker: WorkerId) -> WorkerView<'_> {
        WorkerView {
            worker,
            state: self.state,
            last_seen: self.last_seen,
            readable: &self.readable,
            writable: &self.writable,
            tasks_held: u32::try_from(self.held.len()).unwrap_or(u32::MAX),
            tasks_done: self.tasks_done,
            bytes_done: self.bytes_done,
            last_error: self.last_error.as_deref(),
            set_aside: &self.set_aside,
        }
    }
}

impl Machine {
    /// Returns a live worker and refreshes its `last_seen`.
    pub(super) fn hear(&mut self, worker: WorkerId) -> Option<&mut Worker> {
        let known = self.workers.get_mut(&worker).filter(|known| known.is_live())?;
        known.last_seen = self.now;
        Some(known)
    }

    pub(super) fn worker_registered(
        &mut self,
        id: WorkerId,
        readable: BTreeSet<ConnectionKey>,
        writable: BTreeSet<ConnectionKey>,
        held: &[GrantKey],
    ) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.readable = readable;
            worker.writable = writable;
            worker.last_seen = self.now;
            if worker.state == WorkerState::Lost {
                worker.state = WorkerState::Active;
            }
        } else {
            if self.workers.len() >= self.limits.workers_max && !self.forget_a_lost_worker() {
                // It is told that it is not known, and tries again later.
                return;
            }
            let worker = Worker {
                readable,
                writable,
                last_seen: self.now,
                state: WorkerState::Active,
                waiting: None,
                held: BTreeSet::new(),
                tasks_done: 0,
                bytes_done: 0,
                last_error: None,
                denials: BTreeMap::new(),
                set_aside: BTreeMap::new(),
            };
            self.workers.insert(id, worker);
        }
        for key in held {
            self.adopt(id, key);
        }
        self.wake_at_tick();
    }

    /// Makes a grant that is not current, but still wanted, current again. One of this epoch must
    /// be a grant that this worker lost; one of an earlier epoch is taken at its word (see
    /// [`super::report`]), behind whoever holds the task already.
    fn adopt(&mut self, worker: WorkerId, key: &GrantKey) {
        let expires_at = self.now.after(self.limits.lease_ttl);
        let (attempt, epoch) = (key.attempt, key.epoch);
        let lease = Lease { worker, attempt, epoch, expires_at, bytes_done: 0 };
        let is_earlier = epoch < self.epoch;
        let Some(job) = self.jobs.get_mut(&key.job) else { return };
        match &mut job.state {
            State::Planning { announced } => {
                if job.evidence.contains_key(&key.fingerprint) {
                    return;
                }
                let is_full = announced.len() >= self.limits.tasks_max;
                let attempts = job.attempts.get(&key.fingerprint);
                let is_lost = attempts
                    .is_some_and(|attempts| attempts.standing(worker, key) == Standing::Lost);
                match announced.entry(key.fingerprint) {
                    Entry::Vacant(place) if (is_earlier || is_lost) && !is_full => {
                        place.insert(lease);
                    }
                    Entry::Occupied(held)
                        if is_earlier && !is_lost && !held.get().is(worker, key) =>
                    {
                        job.attempts.entry(key.fingerprint).or_default().lost(&lease);
                    }
                    Entry::Vacant(_) | Entry::Occupied(_) => {}
                }
            }
            State::Copying(tasks) => {
                let Some(index) = tasks.find(key.fingerprint) else { return };
                let Some(task) = tasks.get_mut(index) else { return };
                let is_void = !is_earlier && attempt.0 <= task.attempts.void_upto;
                let is_lost = task.attempts.standing(worker, key) == Standing::Lost;
                if is_void || !(is_earlier || is_lost) {
                    return;
                }
                match task.state {
                    TaskState::Ready | TaskState::Backoff(_) => {
                        self.set_task(key.job, index, TaskState::Leased(lease));
                    }
                    TaskState::Leased(held) if !held.is(worker, key) && !is_lost => {
                        task.attempts.lost(&lease);
                    }
                    TaskState::Leased(_) | TaskState::Done => {}
                }
            }
            State::Queued | State::Publishing(_) | State::Ended { .. } => {}
        }
    }

    pub(super) fn worker_left(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        self.drop_announced(id);
        for (job, index) in self.held_by(id) {
            self.set_task(job, index, TaskState::Ready);
        }
        if let Some(worker) = self.workers.remove(&id) {
            answer_with_nothing(id, worker.waiting, actions);
        }
        self.forget_denials_of(id);
    }

    pub(super) fn drain_requested(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| worker.is_live()) else {
            return;
        };
        worker.state = WorkerState::Draining;
        answer_with_nothing(id, worker.waiting.take(), actions);
    }

    /// Workers that were not heard of for the time of a lease lose what they hold.
    pub(super) fn lose_silent_workers(&mut self, actions: &mut Vec<Action>) {
        let ttl = self.limits.lease_ttl;
        let silent: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.is_live() && worker.last_seen.after(ttl) <= self.now)
            .map(|(&id, _)| id)
            .collect();
        for id in silent {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.state = WorkerState::Lost;
                answer_with_nothing(id, worker.waiting.take(), actions);
            }
            self.drop_announced(id);
            for (job, index) in self.held_by(id) {
                self.lose_lease(job, index, actions);
            }
        }
    }

    fn held_by(&self, id: WorkerId) -> Vec<(JobId, TaskIndex)> {
        self.workers.get(&id).map_or_else(Vec::new, |worker| worker.held.iter().copied().collect())
    }

    /// What this worker holds of jobs that are planned again is lost with it.
    fn drop_announced(&mut self, id: WorkerId) {
        for job in self.jobs.values_mut() {
            if let State::Planning { announced } = &mut job.state {
                let attempts = &mut job.attempts;
                announced.retain(|&fingerprint, lease| {
                    let stays = lease.worker != id;
                    if !stays {
                        attempts.entry(fingerprint).or_default().lost(lease);
                    }
                    stays
                });
            }
        }
    }

    /// Makes room for a new worker. False when every known one lives.
    fn forget_a_lost_worker(&mut self) -> bool {
        let lost = self.workers.iter().filter(|(_, worker)| !worker.is_live());
        let oldest = lost.min_by_key(|(_, worker)| worker.last_seen).map(|(&id, _)| id);
        let Some(id) = oldest else { return false };
        self.forget_denials_of(id);
        self.workers.remove(&id).is_some()
    }
}

/// Answers an open request with no task.
pub(super) fn answer_with_nothing(
    worker: WorkerId,
    waiting: Option<OpenRequest>,
    actions: &mut Vec<Action>,
) {
    if waiting.is_some() {
        actions.push(Action::Grant { worker, tasks: Vec::new() });
    }
}
