//! What workers report: evidence counts whenever it comes, failures only from the current holder.

use super::job::{Job, State};
use super::tasks::TaskState;
use super::{Action, Fact, Machine, TaskOutcome, retry};
use crate::failure::Failure;
use crate::ids::{TaskIndex, TaskKey, WorkerId};
use crate::receipt::{Receipt, TaskFailure, TaskFailureKind};

impl Machine {
    pub(super) fn reported(
        &mut self,
        worker: WorkerId,
        outcomes: Vec<(TaskKey, TaskOutcome)>,
        actions: &mut Vec<Action>,
    ) {
        self.hear(worker);
        for (key, outcome) in outcomes {
            let Some(job) = self.jobs.get_mut(&key.job) else { continue };
            match (&mut job.state, outcome) {
                (State::Planning { .. }, TaskOutcome::Done(receipt)) => {
                    self.done_before_the_plan(&key, receipt, actions);
                }
                (State::Planning { announced }, TaskOutcome::Failed(_)) => {
                    let current = announced.get(&key.fingerprint);
                    if current.is_some_and(|lease| lease.is(worker, &key)) {
                        announced.remove(&key.fingerprint);
                    }
                }
                (State::Copying(_), TaskOutcome::Done(receipt)) => {
                    self.task_done(worker, &key, receipt, actions);
                }
                (State::Copying(_), TaskOutcome::Failed(failure)) => {
                    self.task_failed(worker, &key, &failure, actions);
                }
                (State::Queued | State::Publishing(_) | State::Ended { .. }, _) => {}
            }
        }
    }

    /// A worker ended a task of an earlier term while the job is planned again: the plan will
    /// tell whether it is still wanted, and whether the evidence is whole.
    fn done_before_the_plan(&mut self, key: &TaskKey, receipt: Receipt, actions: &mut Vec<Action>) {
        let most = self.limits.tasks_max;
        let Some(job) = self.jobs.get_mut(&key.job) else { return };
        let State::Planning { announced } = &mut job.state else { return };
        if key.epoch >= self.epoch || job.evidence.len() >= most {
            return;
        }
        announced.remove(&key.fingerprint);
        if job.accept(key.fingerprint, &receipt) {
            self.touched.insert(key.job);
            let (job, fingerprint) = (key.job, key.fingerprint);
            actions.push(Action::Record(Fact::TaskDone { job, fingerprint, receipt }));
        }
    }

    fn task_done(
        &mut self,
        worker: WorkerId,
        key: &TaskKey,
        receipt: Receipt,
        actions: &mut Vec<Action>,
    ) {
        let epoch = self.epoch;
        let Some(job) = self.jobs.get_mut(&key.job) else { return };
        let Some(tasks) = job.copying() else { return };
        let Some(index) = tasks.find(key.fingerprint) else { return };
        let Some(task) = tasks.get(index) else { return };
        let stale = task.void_upto > 0 && (key.epoch < epoch || key.attempt.0 <= task.void_upto);
        if task.state == TaskState::Done || stale {
            return;
        }
        let (objects, bytes) = (task.objects as usize, task.bytes);
        let seen: u64 = receipt.objects.iter().map(|object| object.size).sum();
        if receipt.objects.len() != objects || seen < bytes {
            let message = format!(
                "the receipt shows {} objects and {seen} bytes of a task of {objects} and {bytes}",
                receipt.objects.len(),
            );
            let failure = TaskFailure { index: None, kind: TaskFailureKind::Corrupt, message };
            self.task_failed(worker, key, &failure, actions);
            return;
        }
        job.accept(key.fingerprint, &receipt);
        job.spent.workers.insert(worker);
        let (id, fingerprint) = (key.job, key.fingerprint);
        actions.push(Action::Record(Fact::TaskDone { job: id, fingerprint, receipt }));
        self.set_task(id, index, TaskState::Done);
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.tasks_done += 1;
            worker.bytes_done = worker.bytes_done.saturating_add(bytes);
        }
        self.publish_if_done(id, actions);
    }

    fn task_failed(
        &mut self,
        worker: WorkerId,
        key: &TaskKey,
        failure: &TaskFailure,
        actions: &mut Vec<Action>,
    ) {
        let id = key.job;
        let Some(tasks) = self.jobs.get_mut(&id).and_then(Job::copying_mut) else { return };
        let Some(index) = tasks.find(key.fingerprint) else { return };
        if !tasks.lease(index).is_some_and(|lease| lease.is(worker, key)) {
            return;
        }
        if let Some(known) = self.workers.get_mut(&worker) {
            known.last_error = Some(failure.message.clone());
        }
        let Some(task) = tasks.get_mut(index) else { return };
        task.failures += 1;
        let last = task.failures >= self.limits.task_attempts_max;
        if last || !retry::heals(failure.kind) {
            let reason = retry::reason(failure.kind);
            self.fail(id, Failure::new(reason, failure.message.clone()), actions);
            return;
        }
        self.back_off(worker, key, index);
        let (fingerprint, kind) = (key.fingerprint, failure.kind);
        actions.push(Action::Record(Fact::TaskFailed { job: id, fingerprint, kind }));
    }

    fn back_off(&mut self, worker: WorkerId, key: &TaskKey, index: TaskIndex) {
        let Some(job) = self.jobs.get_mut(&key.job) else { return };
        *job.failures.entry(key.fingerprint).or_default() += 1;
        let Some(task) = job.copying_mut().and_then(|tasks| tasks.get_mut(index)) else { return };
        let pause = retry::backoff(&self.limits, key.fingerprint, task.failures);
        let until = self.now.after(pause);
        // Another worker is preferred for two heartbeats more: time to ask for tasks.
        task.avoid = Some((worker, until.after(self.limits.heartbeat_interval * 2)));
        self.set_task(key.job, index, TaskState::Backoff(until));
    }
}
