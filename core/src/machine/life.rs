//! The life of a job: submitted, planned, copied, published, ended.

use std::collections::BTreeMap;

use super::action::Action;
use super::event::{Plan, PublishOutcome, Route};
use super::fact::{End, Fact};
use super::groups::known_states;
use super::job::{Job, Stage};
use super::lease::TaskLeases;
use super::progress::Progress;
use super::state::Machine;
use super::tasks::{TaskState, Tasks};
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{JobId, TargetKey, TaskFingerprint};
use crate::job_limits::JobLimits;
use crate::reason::Reason;

/// What happens to one job: the events of one job without its id.
#[derive(Debug)]
pub(super) enum JobEvent {
    CancelRequested,
    Planned(Plan),
    UpToDate { source_version: u64, replica_version: u64 },
    PlanFailed(Failure),
    PublishEnded(PublishOutcome),
}

impl Machine {
    pub(super) fn submitted(
        &mut self,
        id: JobId,
        target: TargetKey,
        route: Route,
        spec: Vec<u8>,
        limits: JobLimits,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        if self.jobs.contains_key(&id) {
            // The same submission again.
            return Ok(());
        }
        let live = self.jobs.len() - self.ended.len();
        if live >= self.limits.jobs_live_max {
            let message = format!("{live} syncs are queued or under way: submit it again later");
            let failure = Failure::new(Reason::Overloaded, message);
            actions.push(Action::Refused { job: id, failure });
            return Ok(());
        }
        self.jobs.insert(id, Job::new(target, route, spec.clone(), limits));
        actions.push(Action::Record(Fact::Created { job: id, target, route, spec }));
        if !limits.is_none() {
            actions.push(Action::Record(Fact::Limited { job: id, limits }));
        }
        self.touched.insert(id);
        self.targets.entry(target).or_default().push_back(id);
        self.start_first_of(target, actions)
    }

    /// Starts the first job of a target when it is still queued.
    pub(super) fn start_first_of(
        &mut self,
        target: TargetKey,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let first = self.targets.get(&target).and_then(|queue| queue.front().copied());
        match first {
            Some(id) if matches!(self.job_mut(id)?.stage, Stage::Queued) => self.plan(id, actions),
            // It is under way, or the target has no job.
            Some(_) | None => Ok(()),
        }
    }

    fn plan(&mut self, id: JobId, actions: &mut Vec<Action>) -> Result<(), Violation> {
        self.begin_planning(id)?;
        actions.push(Action::Plan { job: id });
        Ok(())
    }

    /// Applies what happens to one job: an arm for each state that it may meet.
    pub(super) fn job_event(
        &mut self,
        id: JobId,
        event: JobEvent,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        use JobEvent::{CancelRequested, PlanFailed, Planned, PublishEnded, UpToDate};
        let Some(job) = self.jobs.get_mut(&id) else {
            // It ended and is forgotten since.
            return Ok(());
        };
        match (&mut job.stage, event) {
            // The first end stays, whatever comes late.
            (Stage::Ended { .. }, _) => Ok(()),

            // A commit may be in the log, in `Planning` after a restart: its effect decides.
            (Stage::Planning { .. } | Stage::Publishing(_), CancelRequested)
                if job.publish_intended =>
            {
                self.cancel_unless_published(id, actions)
            }
            (
                Stage::Queued | Stage::Planning { .. } | Stage::Copying(_) | Stage::Publishing(_),
                CancelRequested,
            ) => self.end(id, End::Cancelled, actions),

            (Stage::Planning { .. }, Planned(_)) if job.cancel_requested => {
                self.end(id, End::Cancelled, actions)
            }
            (Stage::Planning { announced }, Planned(plan)) => {
                let announced = std::mem::take(announced);
                self.planned(id, &plan, &announced, actions)
            }
            (Stage::Planning { .. }, UpToDate { source_version, replica_version }) => {
                job.planned = Some((source_version, Some(replica_version)));
                let end = End::Succeeded { source_version, replica_version, up_to_date: true };
                self.end(id, end, actions)
            }
            (Stage::Planning { .. }, PlanFailed(failure)) => self.fail(id, failure, actions),
            // The end of a plan that the job does not wait for: it has a later one.
            (
                Stage::Queued | Stage::Copying(_) | Stage::Publishing(_),
                Planned(_) | UpToDate { .. } | PlanFailed(_),
            ) => Ok(()),

            // While it is planned, too: the plan finds the commit of an earlier epoch in the log.
            (
                Stage::Planning { .. } | Stage::Publishing(_),
                PublishEnded(PublishOutcome::Published { version }),
            ) => self.published(id, version, actions),
            (Stage::Publishing(_), PublishEnded(PublishOutcome::Failed(failure))) => {
                self.fail(id, failure, actions)
            }
            (Stage::Publishing(_), PublishEnded(_)) if job.cancel_requested => {
                self.end(id, End::Cancelled, actions)
            }
            (Stage::Publishing(_), PublishEnded(PublishOutcome::Rebase)) => {
                self.rebase(id, actions)
            }
            (Stage::Publishing(_), PublishEnded(PublishOutcome::Missing(fingerprints))) => {
                self.copy_again(id, &fingerprints, actions)
            }
            // The end of a publication that the job does not wait for: it began anew since.
            (Stage::Queued | Stage::Planning { .. } | Stage::Copying(_), PublishEnded(_)) => Ok(()),
        }
    }

    /// Notes that the job is to be cancelled when its effect finds no commit in the log.
    fn cancel_unless_published(
        &mut self,
        id: JobId,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let job = self.job_mut(id)?;
        if !job.cancel_requested {
            job.cancel_requested = true;
            self.touched.insert(id);
            actions.push(Action::Record(Fact::CancelRequested { job: id }));
        }
        Ok(())
    }

    fn planned(
        &mut self,
        id: JobId,
        plan: &Plan,
        announced: &BTreeMap<TaskFingerprint, TaskLeases>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let (tasks, most) = (plan.tasks.len(), self.limits.tasks_max);
        if tasks > most {
            let message = format!(
                "the sync has {tasks} tasks and one sync may have {most}: \
                 sync a part of the table first (--where)"
            );
            return self.fail(id, Failure::new(Reason::Overloaded, message), actions);
        }
        let Some(tasks) = Tasks::new(plan, self.limits.heartbeat_interval * 2) else {
            let message = "the plan names one task twice, or a group of tasks in pieces";
            let failure = Failure::new(Reason::Internal, message);
            return self.fail(id, failure, actions);
        };
        let job = self.job_mut(id)?;
        job.planned = Some((plan.source_version, plan.replica_version));
        job.follows_newest = plan.source_is_newest;
        job.starved_since = None;
        job.stage = Stage::Copying(tasks);
        self.touched.insert(id);
        actions.push(Action::Record(Fact::Planned {
            job: id,
            digest: plan.digest,
            source_version: plan.source_version,
            replica_version: plan.replica_version,
        }));
        self.note_job(id);
        self.settle_known_tasks(id, announced)?;
        self.work_appeared = true;
        self.wake_at_tick();
        self.publish_if_done(id, actions)
    }

    /// Tells the tasks of a new plan what is known of them: that they are done, how often they
    /// failed, which worker still holds them.
    fn settle_known_tasks(
        &mut self,
        id: JobId,
        announced: &BTreeMap<TaskFingerprint, TaskLeases>,
    ) -> Result<(), Violation> {
        let job = self.job_mut(id)?;
        let Stage::Copying(tasks) = &mut job.stage else {
            return Err(Violation::wrong_state(id));
        };
        let (mut settled, mut unreported, mut was_denied) = (Vec::new(), Vec::new(), false);
        for (index, task) in tasks.iter_mut() {
            task.attempts = job.attempts.remove(&task.fingerprint).unwrap_or_default();
            task.attempts.newest = task.attempts.newest.max(task.attempts.failures);
            was_denied |= task.attempts.denial.is_some();
            if task.group.is_some() {
                // Those that do not go on may report all the same.
                let held = announced.get(&task.fingerprint);
                for lease in held.iter().flat_map(|held| held.iter()) {
                    task.attempts.lost(&lease);
                    let left = lease.bytes_left_of(task.bytes);
                    unreported.push((task.fingerprint, lease, left));
                }
                continue;
            }
            let shown = job.evidence.get(&task.fingerprint);
            if shown.is_some_and(|shown| task.is_shown_by(shown)) {
                settled.push((index, TaskState::Done));
            } else if let Some(leases) = announced.get(&task.fingerprint) {
                settled.push((index, TaskState::Leased(*leases)));
            }
        }
        settled.extend(known_states(tasks, &job.evidence, announced));
        tasks.was_denied = was_denied;
        for (fingerprint, lease, left) in unreported {
            job.unreported.lose(fingerprint, &lease, left);
        }
        for (index, state) in settled {
            self.set_task(id, index, state)?;
        }
        Ok(())
    }

    /// Publishes a job that is copied when every task is done.
    pub(super) fn publish_if_done(
        &mut self,
        id: JobId,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let job = self.job_mut(id)?;
        let tasks = job.copying_mut().ok_or(Violation::wrong_state(id))?;
        if tasks.all_done() {
            job.stage = Stage::Publishing(std::mem::take(tasks));
            job.publish_intended = true;
            self.touched.insert(id);
            self.note_job(id);
            actions.push(Action::Record(Fact::PublishIntended { job: id }));
            actions.push(Action::Publish { job: id });
        }
        Ok(())
    }

    fn published(
        &mut self,
        id: JobId,
        version: u64,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let planned = self.job_mut(id)?.planned;
        actions.push(Action::Record(Fact::Published { job: id, version }));
        let end = match planned {
            Some((source_version, _)) => {
                End::Succeeded { source_version, replica_version: version, up_to_date: false }
            }
            None => End::Failed(Failure::new(
                Reason::Internal,
                format!("version {version} was published before it was planned"),
            )),
        };
        self.end(id, end, actions)
    }

    /// Another sync won the version: the job is planned again on top of it.
    fn rebase(&mut self, id: JobId, actions: &mut Vec<Action>) -> Result<(), Violation> {
        if self.begin_round(id)? {
            return self.plan(id, actions);
        }
        let message = "other syncs of this target won again and again: try later";
        self.fail(id, Failure::new(Reason::TargetBusy, message), actions)
    }

    /// Counts that publishing sent the job back. False when that was once too often.
    fn begin_round(&mut self, id: JobId) -> Result<bool, Violation> {
        let most = self.limits.rebases_max;
        let job = self.job_mut(id)?;
        job.rounds += 1;
        // Nothing of the job is in the log: a cancel need not wait for the next publication.
        job.publish_intended = false;
        Ok(job.rounds <= most)
    }

    /// Objects are missing at the target: their tasks are copied again.
    fn copy_again(
        &mut self,
        id: JobId,
        fingerprints: &[TaskFingerprint],
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        if !self.begin_round(id)? {
            let message = "objects vanish from the target after they were copied: \
                           keep VACUUM and lifecycle rules away from it";
            return self.fail(id, Failure::new(Reason::StorageUnavailable, message), actions);
        }
        let job = self.job_mut(id)?;
        job.stage = Stage::Copying(job.take_tasks());
        self.touched.insert(id);
        self.note_job(id);
        for fingerprint in fingerprints {
            let job = self.job_mut(id)?;
            job.evidence.remove(fingerprint);
            let tasks = job.copying_mut().ok_or(Violation::wrong_state(id))?;
            let Some(index) = tasks.find(*fingerprint) else {
                // An object that no task of the newest plan copies: there is nothing to do again.
                continue;
            };
            let task = tasks.get_mut(index).ok_or(Violation::no_task(id))?;
            if task.group.is_some() {
                self.begin_group_again(id, index, actions)?;
                continue;
            }
            let attempts = &mut task.attempts;
            attempts.void_upto = attempts.newest;
            self.set_task(id, index, TaskState::Ready)?;
        }
        self.publish_if_done(id, actions)
    }

    pub(super) fn fail(
        &mut self,
        id: JobId,
        failure: Failure,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        self.end(id, End::Failed(failure), actions)
    }

    /// Ends a live job, frees what it holds, and starts the next one of its target.
    pub(super) fn end(
        &mut self,
        id: JobId,
        end: End,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let job = self.jobs.get_mut(&id).ok_or(Violation::no_job(id))?;
        if !job.is_live() {
            return Err(Violation::ended_twice(id));
        }
        job.lose_reports();
        let progress = Progress { bytes_moving: 0, workers: 0, ..job.progress() };
        if let Stage::Copying(tasks) = job.close(end.clone(), progress) {
            for (index, lease) in tasks.leases() {
                self.workers.let_go(lease.worker, (id, index));
            }
        }
        let target = job.target;
        self.note_job(id);
        actions.push(Action::Record(Fact::Ended { job: id, end, progress }));
        actions.push(Action::Changed { job: id });
        actions.push(Action::Ended { job: id });
        self.touched.remove(&id);
        self.leave_queue(target, id);
        self.keep_as_ended(id);
        self.start_first_of(target, actions)
    }

    pub(super) fn leave_queue(&mut self, target: TargetKey, id: JobId) {
        if let Some(queue) = self.targets.get_mut(&target) {
            queue.retain(|&queued| queued != id);
            if queue.is_empty() {
                self.targets.remove(&target);
            }
        }
    }

    pub(super) fn keep_as_ended(&mut self, id: JobId) {
        self.ended.push_back(id);
        while self.ended.len() > self.limits.jobs_ended_max {
            if let Some(oldest) = self.ended.pop_front() {
                self.jobs.remove(&oldest);
            }
        }
    }
}
