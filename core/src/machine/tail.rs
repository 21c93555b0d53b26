//! The tail of a job is shared out: a worker for which nothing is ready gets a copy of a task that
//! another one hardly moves.
//!
//! The target's put-if-absent decides between the two, object by object, and the first of them to
//! report the task done ends it for both. So a copy costs requests and bytes, never a wrong object.
//!
//! Otherwise each of the two leases is as one alone: its failure or loss counts against the task's
//! budget, its denial against its worker, and what no attempt heals fails the job. The other lease
//! goes on, and the task is ready again, or pauses, when the last one has ended. After a restart
//! the two are adopted in the order in which their workers announce them.
//!
//! Parts of a shared object are never copied by two. They are taken back from a slow worker and
//! given to another one, a few times. The other steps of such an object move no bytes by which to
//! judge.
//!
//! The tasks of a job with limits are slow because they should be: a copy would only take from what
//! the job may.

use super::job::Job;
use super::lease::{Lease, TaskLeases};
use super::moment::Moment;
use super::state::Machine;
use super::tasks::{Task, TaskState};
use super::violation::Violation;
use crate::group::GroupStep;
use crate::ids::{JobId, TaskIndex, WorkerId};
use crate::limits::PARTS_TAKEN_BACK_MAX;

/// A task whose holder is slow: bytes a second, since when, and which.
pub(super) type SlowTask = (u64, Moment, JobId, TaskIndex);

/// Later than any moment.
const NEVER: Moment = Moment(u64::MAX);

impl Machine {
    /// Returns which of these idle workers are to copy which of these tasks besides their holders.
    /// A worker that is slow itself helps nobody.
    pub(super) fn copies_for(
        &self,
        idle: impl Iterator<Item = WorkerId>,
        mut slow: Vec<SlowTask>,
    ) -> Vec<(WorkerId, (JobId, TaskIndex))> {
        let mut copies = Vec::new();
        for worker in idle.filter(|worker| !self.holds_a_slow_task(*worker)) {
            if slow.is_empty() {
                break;
            }
            let suits = |&(_, _, id, index): &SlowTask| self.may_copy(worker, id, index);
            if let Some(place) = slow.iter().position(suits) {
                let (_, _, id, index) = slow.remove(place);
                copies.push((worker, (id, index)));
            }
        }
        copies
    }

    /// Every task whose only worker is slow, the slowest first. One that failed a moment ago is
    /// left alone, as long as it would pause without another lease.
    ///
    /// What moves a lease's moments only makes them later. So a task that is not slow need not be
    /// looked at before the moment from which it may be, whatever its worker tells until then.
    pub(super) fn slow_tasks(&mut self) -> Vec<SlowTask> {
        let now = self.now;
        let (mut slow, mut later) = (Vec::new(), Vec::new());
        for id in self.copying.maybe_slow(now) {
            let Some(tasks) = self.jobs.get(&id).and_then(Job::copying) else { continue };
            for index in tasks.slow.due(now) {
                let Some(task) = tasks.get(index) else { continue };
                let Some(TaskLeases { holder: lease, .. }) = task.leases() else { continue };
                match self.slow_from(task, &lease) {
                    from if from <= now => slow.push((lease.rate(now), lease.since, id, index)),
                    from => later.push((id, index, from)),
                }
            }
        }
        for &(id, index, from) in &later {
            if let Some(tasks) = self.jobs.get_mut(&id).and_then(Job::copying_mut) {
                tasks.slow.set(index, Some(from));
            }
        }
        later.dedup_by_key(|(id, _, _)| *id);
        later.iter().for_each(|(id, _, _)| self.note_job(*id));
        slow.sort_unstable();
        slow
    }

    /// The moment from which a task is slow under its only lease, if nothing is heard until then.
    fn slow_from(&self, task: &Task, lease: &Lease) -> Moment {
        if !is_shareable(task) {
            return NEVER;
        }
        let pause = task.attempts.avoid.map(|(_, until)| until);
        self.lease_slow_from(lease).max(pause.unwrap_or(Moment(0)))
    }

    fn is_slow(&self, lease: &Lease) -> bool {
        self.lease_slow_from(lease) <= self.now
    }

    /// A lease is slow when it is older than two heartbeats, and its worker moved fewer bytes a
    /// second than any that works. Where none of its bytes has moved, the task may wait behind
    /// others at its worker: it is slow when the worker moves nothing at all.
    fn lease_slow_from(&self, lease: &Lease) -> Moment {
        let old_from = |since: Moment| {
            let Moment(old) = since.after(self.limits.heartbeat_interval * 2);
            Moment(old.saturating_add(1))
        };
        let Some(late_from) = lease.below_rate_from(self.limits.task_rate_min) else {
            return NEVER;
        };
        let from = old_from(lease.since).max(late_from);
        if lease.bytes_done > 0 {
            return from;
        }
        let known = self.workers.get(lease.worker);
        known.map_or(NEVER, |worker| from.max(old_from(worker.moved_at)))
    }

    /// Takes parts of a shared object back from a slow worker: no two workers write them at once.
    /// What it reports of them counts all the same.
    pub(super) fn take_parts_back(&mut self, id: JobId, index: TaskIndex) -> Result<(), Violation> {
        let avoid_until = self.now.after(self.limits.worker_aside);
        let task = self.task(id, index)?;
        let leases = task.leases().filter(|_| task.group.is_some());
        let Some(TaskLeases { holder, .. }) = leases else { return Ok(()) };
        self.lose_report(id, index, &holder)?;
        let task = self.task_mut(id, index)?;
        task.attempts.losses += 1;
        task.attempts.lost(&holder);
        task.attempts.avoid = Some((holder.worker, avoid_until));
        self.set_task(id, index, TaskState::Ready)
    }

    fn holds_a_slow_task(&self, worker: WorkerId) -> bool {
        let held = self.workers.get(worker).into_iter().flat_map(|known| &known.held);
        let mut leases = held.filter_map(|&(id, index)| {
            let job = self.jobs.get(&id).filter(|job| !job.is_limited())?;
            job.copying()?.get(index)?.leases()?.find_of(worker)
        });
        leases.any(|lease| self.is_slow(&lease))
    }

    /// True when a worker that does not hold the task may be given it.
    fn may_copy(&self, worker: WorkerId, id: JobId, index: TaskIndex) -> bool {
        let (Some(known), Some(job)) = (self.workers.get(worker), self.jobs.get(&id)) else {
            return false;
        };
        let task = job.copying().and_then(|tasks| tasks.get(index));
        known.takes(&job.route)
            && !self.is_held_back(job, worker)
            && !known.held.contains(&(id, index))
            && task.is_some_and(|task| !self.avoids(worker, job, task))
    }
}

/// True when another worker may help with a task: not with the opening or the end of an upload.
fn is_shareable(task: &Task) -> bool {
    match task.step() {
        None => true,
        Some(GroupStep::Parts) => task.attempts.losses < PARTS_TAKEN_BACK_MAX,
        Some(GroupStep::Open | GroupStep::Finish) => false,
    }
}
