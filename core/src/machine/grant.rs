//! Who gets which task, and how its holder extends the lease.
//!
//! Fair between jobs (the one with the fewest bytes in flight is next), largest first within a
//! job. Waiting workers get one task at a time in turn, so that a small job spreads over them. Who
//! gets nothing then may get a copy of a slow task (see [`super::tail`]).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::action::{Action, GrantedTask};
use super::event::HeldTask;
use super::job::{Job, Stage};
use super::lease::{Lease, TaskLeases};
use super::state::Machine;
use super::tasks::{Task, TaskState, Tasks};
use super::view::WorkerState;
use super::violation::Violation;
use super::worker::OpenRequest;
use crate::group::GroupStep;
use crate::ids::{Attempt, GrantKey, JobId, TaskIndex, WorkerId};
use crate::job_limits::JobShare;
use crate::limits::GRANT_CANDIDATES_MAX;
use crate::task::Capacity;

/// The tasks of one answer, and what it may still take.
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
        let request = match worker.state {
            WorkerState::Active => request,
            // Not at once: it would ask again in a loop until a heartbeat tells it that it drains.
            WorkerState::Draining | WorkerState::Lost => {
                OpenRequest { deadline: request.deadline.min(soon), ..request }
            }
        };
        self.workers.set_request(id, Some(request));
        self.serve(&[id], actions);
    }

    /// Answers waiting workers for which there is work.
    pub(super) fn serve_waiting(&mut self, actions: &mut Vec<Action>) {
        let is_work = self.copying.may_grant() || !self.slow_tasks().is_empty();
        if self.workers.is_any_waiting() && is_work {
            let ids: Vec<WorkerId> = self.workers.waiting().collect();
            self.serve(&ids, actions);
        }
    }

    /// Grants to these workers, one task at a time.
    fn serve(&mut self, ids: &[WorkerId], actions: &mut Vec<Action>) {
        if self.grant_from.is_some() {
            return;
        }
        let mut batches: BTreeMap<WorkerId, Batch> = BTreeMap::new();
        self.grant_in_turn(ids, &mut batches);
        self.share_tail(ids, &mut batches);
        for (id, mut batch) in batches {
            self.workers.set_request(id, None);
            self.tell_shares_with(id, &mut batch.tasks);
            actions.push(Action::Grant { worker: id, tasks: batch.tasks });
        }
    }

    /// Grants tasks that are ready, one to each worker in turn. A worker for which none is left has
    /// no further turn: what fits it becomes only less.
    fn grant_in_turn(&mut self, ids: &[WorkerId], batches: &mut BTreeMap<WorkerId, Batch>) {
        let share = self.share();
        let mut first = ids.iter().copied();
        let mut again = Vec::new();
        while self.copying.may_grant() {
            let Some(id) = first.next() else { break };
            let Some(mut batch) = self.batch_for(id, share) else { continue };
            if self.grant_one(id, &mut batch) {
                again.push(id);
            }
            if !batch.tasks.is_empty() {
                batches.insert(id, batch);
            }
        }
        while !again.is_empty() {
            again.retain(|id| match batches.get_mut(id) {
                Some(batch) if self.copying.may_grant() => self.grant_one(*id, batch),
                Some(_) | None => false,
            });
        }
    }

    /// An answer to the open request of a worker, without a task so far.
    fn batch_for(&self, worker: WorkerId, tasks_left: usize) -> Option<Batch> {
        let request = self.workers.get(worker)?.waiting?;
        let objects_left = self.limits.grant_objects_max;
        Some(Batch { capacity: request.capacity, tasks_left, objects_left, tasks: Vec::new() })
    }

    /// Tasks in one answer: no more than its part, so that the last ones spread over the workers.
    fn share(&self) -> usize {
        let (ready, active) = (self.copying.ready_tasks(), self.workers.active());
        ready.div_ceil(active.max(1)).clamp(1, self.limits.grant_tasks_max)
    }

    /// Grants one more task. False when none fits.
    fn grant_one(&mut self, worker: WorkerId, batch: &mut Batch) -> bool {
        match self.pick(worker, batch) {
            None => false,
            Some(picked) => {
                let granted = self.grant(worker, picked, batch);
                let is_granted = granted.is_ok();
                self.record(granted);
                is_granted
            }
        }
    }

    /// Grants copies of slow tasks to those of the workers for which nothing is ready.
    fn share_tail(&mut self, ids: &[WorkerId], batches: &mut BTreeMap<WorkerId, Batch>) {
        let slow = self.slow_tasks();
        if slow.is_empty() {
            return;
        }
        let share = self.share();
        let waits =
            |id: WorkerId| self.workers.get(id).is_some_and(|known| known.waiting.is_some());
        let idle = ids.iter().copied().filter(|id| !batches.contains_key(id) && waits(*id));
        for (worker, slow) in self.copies_for(idle, slow) {
            if let Some(mut batch) = self.batch_for(worker, share) {
                let free = self.take_parts_back(slow.0, slow.1);
                let granted = free.and_then(|()| self.grant(worker, slow, &mut batch));
                self.record(granted);
                if !batch.tasks.is_empty() {
                    batches.insert(worker, batch);
                }
            }
        }
    }

    /// Grants a task that is ready, or a copy of one that another worker holds.
    fn grant(
        &mut self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
        batch: &mut Batch,
    ) -> Result<(), Violation> {
        let (now, epoch, ttl) = (self.now, self.epoch, self.limits.lease_ttl);
        let task = self.task_mut(id, index)?;
        task.attempts.newest = task.attempts.newest.saturating_add(1);
        let attempt = Attempt(task.attempts.newest);
        let (bytes, objects, fingerprint) = (task.bytes, task.objects, task.fingerprint);
        // The grant names all parts of an object: it is alone in its answer.
        let is_alone = task.step() == Some(GroupStep::Finish);
        let key = GrantKey { job: id, fingerprint, attempt, epoch };
        let lease = Lease::new(worker, &key, now, ttl);
        let leases = match task.leases() {
            None => TaskLeases::of(lease),
            Some(held) => held.with_copy(lease).ok_or(Violation::no_task(id))?,
        };
        self.begin_share(worker, id)?;
        self.set_task(id, index, TaskState::Leased(leases))?;
        self.job_mut(id)?.spent.sums.attempts += 1;
        batch.tasks_left = if is_alone { 0 } else { batch.tasks_left - 1 };
        batch.objects_left = batch.objects_left.saturating_sub(objects as usize);
        batch.capacity.bytes = batch.capacity.bytes.saturating_sub(bytes);
        batch.capacity.objects = batch.capacity.objects.saturating_sub(objects);
        batch.tasks.push(GrantedTask { key, index, ttl, share: JobShare::ALL });
        Ok(())
    }

    /// The next task for a worker: of the job with the fewest bytes in flight that has one.
    fn pick(&self, worker: WorkerId, batch: &Batch) -> Option<(JobId, TaskIndex)> {
        let known = self.workers.get(worker).filter(|_| batch.tasks_left > 0)?;
        let is_full = !self.copying.may_grant_within(batch.capacity.bytes);
        if is_full && !batch.tasks.is_empty() {
            return None;
        }
        self.copying.grantable().find_map(|id| {
            let job = self.jobs.get(&id).filter(|job| known.takes(&job.route))?;
            if !self.has_room_for(worker, id, job) {
                return None;
            }
            let is_held_back = self.is_held_back(job, worker);
            let suits = |task: &Task| {
                !self.avoids(worker, job, task)
                    && (!is_held_back || self.is_for_the_held_back(job, task))
            };
            Some((id, candidate(job.copying()?, batch, suits)?))
        })
    }

    /// True when the task is not for this worker, which was denied an object of it, or failed it a
    /// moment ago while another worker takes the route.
    pub(super) fn avoids(&self, worker: WorkerId, job: &Job, task: &Task) -> bool {
        let attempts = &task.attempts;
        let failed_it =
            attempts.avoid.is_some_and(|(who, until)| who == worker && self.now < until);
        let mut others = self.workers.iter().filter(|(id, _)| *id != worker);
        attempts.is_denied(worker) || failed_it && others.any(|(_, other)| other.takes(&job.route))
    }

    pub(super) fn heartbeat(&mut self, id: WorkerId, held: &[HeldTask], actions: &mut Vec<Action>) {
        let Some(worker) = self.hear(id) else {
            let (abandon, shares) = (Vec::new(), Vec::new());
            let (drain, known) = (false, false);
            actions.push(Action::Beat { worker: id, abandon, shares, drain, known });
            return;
        };
        let drain = worker.state == WorkerState::Draining;
        let abandon = held.iter().filter(|held| !self.renew(id, held)).map(|held| held.key);
        let abandon = abandon.collect();
        let shares = self.tell_shares(id);
        actions.push(Action::Beat { worker: id, abandon, shares, drain, known: true });
        if self.holds_limited(id) {
            self.serve(&[id], actions);
        }
    }

    /// Extends the lease of a grant. False when none holds it (any more): the worker is to abandon
    /// the task.
    fn renew(&mut self, worker: WorkerId, held: &HeldTask) -> bool {
        let (now, expires_at) = (self.now, self.now.after(self.limits.lease_ttl));
        let key = &held.key;
        match self.jobs.get_mut(&key.job).map(|job| &mut job.stage) {
            Some(Stage::Planning { announced }) => match announced.get_mut(&key.fingerprint) {
                Some(leases) => match leases.iter_mut().find(|lease| lease.is(worker, key)) {
                    Some(lease) => {
                        lease.expires_at = expires_at;
                        lease.told(held, now);
                        true
                    }
                    None => false,
                },
                None => false,
            },
            Some(Stage::Copying(tasks)) => {
                let index = tasks.find(key.fingerprint);
                let current = index.filter(|&index| {
                    tasks.get(index).is_some_and(|task| task.current(worker, key).is_some())
                });
                if let Some(index) = current {
                    let moved = tasks.renew(index, worker, (now, expires_at), held);
                    if let Some(known) = self.workers.get_mut(worker).filter(|_| moved) {
                        known.moved_at = now;
                    }
                    self.touched.insert(key.job);
                }
                current.is_some()
            }
            Some(Stage::Queued | Stage::Publishing(_) | Stage::Ended { .. }) | None => false,
        }
    }

    /// Awaits the next look at leases and silent workers, while there is any worker, or any job
    /// that waits for one.
    pub(super) fn wake_at_tick(&mut self) {
        let awaited =
            self.tick_at.is_none() && (self.workers.is_any_live() || self.copying.is_any());
        if awaited {
            self.tick_at = Some(self.now.after(self.limits.heartbeat_interval / 2));
        }
    }
}

/// The largest ready task that fits. The first one of an answer need not: the worker has slots that
/// are about to run dry, and takes a large object in parts.
fn candidate(tasks: &Tasks, batch: &Batch, suits: impl Fn(&Task) -> bool) -> Option<TaskIndex> {
    let suits = |&&(_, index): &&(Reverse<u64>, TaskIndex)| tasks.get(index).is_some_and(&suits);
    if batch.tasks.is_empty() {
        return tasks.ready.iter().find(suits).map(|&(_, index)| index);
    }
    let takes_no_room = |task: &Task| task.step() == Some(GroupStep::Open);
    let urgent = tasks.ready.range(..(Reverse(u64::MAX - 1), TaskIndex(0))).filter(suits);
    let mut urgent = urgent.take(GRANT_CANDIDATES_MAX);
    if let Some((_, index)) = urgent.find(|(_, index)| tasks.get(*index).is_some_and(takes_no_room))
    {
        return Some(*index);
    }
    let objects_free = batch.objects_left.min(batch.capacity.objects as usize);
    tasks
        .ready
        .range((Reverse(batch.capacity.bytes), TaskIndex(0))..)
        .filter(suits)
        .take(GRANT_CANDIDATES_MAX)
        .find(|&&(_, index)| {
            tasks.get(index).is_some_and(|task| task.objects as usize <= objects_free)
        })
        .map(|&(_, index)| index)
}
