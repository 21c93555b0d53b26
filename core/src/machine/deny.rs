//! Workers that cannot reach a store: a wrong clock, an expired token, a missing mount.
//!
//! Such a failure may be the worker's own, so it is not believed at once: the task goes to another
//! worker that takes the route, and never back. The job fails (or is planned again, when the object
//! is gone) once every such worker reported the same.
//!
//! A worker is *held back* from a job after some denials in a row, as long as others can go on: it
//! gets only tasks that all of these were denied. It
//! is *set aside* at the connection, for every job and for a while, when another worker then does a
//! task that it could not. Denials alone set no worker aside: a client could name an object that
//! every worker is denied, and so take all of them out of service.

use super::action::Action;
use super::event::Route;
use super::fact::Fact;
use super::job::{Job, Stage};
use super::retry::{self, Suspect};
use super::state::Machine;
use super::tasks::{Task, TaskState};
use super::view::SetAside;
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{ConnectionKey, JobId, TaskIndex, WorkerId};
use crate::receipt::{TaskFailure, TaskFailureKind};

impl Suspect {
    fn connection(self, route: &Route) -> ConnectionKey {
        match self {
            Self::Source => route.source,
            Self::Target => route.target,
        }
    }
}

impl Machine {
    /// A worker with a lease of a task could not reach an object of it.
    pub(super) fn denied(
        &mut self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
        suspect: Suspect,
        failure: TaskFailure,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        self.copying_mut(id)?.was_denied = true;
        let task = self.task_mut(id, index)?;
        task.attempts.deny(worker, suspect, failure.clone());
        let (fingerprint, kind) = (task.fingerprint, failure.kind);
        self.count_denial(worker, id, suspect, &failure.message)?;
        actions.push(Action::Record(Fact::TaskFailed { job: id, fingerprint, kind }));
        self.drop_lease(worker, (id, index), TaskState::Ready)?;
        let job = self.jobs.get(&id).ok_or(Violation::no_job(id))?;
        if self.is_believed(job, self.task(id, index)?) {
            self.believe(id, index, &failure, actions)?;
        }
        Ok(())
    }

    /// Counts one more denial in a row of a worker.
    pub(super) fn count_denial(
        &mut self,
        worker: WorkerId,
        id: JobId,
        suspect: Suspect,
        reason: &str,
    ) -> Result<(), Violation> {
        let job = self.job_mut(id)?;
        let connection = suspect.connection(&job.route);
        let count = job.denials.entry(worker).or_default();
        *count = count.saturating_add(1);
        if let Some(known) = self.workers.get_mut(worker) {
            let denials = known.denials.entry(connection).or_default();
            denials.in_a_row = denials.in_a_row.saturating_add(1);
            reason.clone_into(&mut denials.reason);
        }
        self.set_aside_if_outdone(worker, connection);
        Ok(())
    }

    /// True when no other worker is left that could do a denied task.
    fn is_believed(&self, job: &Job, task: &Task) -> bool {
        let attempts = &task.attempts;
        let is_gone = |denial: &TaskFailure| denial.kind == TaskFailureKind::SourceNotFound;
        let gone = attempts.denial.as_ref().is_some_and(is_gone);
        // Two workers that do not find an object are enough: the next plan looks for it, too.
        let two_agree = gone && attempts.denied_by.len() > 1;
        if attempts.failures >= self.limits.task_attempts_max || two_agree {
            return true;
        }
        // A worker that drains takes no more, and may still end what it copies.
        let goes_on = task.leases().is_some();
        let mut others = self.workers.iter().filter(|(id, _)| !attempts.is_denied(*id));
        let is_last = !goes_on && !others.any(|(_, other)| other.takes(&job.route));
        is_last && self.now >= self.believe_from
    }

    fn believe(
        &mut self,
        id: JobId,
        index: TaskIndex,
        failure: &TaskFailure,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        if failure.kind == TaskFailureKind::SourceNotFound {
            return self.vanished(id, index, failure, actions);
        }
        let reason = retry::reason(failure.kind);
        self.fail(id, Failure::new(reason, failure.message.clone()), actions)
    }

    /// Believes the denials of tasks that no other worker can do any more: the last one that could
    /// left, or was lost.
    pub(super) fn believe_the_last(&mut self, actions: &mut Vec<Action>) {
        // A worker that was denied a task may have done others since: only the task tells of it.
        let denied =
            self.active().filter(|(_, job)| job.copying().is_some_and(|tasks| tasks.was_denied));
        // Without any worker the job waits for one instead.
        let denied = denied.filter(|(_, job)| self.has_worker(job));
        let believed: Vec<_> = denied
            .filter_map(|(id, job)| {
                let tasks = job.copying()?;
                tasks.ready.iter().find_map(|&(_, index)| {
                    let task = tasks.get(index)?;
                    let denial = task.attempts.denial.clone()?;
                    self.is_believed(job, task).then_some((id, index, denial))
                })
            })
            .collect();
        for (id, index, denial) in believed {
            let ended = self.believe(id, index, &denial, actions);
            self.record(ended);
        }
    }

    /// A worker did a task: it reaches both stores, which counts against those that could not.
    pub(super) fn reached(
        &mut self,
        worker: WorkerId,
        id: JobId,
        others: &[(WorkerId, Suspect)],
    ) -> Result<(), Violation> {
        let job = self.job_mut(id)?;
        let route = job.route;
        job.denials.remove(&worker);
        if let Some(known) = self.workers.get_mut(worker) {
            known.denials.remove(&route.source);
            known.denials.remove(&route.target);
        }
        for &(other, suspect) in others.iter().filter(|(other, _)| *other != worker) {
            let connection = suspect.connection(&route);
            if let Some(denials) =
                self.workers.get_mut(other).and_then(|known| known.denials.get_mut(&connection))
            {
                denials.outdone = denials.outdone.saturating_add(1);
            }
            self.set_aside_if_outdone(other, connection);
        }
        Ok(())
    }

    fn set_aside_if_outdone(&mut self, worker: WorkerId, connection: ConnectionKey) {
        let until = self.now.after(self.limits.worker_aside);
        let most = self.limits.worker_denials_max;
        let Some(known) = self.workers.get_mut(worker) else {
            // It left, and what it could not reach went with it.
            return;
        };
        // Without an entry the worker reached the connection since.
        if let Some(denials) = known.denials.get_mut(&connection)
            && denials.in_a_row >= most
            && denials.outdone > 0
        {
            // When it comes back, one more denial that another outdoes sets it aside again.
            denials.in_a_row = most.saturating_sub(1);
            denials.outdone = 0;
            let reason = denials.reason.clone();
            known.set_aside.insert(connection, SetAside { until, reason });
        }
    }

    /// Takes back the workers that were set aside for their time.
    pub(super) fn end_set_asides(&mut self) {
        let now = self.now;
        for worker in self.workers.iter_mut() {
            worker.set_aside.retain(|_, aside| aside.until > now);
        }
    }

    /// True when a worker was denied too often in a row by a job that another one can go on with.
    pub(super) fn is_held_back(&self, job: &Job, worker: WorkerId) -> bool {
        self.is_often_denied(job, worker) && self.who_go_on(job).next().is_some()
    }

    /// True when none of the workers that can go on with the job may be given the task: they were
    /// denied it, and it waits for one that is held back.
    pub(super) fn is_for_the_held_back(&self, job: &Job, task: &Task) -> bool {
        task.attempts.denial.is_some()
            && self.who_go_on(job).all(|worker| task.attempts.is_denied(worker))
    }

    /// Lists the workers that take tasks of the job and are not held back from it.
    fn who_go_on(&self, job: &Job) -> impl Iterator<Item = WorkerId> {
        let takes = self.workers.iter().filter(|(_, other)| other.takes(&job.route));
        takes.map(|(id, _)| id).filter(|id| !self.is_often_denied(job, *id))
    }

    fn is_often_denied(&self, job: &Job, worker: WorkerId) -> bool {
        job.denials.get(&worker).is_some_and(|count| *count >= self.limits.worker_denials_max)
    }

    /// Forgets the denials of a worker that is gone for good.
    pub(super) fn forget_denials_of(&mut self, worker: WorkerId) {
        for job in self.jobs.values_mut().filter(|job| !matches!(job.stage, Stage::Ended { .. })) {
            job.denials.remove(&worker);
        }
    }
}
