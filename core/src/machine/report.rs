//! What workers report.
//!
//! Evidence counts whenever it comes, but only from a grant that this machine knows: the current
//! lease of the task, or one that ended without a report (see [`super::attempts`]). So no worker
//! ends a task that was granted to another, or to none.
//!
//! Grants of earlier epochs are not facts, so this epoch knows them from their holders alone: what
//! a worker announces when it registers is taken as its grant, first come. An epoch to come, or a
//! grant that its reporter never announced, counts for nothing. A worker that lies in its
//! announcement gains no more than the holder of a real grant has: either could report bytes that
//! it did not write, and either receipt is compared with the plan.
//!
//! Failures count from the current leases only, and each against the task's budget, whether or not
//! another lease of the task goes on.

use super::action::Action;
use super::attempts::GrantStanding;
use super::event::TaskOutcome;
use super::fact::Fact;
use super::job::Stage;
use super::lease::{Lease, TaskLeases};
use super::retry;
use super::shown::Shown;
use super::state::Machine;
use super::tasks::TaskState;
use super::violation::Violation;
use crate::failure::Failure;
use crate::group::GroupStep;
use crate::ids::{GrantKey, TaskIndex, WorkerId};
use crate::receipt::{AttemptCounts, Receipt, TaskFailure, TaskFailureKind};

/// What becomes of a reported outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// It counts, or it repeats or follows what counted: the worker may forget it.
    Heard,
    /// This machine gave no such grant to this worker.
    Refused,
}

impl Machine {
    pub(super) fn reported(
        &mut self,
        worker: WorkerId,
        outcomes: Vec<(GrantKey, TaskOutcome)>,
        actions: &mut Vec<Action>,
    ) {
        let mut refused = Vec::new();
        let known = self.hear(worker).is_some();
        if known {
            for (key, outcome) in outcomes {
                match self.outcome(worker, &key, outcome, actions) {
                    Ok(Hearing::Heard) => {}
                    Ok(Hearing::Refused) => refused.push(key),
                    Err(violation) => self.violated.push(violation),
                }
            }
        }
        actions.push(Action::Heard { worker, refused, known });
    }

    fn outcome(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        outcome: TaskOutcome,
        actions: &mut Vec<Action>,
    ) -> Result<Hearing, Violation> {
        let Some(job) = self.jobs.get(&key.job).filter(|_| key.epoch <= self.epoch) else {
            // An epoch to come, or a job that was never here or is forgotten.
            return Ok(Hearing::Refused);
        };
        match &job.stage {
            Stage::Planning { .. } => self.ended_before_the_plan(worker, key, outcome, actions),
            Stage::Copying(tasks) => match (tasks.find(key.fingerprint), outcome) {
                // A task that the newest plan does not have.
                (None, _) => Ok(Hearing::Refused),
                (Some(index), TaskOutcome::Done(receipt)) => {
                    self.task_done(worker, key, index, receipt, actions)
                }
                (Some(index), TaskOutcome::Failed(failure)) => {
                    self.task_failed(worker, key, index, failure, actions)
                }
            },
            // The job does not wait for it any more.
            Stage::Queued | Stage::Publishing(_) | Stage::Ended { .. } => Ok(Hearing::Heard),
        }
    }

    /// A worker ended a task while the job is planned again: the plan will tell whether the task
    /// is still wanted, and whether the evidence is whole.
    fn ended_before_the_plan(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        outcome: TaskOutcome,
        actions: &mut Vec<Action>,
    ) -> Result<Hearing, Violation> {
        let (epoch, most) = (self.epoch, self.limits.tasks_max);
        let (id, fingerprint) = (key.job, key.fingerprint);
        let job = self.job_mut(id)?;
        if job.evidence.contains_key(&fingerprint) || job.is_void(key, epoch) {
            return Ok(Hearing::Heard);
        }
        let standing = job.standing(worker, key);
        let Stage::Planning { announced } = &mut job.stage else {
            return Err(Violation::wrong_state(id));
        };
        let lease = announced.get(&fingerprint).and_then(|leases| leases.find(worker, key));
        let is_held = lease.is_some();
        match standing {
            GrantStanding::Unknown if !is_held => return Ok(Hearing::Refused),
            GrantStanding::Heard if !is_held => return Ok(Hearing::Heard),
            GrantStanding::Unknown | GrantStanding::Heard | GrantStanding::Lost => {}
        }
        match outcome {
            TaskOutcome::Done(receipt) if job.evidence.len() < most => {
                announced.remove(&fingerprint);
                job.unreported.hear(worker, key);
                job.accept(fingerprint, &receipt);
                self.touched.insert(id);
                actions.push(Action::Record(Fact::TaskDone { job: id, fingerprint, receipt }));
            }
            TaskOutcome::Failed(failure) if is_held => {
                job.spent.sums.count_attempt(&failure.spent);
                let attempts = job.attempts.entry(fingerprint).or_default();
                lease.iter().for_each(|lease| attempts.heard(lease));
                let is_over = |other: &Lease| other.worker == worker;
                let leases = announced.remove(&fingerprint);
                if let Some(left) = leases.and_then(|leases| leases.without(is_over)) {
                    announced.insert(fingerprint, left);
                }
                if let Some(suspect) = retry::suspect(failure.kind) {
                    let reason = failure.message.clone();
                    attempts.deny(worker, suspect, failure);
                    self.count_denial(worker, id, suspect, &reason)?;
                }
            }
            // More evidence than a plan may have tasks, or a failure after its lease was lost.
            TaskOutcome::Done(_) | TaskOutcome::Failed(_) => {}
        }
        Ok(Hearing::Heard)
    }

    fn task_done(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        index: TaskIndex,
        receipt: Receipt,
        actions: &mut Vec<Action>,
    ) -> Result<Hearing, Violation> {
        let (epoch, id, fingerprint) = (self.epoch, key.job, key.fingerprint);
        let task = self.task(id, index)?;
        let void_upto = task.attempts.void_upto;
        let is_void = void_upto > 0 && (key.epoch < epoch || key.attempt.0 <= void_upto);
        if task.state == TaskState::Done || is_void {
            self.copied_in_vain(worker, key, index, &receipt.spent())?;
            return Ok(Hearing::Heard);
        }
        let is_current = task.current(worker, key).is_some();
        match task.attempts.standing(worker, key) {
            GrantStanding::Unknown if !is_current => return Ok(Hearing::Refused),
            GrantStanding::Heard if !is_current => return Ok(Hearing::Heard),
            GrantStanding::Unknown | GrantStanding::Heard | GrantStanding::Lost => {}
        }
        let (shown, bytes) = (Shown::of(&receipt), task.bytes);
        if let Some(message) = shown.lacks(task.step(), task.objects, bytes) {
            let (kind, spent) = (TaskFailureKind::Corrupt, receipt.spent());
            let failure = TaskFailure { index: None, kind, message, spent };
            return self.task_failed(worker, key, index, failure, actions);
        }
        if self.is_of_lost_upload(id, index, &shown)? {
            return self.written_in_vain(worker, key, index, &receipt.spent());
        }
        let task = self.task(id, index)?;
        let (denied_by, leases) = (task.attempts.denied_by.clone(), task.leases());
        // Whoever copies it besides is told to abandon it, and may report it all the same.
        for other in leases.iter().flat_map(TaskLeases::iter) {
            if !other.is(worker, key) {
                self.lose_report(id, index, &other)?;
                self.task_mut(id, index)?.attempts.lost(&other);
            }
        }
        let job = self.job_mut(id)?;
        job.unreported.hear(worker, key);
        job.accept(fingerprint, &receipt);
        job.spent.workers.insert(worker);
        actions.push(Action::Record(Fact::TaskDone { job: id, fingerprint, receipt }));
        self.set_task(id, index, TaskState::Done)?;
        self.go_on_with_group(id, index, &shown)?;
        let now = self.now;
        if let Some(known) = self.workers.get_mut(worker) {
            known.moved_at = now;
            known.tasks_done += 1;
            known.bytes_done = known.bytes_done.saturating_add(bytes);
        }
        self.reached(worker, id, &denied_by)?;
        self.publish_if_done(id, actions)?;
        Ok(Hearing::Heard)
    }

    /// A copy came late: another one counts. What it took is counted once.
    fn copied_in_vain(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        index: TaskIndex,
        spent: &AttemptCounts,
    ) -> Result<(), Violation> {
        if self.task_mut(key.job, index)?.attempts.hear_late(worker, key) {
            let job = self.job_mut(key.job)?;
            job.unreported.hear(worker, key);
            job.spent.sums.count_attempt(spent);
            self.touched.insert(key.job);
        }
        Ok(())
    }

    /// Parts were written to an upload that is lost since: they are written again.
    fn written_in_vain(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        index: TaskIndex,
        spent: &AttemptCounts,
    ) -> Result<Hearing, Violation> {
        let task = self.task_mut(key.job, index)?;
        if let Some(lease) = task.current(worker, key) {
            task.attempts.heard(&lease);
            self.drop_lease(worker, (key.job, index), TaskState::Ready)?;
            self.job_mut(key.job)?.spent.sums.count_attempt(spent);
        }
        Ok(Hearing::Heard)
    }

    fn task_failed(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        index: TaskIndex,
        failure: TaskFailure,
        actions: &mut Vec<Action>,
    ) -> Result<Hearing, Violation> {
        let (id, fingerprint, kind) = (key.job, key.fingerprint, failure.kind);
        let task = self.task_mut(id, index)?;
        let Some(lease) = task.current(worker, key) else {
            let is_known = task.state == TaskState::Done
                || task.attempts.standing(worker, key) != GrantStanding::Unknown;
            self.copied_in_vain(worker, key, index, &failure.spent)?;
            return Ok(if is_known { Hearing::Heard } else { Hearing::Refused });
        };
        task.attempts.heard(&lease);
        let step = task.step();
        self.job_mut(id)?.spent.sums.count_attempt(&failure.spent);
        if kind == TaskFailureKind::UploadLost
            && matches!(step, Some(GroupStep::Parts | GroupStep::Finish))
        {
            self.upload_lost(id, index, failure, actions)?;
            return Ok(Hearing::Heard);
        }
        let attempts = &mut self.task_mut(id, index)?.attempts;
        attempts.failures += 1;
        let failures = attempts.failures;
        if let Some(known) = self.workers.get_mut(worker) {
            known.last_error = Some(failure.message.clone());
        }
        if let Some(suspect) = retry::suspect(kind) {
            self.denied(worker, (id, index), suspect, failure, actions)?;
        } else if failures >= self.limits.task_attempts_max || !retry::heals(kind) {
            self.fail(id, Failure::new(retry::reason(kind), failure.message), actions)?;
        } else {
            self.back_off(worker, (key, index))?;
            actions.push(Action::Record(Fact::TaskFailed { job: id, fingerprint, kind }));
        }
        Ok(Hearing::Heard)
    }

    fn back_off(
        &mut self,
        worker: WorkerId,
        (key, index): (&GrantKey, TaskIndex),
    ) -> Result<(), Violation> {
        let (now, limits) = (self.now, self.limits);
        let attempts = &mut self.task_mut(key.job, index)?.attempts;
        let until = now.after(retry::backoff(&limits, key.fingerprint, attempts.failures));
        // Another worker is preferred for two heartbeats more: time to ask for tasks.
        attempts.avoid = Some((worker, until.after(limits.heartbeat_interval * 2)));
        self.drop_lease(worker, (key.job, index), TaskState::Backoff(until))
    }
}
