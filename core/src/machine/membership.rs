//! Workers come, leave, drain, are lost.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::attempts::{Attempts, GrantStanding};
use super::job::{Job, Stage};
use super::lease::{Lease, TaskLeases};
use super::notice::Notice;
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
        let known = self.workers.get_mut(worker).filter(|known| known.is_live())?;
        known.last_seen = self.now;
        Some(known)
    }

    pub(super) fn worker_registered(
        &mut self,
        id: WorkerId,
        readable: BTreeSet<ConnectionKey>,
        writable: BTreeSet<ConnectionKey>,
        held: &[GrantKey],
        actions: &mut Vec<Action>,
    ) {
        if let Some(worker) = self.workers.get_mut(id) {
            worker.readable = readable;
            worker.writable = writable;
            worker.last_seen = self.now;
            if worker.state == WorkerState::Lost {
                self.workers.set_state(id, WorkerState::Active);
            }
            self.end_session(id, held, actions);
        } else if self.workers.len() < self.limits.workers_max || self.forget_a_lost_worker() {
            let worker = Worker {
                readable,
                writable,
                last_seen: self.now,
                moved_at: self.now,
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

    /// Ends what a worker had before it registered again: it reads no answer any more that it
    /// waited for then. A grant that it does not announce was in such an answer, and its task is
    /// ready again without a penalty.
    fn end_session(&mut self, id: WorkerId, held: &[GrantKey], actions: &mut Vec<Action>) {
        answer_with_nothing(id, self.workers.set_request(id, None), actions);
        let held: BTreeSet<&GrantKey> = held.iter().collect();
        for (name, job) in &mut self.jobs {
            job.lose_announced(|fingerprint, lease| {
                lease.worker == id && !held.contains(&lease.key_of(*name, fingerprint))
            });
        }
        for (_, job, index) in self.held_by(id) {
            let is_held = self.grant_of(id, (job, index)).map(|key| held.contains(&key));
            let dropped = match is_held {
                Ok(true) => Ok(()),
                Ok(false) => self.give_back(id, (job, index)),
                Err(violation) => Err(violation),
            };
            self.record(dropped);
        }
    }

    /// The grant by which a worker holds a task.
    fn grant_of(
        &self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
    ) -> Result<GrantKey, Violation> {
        let lease = self.lease_of(worker, (id, index))?;
        Ok(lease.key_of(id, self.task(id, index)?.fingerprint))
    }

    /// Makes a grant that is not current, but still wanted, current again. One of this epoch must
    /// be a grant that this worker lost; one of an earlier epoch is taken at its word (see
    /// [`super::report`]). Of two workers that go on with one task, the second one's is the copy:
    /// both have begun. A third one's is not wanted.
    fn adopt(&mut self, worker: WorkerId, key: &GrantKey) -> Result<(), Violation> {
        let lease = Lease::new(worker, key, self.now, self.limits.lease_ttl);
        let is_earlier = key.epoch < self.epoch;
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
                    let leases = announced.get(&key.fingerprint);
                    if leases.is_some_and(|leases| leases.find(worker, key).is_some()) {
                        job.unreported.hear(worker, key);
                    }
                }
                Ok(())
            }
            Stage::Copying(tasks) => {
                let Some(index) = tasks.find(key.fingerprint) else {
                    // The newest plan does not have the task: the next heartbeat abandons it.
                    return Ok(());
                };
                let task = tasks.get_mut(index).ok_or(Violation::no_task(key.job))?;
                let is_void = !is_earlier && key.attempt.0 <= task.attempts.void_upto;
                let is_lost = task.attempts.standing(worker, key) == GrantStanding::Lost;
                if is_void || !(is_earlier || is_lost) {
                    // A grant that this machine never gave, or whose report came already.
                    return Ok(());
                }
                let leases = match task.state {
                    TaskState::Ready | TaskState::Backoff(_) => TaskLeases::of(lease),
                    TaskState::Leased(held) if held.find(worker, key).is_none() && !is_lost => {
                        // A step of a shared object is one worker's.
                        let copied = held.with_copy(lease).filter(|_| task.group.is_none());
                        match copied {
                            Some(leases) => leases,
                            None => {
                                task.attempts.lost(&lease);
                                return Ok(());
                            }
                        }
                    }
                    // One that waits was granted for an upload that is lost since.
                    TaskState::Leased(_) | TaskState::Waiting | TaskState::Done => return Ok(()),
                };
                self.job_mut(key.job)?.unreported.hear(worker, key);
                self.set_task(key.job, index, TaskState::Leased(leases))
            }
            // The job has no task to copy, or waits for others first.
            Stage::Queued | Stage::Publishing(_) | Stage::Ended { .. } => Ok(()),
        }
    }

    pub(super) fn worker_left(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        self.drop_announced(id);
        for (_, job, index) in self.held_by(id) {
            let dropped = self.give_back(id, (job, index));
            self.record(dropped);
        }
        if let Some(worker) = self.workers.remove(id) {
            answer_with_nothing(id, worker.waiting, actions);
        }
        self.forget_denials_of(id);
    }

    pub(super) fn drain_requested(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        // One that is lost or not known takes no task anyway.
        if self.workers.get(id).is_some_and(Worker::is_live) {
            self.workers.set_state(id, WorkerState::Draining);
            answer_with_nothing(id, self.workers.set_request(id, None), actions);
        }
    }

    /// Workers that sent nothing for the time of a lease lose what they hold.
    pub(super) fn lose_silent_workers(&mut self, actions: &mut Vec<Action>) {
        let ttl = self.limits.lease_ttl;
        let silent: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.is_live() && worker.last_seen.after(ttl) <= self.now)
            .map(|(id, _)| id)
            .collect();
        for id in silent {
            self.workers.set_state(id, WorkerState::Lost);
            answer_with_nothing(id, self.workers.set_request(id, None), actions);
            let announced = self.drop_announced(id);
            let held = self.held_by(id);
            let leases = announced + held.len();
            actions.push(Action::Noticed(Notice::WorkerLost { worker: id, leases }));
            self.lose_leases(&held, actions);
        }
    }

    /// Ends leases without a report of their workers.
    pub(super) fn lose_leases(
        &mut self,
        held: &[(WorkerId, JobId, TaskIndex)],
        actions: &mut Vec<Action>,
    ) {
        for &(worker, id, index) in held {
            // A job that failed by the loss before this one has no lease any more.
            if self.jobs.get(&id).is_some_and(Job::is_live) {
                let lost = self.lose_lease(worker, (id, index), actions);
                self.record(lost);
            }
        }
    }

    /// Ends a lease without a report of its worker, which counts against a budget. The task goes on
    /// with its other lease, or is ready again.
    fn lose_lease(
        &mut self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let most = self.limits.task_losses_max;
        let lease = self.lease_of(worker, (id, index))?;
        self.lose_report(id, index, &lease)?;
        let task = self.task_mut(id, index)?;
        task.attempts.losses += 1;
        task.attempts.lost(&lease);
        if task.attempts.losses > most {
            let message =
                format!("a task of {} objects lost its worker {most} times", task.objects);
            return self.fail(id, Failure::new(Reason::StorageUnavailable, message), actions);
        }
        self.drop_lease(worker, (id, index), TaskState::Ready)
    }

    /// Counts a lease of a task that ends without a report.
    pub(super) fn lose_report(
        &mut self,
        id: JobId,
        index: TaskIndex,
        lease: &Lease,
    ) -> Result<(), Violation> {
        let task = self.task(id, index)?;
        let (fingerprint, left) = (task.fingerprint, lease.bytes_left_of(task.bytes));
        self.job_mut(id)?.unreported.lose(fingerprint, lease, left);
        Ok(())
    }

    /// Ends a lease whose worker leaves before the task is done.
    fn give_back(
        &mut self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
    ) -> Result<(), Violation> {
        let lease = self.lease_of(worker, (id, index))?;
        self.lose_report(id, index, &lease)?;
        self.drop_lease(worker, (id, index), TaskState::Ready)
    }

    fn lease_of(
        &self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
    ) -> Result<Lease, Violation> {
        let leases = self.task(id, index)?.leases();
        leases.and_then(|leases| leases.find_of(worker)).ok_or(Violation::no_task(id))
    }

    /// Drops the lease of a worker. The task goes on with its other lease, or moves to `state`.
    pub(super) fn drop_lease(
        &mut self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
        state: TaskState,
    ) -> Result<(), Violation> {
        let state = self.task(id, index)?.without(worker, state);
        self.set_task(id, index, state)
    }

    fn held_by(&self, id: WorkerId) -> Vec<(WorkerId, JobId, TaskIndex)> {
        let held = self.workers.get(id).into_iter().flat_map(|worker| &worker.held);
        held.map(|&(job, index)| (id, job, index)).collect()
    }

    /// What this worker holds of jobs that are planned again is lost with it. Returns how many
    /// leases that are.
    fn drop_announced(&mut self, id: WorkerId) -> usize {
        let jobs = self.jobs.values_mut();
        jobs.map(|job| job.lose_announced(|_, lease| lease.worker == id).len()).sum()
    }

    /// Forgets the worker that was lost first, for a new one. False when every known one lives.
    fn forget_a_lost_worker(&mut self) -> bool {
        let lost = self.workers.iter().filter(|(_, worker)| !worker.is_live());
        let oldest = lost.min_by_key(|(_, worker)| worker.last_seen).map(|(id, _)| id);
        match oldest {
            Some(id) => {
                self.forget_denials_of(id);
                self.workers.remove(id).is_some()
            }
            None => false,
        }
    }
}

/// Keeps a grant that a worker announces until the plan tells whether its task is wanted.
fn announce(
    announced: &mut BTreeMap<TaskFingerprint, TaskLeases>,
    attempts: &mut BTreeMap<TaskFingerprint, Attempts>,
    key: &GrantKey,
    lease: Lease,
    current: Epoch,
) {
    let (fingerprint, is_earlier) = (key.fingerprint, key.epoch < current);
    let known = attempts.get(&fingerprint);
    let is_lost =
        known.is_some_and(|known| known.standing(lease.worker, key) == GrantStanding::Lost);
    match announced.entry(fingerprint) {
        Entry::Vacant(place) if is_earlier || is_lost => {
            place.insert(TaskLeases::of(lease));
        }
        Entry::Occupied(mut held)
            if is_earlier && !is_lost && held.get().find(lease.worker, key).is_none() =>
        {
            match held.get().with_copy(lease) {
                Some(leases) => drop(held.insert(leases)),
                None => attempts.entry(fingerprint).or_default().lost(&lease),
            }
        }
        // A grant that this machine never gave, or one that is held already.
        Entry::Vacant(_) | Entry::Occupied(_) => {}
    }
}

impl Job {
    /// Loses some of the leases that wait for a plan, and returns them.
    pub(super) fn lose_announced(
        &mut self,
        is_over: impl Fn(TaskFingerprint, &Lease) -> bool,
    ) -> Vec<(TaskFingerprint, Lease)> {
        let mut lost = Vec::new();
        let Stage::Planning { announced } = &mut self.stage else { return lost };
        for (fingerprint, leases) in std::mem::take(announced) {
            let is_over = |lease: &Lease| is_over(fingerprint, lease);
            for lease in leases.iter().filter(is_over) {
                self.attempts.entry(fingerprint).or_default().lost(&lease);
                lost.push((fingerprint, lease));
            }
            if let Some(left) = leases.without(is_over) {
                announced.insert(fingerprint, left);
            }
        }
        for (fingerprint, lease) in &lost {
            // How large the task is tells the plan, which is not there.
            self.unreported.lose(*fingerprint, lease, 0);
        }
        lost
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
