//! Workers come, leave, drain, are lost.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::attempts::{Attempts, Standing};
use super::job::{Job, Stage};
use super::lease::Lease;
use super::state::Machine;
use super::tasks::TaskState;
use super::view::WorkerState;
use super::violation::Violation;
use super::worker::{OpenRequest, Worker};
use crate::failure::Failure;
use crate::ids::{ConnectionKey, Epoch, GrantKey, JobId, TaskFingerprint, TaskIndex, WorkerId};
use crate::reason::Reason;

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
        } else if self.workers.len() < self.limits.workers_max || self.forget_a_lost_worker() {
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
        } else {
            // Its next message is answered with "not known", and it registers again later.
            return;
        }
        for key in held {
            let adopted = self.adopt(id, key);
            self.record(adopted);
        }
        self.wake_at_tick();
    }

    /// Makes a grant that is not current, but still wanted, current again. One of this epoch must
    /// be a grant that this worker lost; one of an earlier epoch is taken at its word (see
    /// [`super::report`]), behind the worker that holds the task already.
    fn adopt(&mut self, worker: WorkerId, key: &GrantKey) -> Result<(), Violation> {
        let expires_at = self.now.after(self.limits.lease_ttl);
        let (attempt, epoch) = (key.attempt, key.epoch);
        let lease = Lease { worker, attempt, epoch, expires_at, bytes_done: 0 };
        let is_earlier = epoch < self.epoch;
        let Some(job) = self.jobs.get_mut(&key.job) else {
            // The job is over and forgotten: the next heartbeat abandons the grant.
            return Ok(());
        };
        match &mut job.stage {
            Stage::Planning { announced } => {
                let is_full = announced.len() >= self.limits.tasks_max
                    && !announced.contains_key(&key.fingerprint);
                if !is_full && !job.evidence.contains_key(&key.fingerprint) {
                    announce(announced, &mut job.attempts, key, lease, self.epoch);
                }
                Ok(())
            }
            Stage::Copying(tasks) => {
                let Some(index) = tasks.find(key.fingerprint) else {
                    // The newest plan does not have the task: the next heartbeat abandons it.
                    return Ok(());
                };
                let task = tasks.get_mut(index).ok_or(Violation::no_task(key.job))?;
                let is_void = !is_earlier && attempt.0 <= task.attempts.void_upto;
                let is_lost = task.attempts.standing(worker, key) == Standing::Lost;
                if is_void || !(is_earlier || is_lost) {
                    // A grant that this machine never gave, or whose report came already.
                    return Ok(());
                }
                match task.state {
                    TaskState::Ready | TaskState::Backoff(_) => {
                        self.set_task(key.job, index, TaskState::Leased(lease))
                    }
                    TaskState::Leased(held) if !held.is(worker, key) && !is_lost => {
                        task.attempts.lost(&lease);
                        Ok(())
                    }
                    TaskState::Leased(_) | TaskState::Done => Ok(()),
                }
            }
            // The job has no task to copy, or waits for others first.
            Stage::Queued | Stage::Publishing(_) | Stage::Ended { .. } => Ok(()),
        }
    }

    pub(super) fn worker_left(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        self.drop_announced(id);
        for (job, index) in self.held_by(id) {
            let ready = self.set_task(job, index, TaskState::Ready);
            self.record(ready);
        }
        if let Some(worker) = self.workers.remove(&id) {
            answer_with_nothing(id, worker.waiting, actions);
        }
        self.forget_denials_of(id);
    }

    pub(super) fn drain_requested(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        // One that is lost or not known takes no task anyway.
        if let Some(worker) = self.workers.get_mut(&id).filter(|worker| worker.is_live()) {
            worker.state = WorkerState::Draining;
            answer_with_nothing(id, worker.waiting.take(), actions);
        }
    }

    /// Workers that sent nothing for the time of a lease lose what they hold.
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
            let held = self.held_by(id);
            self.lose_leases(&held, actions);
        }
    }

    /// Ends leases without a report of their holders.
    pub(super) fn lose_leases(&mut self, held: &[(JobId, TaskIndex)], actions: &mut Vec<Action>) {
        for &(id, index) in held {
            // A job that failed by the loss before this one has no lease any more.
            if self.jobs.get(&id).is_some_and(Job::is_live) {
                let lost = self.lose_lease(id, index, actions);
                self.record(lost);
            }
        }
    }

    /// Ends a lease without a report of its holder: the task is ready again, up to a budget.
    fn lose_lease(
        &mut self,
        id: JobId,
        index: TaskIndex,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let most = self.limits.task_losses_max;
        let task = self.task_mut(id, index)?;
        let TaskState::Leased(lease) = task.state else { return Err(Violation::no_task(id)) };
        task.attempts.losses += 1;
        task.attempts.lost(&lease);
        if task.attempts.losses > most {
            let message =
                format!("a task of {} objects lost its worker {most} times", task.objects);
            return self.fail(id, Failure::new(Reason::StorageUnavailable, message), actions);
        }
        self.set_task(id, index, TaskState::Ready)
    }

    fn held_by(&self, id: WorkerId) -> Vec<(JobId, TaskIndex)> {
        self.workers.get(&id).map_or_else(Vec::new, |worker| worker.held.iter().copied().collect())
    }

    /// What this worker holds of jobs that are planned again is lost with it.
    fn drop_announced(&mut self, id: WorkerId) {
        for job in self.jobs.values_mut() {
            if let Stage::Planning { announced } = &mut job.stage {
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

    /// Forgets the worker that was lost first, for a new one. False when every known one lives.
    fn forget_a_lost_worker(&mut self) -> bool {
        let lost = self.workers.iter().filter(|(_, worker)| !worker.is_live());
        let oldest = lost.min_by_key(|(_, worker)| worker.last_seen).map(|(&id, _)| id);
        match oldest {
            Some(id) => {
                self.forget_denials_of(id);
                self.workers.remove(&id).is_some()
            }
            None => false,
        }
    }
}

/// Keeps a grant that a worker announces until the plan tells whether its task is wanted.
fn announce(
    announced: &mut BTreeMap<TaskFingerprint, Lease>,
    attempts: &mut BTreeMap<TaskFingerprint, Attempts>,
    key: &GrantKey,
    lease: Lease,
    current: Epoch,
) {
    let (fingerprint, is_earlier) = (key.fingerprint, key.epoch < current);
    let known = attempts.get(&fingerprint);
    let is_lost = known.is_some_and(|known| known.standing(lease.worker, key) == Standing::Lost);
    match announced.entry(fingerprint) {
        Entry::Vacant(place) if is_earlier || is_lost => {
            place.insert(lease);
        }
        Entry::Occupied(held) if is_earlier && !is_lost && !held.get().is(lease.worker, key) => {
            attempts.entry(fingerprint).or_default().lost(&lease);
        }
        // A grant that this machine never gave, or one that is held already.
        Entry::Vacant(_) | Entry::Occupied(_) => {}
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
