//! The limits of jobs: how they change, and what each worker is told of them.
//!
//! A worker is told its share with a grant and with each answer to a heartbeat; the arithmetic is
//! that of [`crate::job_limits`].

use std::collections::BTreeSet;

use super::action::{Action, GrantedTask};
use super::fact::Fact;
use super::job::Job;
use super::lease::Lease;
use super::state::Machine;
use super::tasks::TaskState;
use super::violation::Violation;
use crate::ids::{JobId, TaskIndex, WorkerId};
use crate::job_limits::{JobShare, LimitsChange};

impl Machine {
    /// Changes the limits of a job, unless it is over. Its workers hear of it with their next
    /// answers.
    pub(super) fn limits_changed(
        &mut self,
        id: JobId,
        change: LimitsChange,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_live()) else { return };
        let limits = job.limits.changed(change);
        if limits == job.limits {
            return;
        }
        if job.limits.is_none() {
            // What they were told.
            let holders = self.workers.iter().filter(|(_, worker)| worker.holds(id));
            job.shares = holders.map(|(worker, _)| (worker, JobShare::ALL)).collect();
        }
        job.limits = limits;
        self.note_job(id);
        // More workers may fit now.
        self.work_appeared = true;
        self.touched.insert(id);
        actions.push(Action::Record(Fact::Limited { job: id, limits }));
    }

    /// Takes back what workers hold of a job. They are told with their next heartbeat, and what
    /// they report until then counts all the same.
    pub(super) fn recall_tasks(&mut self, id: JobId) -> Result<(), Violation> {
        let Some(tasks) = self.jobs.get(&id).and_then(Job::copying) else { return Ok(()) };
        let held: Vec<(TaskIndex, Lease)> = tasks.leases().collect();
        for (index, lease) in held {
            self.lose_report(id, index, &lease)?;
            self.task_mut(id, index)?.attempts.lost(&lease);
            self.drop_lease(lease.worker, (id, index), TaskState::Ready)?;
        }
        self.touched.insert(id);
        Ok(())
    }

    /// True when a worker may get another task of the job as far as its limits go: one that holds
    /// none as long as each can make a copy, another one when it runs dry.
    pub(super) fn has_room_for(&self, worker: WorkerId, id: JobId, job: &Job) -> bool {
        if job.limits.held {
            return false;
        }
        let (Some(known), true) = (self.workers.get(worker), job.is_limited()) else {
            return true;
        };
        if known.holds(id) {
            let share = job.shares.get(&worker).copied().unwrap_or(JobShare::NOTHING);
            let (objects, bytes_left) = job.work_left(worker, known.held_of(id));
            return share.runs_dry(objects, bytes_left);
        }
        let holders = job.copying().map_or(0, |tasks| tasks.holders.len());
        holders < job.limits.workers_max()
    }

    /// Called before a worker gets a task. One that held none of this job was told nothing yet.
    pub(super) fn begin_share(&mut self, worker: WorkerId, id: JobId) -> Result<(), Violation> {
        let holds = self.workers.get(worker).is_some_and(|worker| worker.holds(id));
        let job = self.job_mut(id)?;
        if job.is_limited() && !holds {
            job.shares.insert(worker, JobShare::NOTHING);
        }
        Ok(())
    }

    /// Tells a worker its shares with the tasks that it gets.
    pub(super) fn tell_shares_with(&mut self, worker: WorkerId, tasks: &mut [GrantedTask]) {
        let mut jobs: Vec<JobId> = tasks.iter().map(|task| task.key.job).collect();
        jobs.sort_unstable();
        jobs.dedup();
        for id in jobs {
            let share = self.tell_share(worker, id);
            for task in tasks.iter_mut().filter(|task| task.key.job == id) {
                task.share = share;
            }
        }
    }

    /// True when a worker holds tasks of a job with limits, and may run dry before it asks.
    pub(super) fn holds_limited(&self, worker: WorkerId) -> bool {
        let held = self.workers.get(worker).map(|known| &known.held);
        let mut jobs = held.into_iter().flatten().filter_map(|(id, _)| self.jobs.get(id));
        jobs.any(Job::is_limited)
    }

    /// Tells a worker its share of each job of which it holds tasks. After a restart that waits
    /// until all workers can have said what they hold.
    pub(super) fn tell_shares(&mut self, worker: WorkerId) -> Vec<(JobId, JobShare)> {
        if self.grant_from.is_some() {
            return Vec::new();
        }
        let held = self.workers.get(worker).map(|known| &known.held);
        let jobs: BTreeSet<JobId> = held.into_iter().flatten().map(|(id, _)| *id).collect();
        jobs.into_iter().map(|id| (id, self.tell_share(worker, id))).collect()
    }

    fn tell_share(&mut self, worker: WorkerId, id: JobId) -> JobShare {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_limited()) else {
            return JobShare::ALL;
        };
        let workers = &self.workers;
        job.shares.retain(|holder, _| workers.get(*holder).is_some_and(|known| known.holds(id)));
        let own = job.shares.get(&worker).copied().unwrap_or(JobShare::NOTHING);
        let others = job.shares.iter().filter(|(other, _)| **other != worker);
        let others = others.map(|(_, share)| *share);
        let share = job.limits.share(job.shares.len(), own, others);
        job.shares.insert(worker, share);
        share
    }
}
