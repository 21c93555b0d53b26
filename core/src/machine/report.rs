//! What workers report.
//!
//! Evidence counts whenever it comes, but only from a grant that this machine knows: the current
//! lease of the task, or one that ended without a word (see [`super::attempts`]). So no worker ends
//! a task that was given to another, or to nobody.
//!
//! Grants of earlier epochs are not facts, so this epoch knows them from their holders alone: what
//! a worker announces when it registers is taken as its grant, first come. An epoch to come, or a
//! grant that its reporter never announced, counts for nothing. A worker that lies in its
//! announcement gains no more than the holder of a real grant has: either could sign for bytes that
//! it did not write, and either receipt is compared with the plan.
//!
//! Failures count from the current holder only.

use super::attempts::Standing;
use super::job::{Job, State};
use super::tasks::{Lease, Task, TaskState};
use super::{Action, Fact, Machine, TaskOutcome, retry};
use crate::failure::Failure;
use crate::ids::{GrantKey, TaskIndex, WorkerId};
use crate::receipt::{Receipt, TaskFailure, TaskFailureKind};

/// An outcome is refused: its grant is unknown.
struct Refused;

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
                if self.outcome(worker, &key, outcome, actions).is_err() {
                    refused.push(key);
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
    ) -> Result<(), Refused> {
        if key.epoch > self.epoch {
            return Err(Refused);
        }
        let Some(job) = self.jobs.get_mut(&key.job) else { return Err(Refused) };
        match (&mut job.state, outcome) {
            (State::Planning { .. }, outcome) => {
                self.ended_before_the_plan(worker, key, outcome, actions)
            }
            (State::Copying(_), TaskOutcome::Done(receipt)) => {
                self.task_done(worker, key, receipt, actions)
            }
            (State::Copying(_), TaskOutcome::Failed(failure)) => {
                self.task_failed(worker, key, failure, actions)
            }
            // Nothing of it is awaited any more: a repeat, or a late one.
            (State::Queued | State::Publishing(_) | State::Ended { .. }, _) => Ok(()),
        }
    }

    /// A worker ended a task while the job is planned again: the plan will tell whether it is
    /// still wanted, and whether the evidence is whole.
    fn ended_before_the_plan(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        outcome: TaskOutcome,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let most = self.limits.tasks_max;
        let Some(job) = self.jobs.get_mut(&key.job) else { return Err(Refused) };
        let fingerprint = key.fingerprint;
        if job.evidence.contains_key(&fingerprint) {
            return Ok(());
        }
        let State::Planning { announced } = &mut job.state else { return Ok(()) };
        let attempts = job.attempts.get(&fingerprint);
        if attempts
            .is_some_and(|attempts| key.epoch == self.epoch && key.attempt.0 <= attempts.void_upto)
        {
            return Ok(());
        }
        let is_held = announced.get(&fingerprint).is_some_and(|lease| lease.is(worker, key));
        let standing =
            attempts.map_or(Standing::Unknown, |attempts| attempts.standing(worker, key));
        match (outcome, standing) {
            (_, Standing::Unknown) if !is_held => return Err(Refused),
            (_, Standing::Heard) if !is_held => {}
            (TaskOutcome::Done(receipt), _) if job.evidence.len() < most => {
                announced.remove(&fingerprint);
                job.accept(fingerprint, &receipt);
                self.touched.insert(key.job);
                let job = key.job;
                actions.push(Action::Record(Fact::TaskDone { job, fingerprint, receipt }));
            }
            (TaskOutcome::Done(_), _) => {}
            (TaskOutcome::Failed(failure), _) if is_held => {
                let attempts = job.attempts.entry(fingerprint).or_default();
                if let Some(lease) = announced.remove(&fingerprint) {
                    attempts.heard(&lease);
                }
                if let Some(suspect) = retry::suspect(failure.kind) {
                    let reason = failure.message.clone();
                    attempts.deny(worker, suspect, failure);
                    self.count_denial(worker, key.job, suspect, &reason);
                }
            }
            (TaskOutcome::Failed(_), _) => {}
        }
        Ok(())
    }

    fn task_done(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        receipt: Receipt,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let epoch = self.epoch;
        let (index, task) = self.reported_task(key)?;
        let void_upto = task.attempts.void_upto;
        let stale = void_upto > 0 && (key.epoch < epoch || key.attempt.0 <= void_upto);
        if task.state == TaskState::Done || stale {
            return Ok(());
        }
        let current = current(task, worker, key);
        match task.attempts.standing(worker, key) {
            Standing::Unknown if current.is_none() => return Err(Refused),
            Standing::Heard if current.is_none() => return Ok(()),
            Standing::Unknown | Standing::Heard | Standing::Lost => {}
        }
        let (objects, bytes) = (task.objects as usize, task.bytes);
        let seen =
            receipt.objects.iter().fold(0_u64, |sum, object| sum.saturating_add(object.size));
        if receipt.objects.len() != objects || seen < bytes {
            let message = format!(
                "the receipt shows {} objects and {seen} bytes of a task of {objects} and {bytes}",
                receipt.objects.len(),
            );
            let failure = TaskFailure { index: None, kind: TaskFailureKind::Corrupt, message };
            return self.task_failed(worker, key, failure, actions);
        }
        let denied_by = task.attempts.denied_by.clone();
        let (id, fingerprint) = (key.job, key.fingerprint);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.accept(fingerprint, &receipt);
            job.spent.workers.insert(worker);
        }
        actions.push(Action::Record(Fact::TaskDone { job: id, fingerprint, receipt }));
        self.set_task(id, index, TaskState::Done);
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.tasks_done += 1;
            worker.bytes_done = worker.bytes_done.saturating_add(bytes);
        }
        self.reached(worker, id, &denied_by);
        self.publish_if_done(id, actions);
        Ok(())
    }

    fn reported_task(&self, key: &GrantKey) -> Result<(TaskIndex, &Task), Refused> {
        let tasks = self.jobs.get(&key.job).and_then(Job::copying).ok_or(Refused)?;
        let index = tasks.find(key.fingerprint).ok_or(Refused)?;
        Ok((index, tasks.get(index).ok_or(Refused)?))
    }

    fn task_failed(
        &mut self,
        worker: WorkerId,
        key: &GrantKey,
        failure: TaskFailure,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let id = key.job;
        let (index, task) = self.reported_task(key)?;
        let Some(lease) = current(task, worker, key) else {
            let known = task.state == TaskState::Done
                || task.attempts.standing(worker, key) != Standing::Unknown;
            return if known { Ok(()) } else { Err(Refused) };
        };
        if let Some(known) = self.workers.get_mut(&worker) {
            known.last_error = Some(failure.message.clone());
        }
        let Some(task) = self
            .jobs
            .get_mut(&id)
            .and_then(Job::copying_mut)
            .and_then(|tasks| tasks.get_mut(index))
        else {
            return Err(Refused);
        };
        task.attempts.failures += 1;
        task.attempts.heard(&lease);
        if let Some(suspect) = retry::suspect(failure.kind) {
            self.denied(worker, (id, index), suspect, failure, actions);
            return Ok(());
        }
        let last = task.attempts.failures >= self.limits.task_attempts_max;
        if last || !retry::heals(failure.kind) {
            let reason = retry::reason(failure.kind);
            self.fail(id, Failure::new(reason, failure.message), actions);
            return Ok(());
        }
        self.back_off(worker, key, index);
        let (fingerprint, kind) = (key.fingerprint, failure.kind);
        actions.push(Action::Record(Fact::TaskFailed { job: id, fingerprint, kind }));
        Ok(())
    }

    fn back_off(&mut self, worker: WorkerId, key: &GrantKey, index: TaskIndex) {
        let Some(job) = self.jobs.get_mut(&key.job) else { return };
        let Some(task) = job.copying_mut().and_then(|tasks| tasks.get_mut(index)) else { return };
        let pause = retry::backoff(&self.limits, key.fingerprint, task.attempts.failures);
        let until = self.now.after(pause);
        // Another worker is preferred for two heartbeats more: time to ask for tasks.
        task.attempts.avoid = Some((worker, until.after(self.limits.heartbeat_interval * 2)));
        self.set_task(key.job, index, TaskState::Backoff(until));
    }
}

/// The task's lease, when it is this grant.
fn current(task: &Task, worker: WorkerId, key: &GrantKey) -> Option<Lease> {
    match task.state {
        TaskState::Leased(lease) if lease.is(worker, key) => Some(lease),
        TaskState::Leased(_) | TaskState::Ready | TaskState::Backoff(_) | TaskState::Done => None,
    }
}
