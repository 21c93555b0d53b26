//! Who gets which task, and how grants live and end without a report.
//!
//! Fair between jobs (the one with the least bytes in flight is next), largest first within a
//! job. Waiting workers are dealt one task at a time, so that a small job spreads over them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::job::{Job, State};
use super::tasks::{Lease, TaskState, Tasks};
use super::worker::{OpenRequest, answer_with_nothing};
use super::{Action, GrantedTask, HeldTask, Machine, Moment, WorkerState};
use crate::failure::Failure;
use crate::ids::{Attempt, GrantKey, JobId, TaskIndex, WorkerId};
use crate::reason::Reason;
use crate::task::Capacity;

/// How many ready tasks are looked at for one that fits into the objects that are free.
const CANDIDATES_MAX: usize = 64;

/// What one answer may still take.
struct Batch {
    capacity: Capacity,
    tasks_left: usize,
    objects_left: usize,
    tasks: Vec<GrantedTask>,
}

impl Machine {
    pub(super) fn tasks_wanted(
        &mut self,
        id: WorkerId,
        request: OpenRequest,
        actions: &mut Vec<Action>,
    ) {
        let soon = self.now.after(self.limits.heartbeat_interval);
        let Some(worker) = self.hear(id) else {
            // Its next heartbeat tells it to register.
            actions.push(Action::Grant { worker: id, tasks: Vec::new() });
            return;
        };
        worker.waiting = Some(match worker.state {
            WorkerState::Active => request,
            // Not at once: it would ask again in a hot loop until it hears that it drains.
            WorkerState::Draining | WorkerState::Lost => {
                OpenRequest { deadline: request.deadline.min(soon), ..request }
            }
        });
        self.serve(&[id], actions);
    }

    /// Answers waiting workers for which there is work.
    pub(super) fn serve_waiting(&mut self, actions: &mut Vec<Action>) {
        let mut waiting: Vec<(usize, WorkerId)> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.waiting.is_some())
            .map(|(&id, worker)| (worker.held.len(), id))
            .collect();
        waiting.sort_unstable();
        let ids: Vec<WorkerId> = waiting.into_iter().map(|(_, id)| id).collect();
        self.serve(&ids, actions);
    }

    /// Deals to these workers, one task at a time.
    fn serve(&mut self, ids: &[WorkerId], actions: &mut Vec<Action>) {
        if self.grant_from.is_some() {
            return;
        }
        let share = self.share();
        let mut batches: BTreeMap<WorkerId, Batch> = BTreeMap::new();
        let mut dealt = true;
        while dealt {
            dealt = false;
            for &id in ids {
                let Some(request) = self.workers.get(&id).and_then(|worker| worker.waiting) else {
                    continue;
                };
                let batch = batches.entry(id).or_insert_with(|| Batch {
                    capacity: request.capacity,
                    tasks_left: share,
                    objects_left: self.limits.grant_objects_max,
                    tasks: Vec::new(),
                });
                dealt |= self.deal(id, batch);
            }
        }
        for (id, batch) in batches {
            if batch.tasks.is_empty() {
                continue;
            }
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.waiting = None;
            }
            actions.push(Action::Grant { worker: id, tasks: batch.tasks });
        }
    }

    /// Tasks in one answer: no more than its part, so that the last ones spread over the workers.
    fn share(&self) -> usize {
        let takers = self.workers.values().filter(|worker| worker.state == WorkerState::Active);
        let ready: usize =
            self.active().filter_map(|(_, job)| job.copying()).map(|tasks| tasks.ready.len()).sum();
        ready.div_ceil(takers.count().max(1)).clamp(1, self.limits.grant_tasks_max)
    }

    /// Grants one more task. False when none fits.
    fn deal(&mut self, worker: WorkerId, batch: &mut Batch) -> bool {
        if batch.tasks_left == 0 {
            return false;
        }
        let Some((id, index)) = self.pick(worker, batch) else { return false };
        let (epoch, ttl) = (self.epoch, self.limits.lease_ttl);
        let expires_at = self.now.after(ttl);
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        job.spent.sums.attempts += 1;
        let Some(task) = job.copying_mut().and_then(|tasks| tasks.get_mut(index)) else {
            return false;
        };
        task.attempts.newest = task.attempts.newest.saturating_add(1);
        let attempt = Attempt(task.attempts.newest);
        let (bytes, objects, fingerprint) = (task.bytes, task.objects, task.fingerprint);
        let lease = Lease { worker, attempt, epoch, expires_at, bytes_done: 0 };
        batch.tasks_left -= 1;
        batch.objects_left = batch.objects_left.saturating_sub(objects as usize);
        batch.capacity.bytes = batch.capacity.bytes.saturating_sub(bytes);
        batch.capacity.objects = batch.capacity.objects.saturating_sub(objects);
        let key = GrantKey { job: id, fingerprint, attempt, epoch };
        batch.tasks.push(GrantedTask { key, index, ttl });
        self.set_task(id, index, TaskState::Leased(lease));
        true
    }

    /// The next task for a worker: of the job with the least bytes in flight that has one.
    fn pick(&self, worker: WorkerId, batch: &Batch) -> Option<(JobId, TaskIndex)> {
        let known = self.workers.get(&worker)?;
        let mut jobs: Vec<(u64, usize, JobId, &Job, &Tasks)> = self
            .active()
            .filter(|(_, job)| known.takes(&job.route))
            .filter_map(|(id, job)| Some((id, job, job.copying()?)))
            .filter(|(_, job, tasks)| !tasks.ready.is_empty() && !self.is_held_back(job, worker))
            .map(|(id, job, tasks)| (tasks.leased_bytes, tasks.leased.len(), id, job, tasks))
            .collect();
        jobs.sort_unstable_by_key(|&(bytes, leases, id, _, _)| (bytes, leases, id));
        let idle = known.held.is_empty();
        jobs.into_iter().find_map(|(_, _, id, job, tasks)| {
            let avoids = |index: TaskIndex| {
                let Some(attempts) = tasks.get(index).map(|task| &task.attempts) else {
                    return true;
                };
                let rests =
                    attempts.avoid.is_some_and(|(who, until)| who == worker && self.now < until);
                attempts.is_denied(worker)
                    || rests
                        && self
                            .workers
                            .iter()
                            .any(|(&id, other)| id != worker && other.takes(&job.route))
            };
            Some((id, candidate(tasks, batch, idle, avoids)?))
        })
    }

    pub(super) fn heartbeat(&mut self, id: WorkerId, held: &[HeldTask], actions: &mut Vec<Action>) {
        let Some(worker) = self.hear(id) else {
            let (abandon, drain, known) = (Vec::new(), false, false);
            actions.push(Action::Beat { worker: id, abandon, drain, known });
            return;
        };
        let drain = worker.state == WorkerState::Draining;
        let mut abandon = Vec::new();
        for held in held {
            if !self.renew(id, held) {
                abandon.push(held.key);
            }
        }
        actions.push(Action::Beat { worker: id, abandon, drain, known: true });
    }

    /// Renews a grant. False when it is not current.
    fn renew(&mut self, worker: WorkerId, held: &HeldTask) -> bool {
        let expires_at = self.now.after(self.limits.lease_ttl);
        let key = &held.key;
        let Some(job) = self.jobs.get_mut(&key.job) else { return false };
        match &mut job.state {
            State::Planning { announced } => match announced.get_mut(&key.fingerprint) {
                Some(lease) if lease.is(worker, key) => {
                    lease.expires_at = expires_at;
                    lease.bytes_done = held.bytes_done;
                    true
                }
                Some(_) | None => false,
            },
            State::Copying(tasks) => {
                let current = tasks
                    .find(key.fingerprint)
                    .filter(|&index| tasks.lease(index).is_some_and(|lease| lease.is(worker, key)));
                let Some(index) = current else { return false };
                tasks.renew(index, expires_at, held.bytes_done);
                self.touched.insert(key.job);
                true
            }
            State::Queued | State::Publishing(_) | State::Ended { .. } => false,
        }
    }

    /// Everything that is due by time alone.
    pub(super) fn deadline_reached(&mut self, actions: &mut Vec<Action>) {
        if self.grant_from.is_some_and(|from| from <= self.now) {
            self.grant_from = None;
        }
        if self.tick_at.is_some_and(|tick| tick <= self.now) {
            self.lose_silent_workers(actions);
            self.expire_leases(actions);
            self.end_set_asides();
            self.believe_the_last(actions);
            self.end_starving_jobs(actions);
            self.tick_at = None;
            self.wake_at_tick();
            self.recount_due = true;
        }
        self.end_backoffs();
        self.serve_waiting(actions);
        self.work_appeared = false;
        let now = self.now;
        for (&id, worker) in &mut self.workers {
            if worker.waiting.is_some_and(|request| request.deadline <= now) {
                answer_with_nothing(id, worker.waiting.take(), actions);
            }
        }
    }

    /// Awaits the next look at leases and silent workers, while there is any worker, or any job
    /// that waits for one.
    pub(super) fn wake_at_tick(&mut self) {
        let awaited = self.tick_at.is_none()
            && (self.workers.values().any(super::worker::Worker::is_live)
                || self.active().any(|(_, job)| job.copying().is_some()));
        if awaited {
            self.tick_at = Some(self.now.after(self.limits.heartbeat_interval / 2));
        }
    }

    fn expire_leases(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let mut expired = Vec::new();
        for (&id, job) in &mut self.jobs {
            match &mut job.state {
                State::Planning { announced } => {
                    let attempts = &mut job.attempts;
                    announced.retain(|&fingerprint, lease| {
                        let holds = lease.expires_at > now;
                        if !holds {
                            attempts.entry(fingerprint).or_default().lost(lease);
                        }
                        holds
                    });
                }
                State::Copying(tasks) => {
                    let due = tasks.leases().filter(|(_, lease)| lease.expires_at <= now);
                    expired.extend(due.map(|(index, _)| (id, index)));
                }
                State::Queued | State::Publishing(_) | State::Ended { .. } => {}
            }
        }
        for (id, index) in expired {
            self.lose_lease(id, index, actions);
        }
    }

    /// Ends a lease without a word of its holder: the task is ready again, up to a budget.
    pub(super) fn lose_lease(&mut self, id: JobId, index: TaskIndex, actions: &mut Vec<Action>) {
        let most = self.limits.task_losses_max;
        let Some(tasks) = self.jobs.get_mut(&id).and_then(Job::copying_mut) else { return };
        let Some(lease) = tasks.lease(index) else { return };
        let Some(task) = tasks.get_mut(index) else { return };
        task.attempts.losses += 1;
        task.attempts.lost(&lease);
        if task.attempts.losses > most {
            let message =
                format!("a task of {} objects lost its worker {most} times", task.objects);
            self.fail(id, Failure::new(Reason::StorageUnavailable, message), actions);
            return;
        }
        self.set_task(id, index, TaskState::Ready);
    }

    fn end_backoffs(&mut self) {
        let mut over = Vec::new();
        for (id, job) in self.active() {
            let Some(tasks) = job.copying() else { continue };
            let due = tasks.backoff.iter().take_while(|(until, _)| *until <= self.now);
            over.extend(due.map(|&(_, index)| (id, index)));
        }
        for (id, index) in over {
            self.set_task(id, index, TaskState::Ready);
        }
    }

    /// Extends every deadline by the driver's stall, so that a stall costs no lease and no wait.
    pub(super) fn forgive(&mut self, gap_ms: u64) {
        let forgiven = |moment: Moment| Moment(moment.0.saturating_add(gap_ms));
        for worker in self.workers.values_mut() {
            worker.last_seen = forgiven(worker.last_seen);
            for aside in worker.set_aside.values_mut() {
                aside.until = forgiven(aside.until);
            }
        }
        self.grant_from = self.grant_from.map(forgiven);
        self.believe_from = forgiven(self.believe_from);
        for job in self.jobs.values_mut() {
            job.starved_since = job.starved_since.map(forgiven);
            match &mut job.state {
                State::Planning { announced } => {
                    for lease in announced.values_mut() {
                        lease.expires_at = forgiven(lease.expires_at);
                    }
                }
                State::Copying(tasks) => {
                    let leases: Vec<(TaskIndex, Lease)> = tasks.leases().collect();
                    for (index, lease) in leases {
                        tasks.renew(index, forgiven(lease.expires_at), lease.bytes_done);
                    }
                }
                State::Queued | State::Publishing(_) | State::Ended { .. } => {}
            }
        }
    }
}

/// The largest ready task that fits; the largest of all for an empty batch of an idle worker.
fn candidate(
    tasks: &Tasks,
    batch: &Batch,
    idle: bool,
    avoids: impl Fn(TaskIndex) -> bool,
) -> Option<TaskIndex> {
    let wanted = |&&(_, index): &&(Reverse<u64>, TaskIndex)| !avoids(index);
    if idle && batch.tasks.is_empty() {
        return tasks.ready.iter().find(wanted).map(|&(_, index)| index);
    }
    let objects_free = batch.objects_left.min(batch.capacity.objects as usize);
    tasks
        .ready
        .range((Reverse(batch.capacity.bytes), TaskIndex(0))..)
        .filter(wanted)
        .take(CANDIDATES_MAX)
        .find(|&&(_, index)| {
            tasks.get(index).is_some_and(|task| task.objects as usize <= objects_free)
        })
        .map(|&(_, index)| index)
}
