//! The life of a job: submitted, planned, copied, published, ended.

use std::collections::BTreeMap;

use super::job::{Job, State};
use super::tasks::{Lease, TaskState, Tasks};
use super::{Action, End, Fact, Machine, Plan, PublishOutcome, Route};
use crate::failure::Failure;
use crate::ids::{JobId, TargetKey, TaskFingerprint};
use crate::reason::Reason;

impl Machine {
    pub(super) fn submitted(
        &mut self,
        id: JobId,
        target: TargetKey,
        route: Route,
        spec: Vec<u8>,
        actions: &mut Vec<Action>,
    ) {
        if self.jobs.contains_key(&id) {
            return;
        }
        let live = self.jobs.len() - self.ended.len();
        if live >= self.limits.jobs_live_max {
            let message = format!("{live} syncs are queued or under way: submit it again later");
            let failure = Failure::new(Reason::Overloaded, message);
            actions.push(Action::Refused { job: id, failure });
            return;
        }
        self.jobs.insert(id, Job::new(target, route, spec.clone()));
        actions.push(Action::Record(Fact::Created { job: id, target, route, spec }));
        self.touched.insert(id);
        self.targets.entry(target).or_default().push_back(id);
        self.start_first_of(target, actions);
    }

    /// Starts the first job of a target when it is still queued.
    pub(super) fn start_first_of(&mut self, target: TargetKey, actions: &mut Vec<Action>) {
        let Some(&id) = self.targets.get(&target).and_then(|queue| queue.front()) else { return };
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if matches!(job.state, State::Queued) {
            self.plan(id, actions);
        }
    }

    fn plan(&mut self, id: JobId, actions: &mut Vec<Action>) {
        self.begin_planning(id);
        actions.push(Action::Plan { job: id });
    }

    pub(super) fn cancel_requested(&mut self, id: JobId, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match &job.state {
            // The commit may be in the log already: what comes back decides.
            State::Planning { .. } if job.publish_intended => {}
            State::Publishing(_) => {}
            State::Queued | State::Planning { .. } | State::Copying(_) => {
                self.end(id, End::Cancelled, actions);
                return;
            }
            State::Ended { .. } => return,
        }
        if !job.cancel_requested {
            job.cancel_requested = true;
            self.touched.insert(id);
            actions.push(Action::Record(Fact::CancelRequested { job: id }));
        }
    }

    pub(super) fn planned(&mut self, id: JobId, plan: &Plan, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let State::Planning { announced } = &mut job.state else { return };
        let announced = std::mem::take(announced);
        if job.cancel_requested {
            self.end(id, End::Cancelled, actions);
            return;
        }
        let (tasks, most) = (plan.tasks.len(), self.limits.tasks_max);
        if tasks > most {
            let message = format!(
                "the sync has {tasks} tasks and one sync may have {most}: \
                 sync a part of the table first (--where)"
            );
            self.fail(id, Failure::new(Reason::Overloaded, message), actions);
            return;
        }
        let Some(tasks) = Tasks::new(plan) else {
            let failure = Failure::new(Reason::Internal, "the plan names one task twice");
            self.fail(id, failure, actions);
            return;
        };
        job.planned = Some((plan.source_version, plan.replica_version));
        job.follows_newest = plan.source_is_newest;
        job.starved_since = None;
        job.state = State::Copying(tasks);
        self.touched.insert(id);
        actions.push(Action::Record(Fact::Planned {
            job: id,
            digest: plan.digest,
            source_version: plan.source_version,
            replica_version: plan.replica_version,
        }));
        self.settle_known_tasks(id, plan, &announced);
        self.work_appeared = true;
        self.wake_at_tick();
        self.publish_if_done(id, actions);
    }

    /// Tasks of a new plan that are done, that failed before, or that some worker still holds.
    fn settle_known_tasks(
        &mut self,
        id: JobId,
        plan: &Plan,
        announced: &BTreeMap<TaskFingerprint, Lease>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let mut settled = Vec::new();
        for planned in &plan.tasks {
            let evidence = job.evidence.get(&planned.fingerprint).copied();
            let mut attempts = job.attempts.remove(&planned.fingerprint).unwrap_or_default();
            attempts.newest = attempts.newest.max(attempts.failures);
            let Some(tasks) = job.copying_mut() else { return };
            let Some(index) = tasks.find(planned.fingerprint) else { continue };
            let Some(task) = tasks.get_mut(index) else { continue };
            task.attempts = attempts;
            if evidence == Some(planned.objects) {
                settled.push((index, TaskState::Done));
            } else if let Some(lease) = announced.get(&planned.fingerprint) {
                settled.push((index, TaskState::Leased(*lease)));
            }
        }
        for (index, state) in settled {
            self.set_task(id, index, state);
        }
    }

    pub(super) fn publish_if_done(&mut self, id: JobId, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match std::mem::replace(&mut job.state, State::Queued) {
            State::Copying(tasks) if tasks.all_done() => {
                job.state = State::Publishing(tasks);
                job.publish_intended = true;
                self.touched.insert(id);
                actions.push(Action::Record(Fact::PublishIntended { job: id }));
                actions.push(Action::Publish { job: id });
            }
            other => job.state = other,
        }
    }

    pub(super) fn up_to_date(
        &mut self,
        id: JobId,
        source_version: u64,
        replica_version: u64,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if matches!(job.state, State::Planning { .. }) {
            job.planned = Some((source_version, Some(replica_version)));
            let end = End::Succeeded { source_version, replica_version, up_to_date: true };
            self.end(id, end, actions);
        }
    }

    pub(super) fn plan_failed(&mut self, id: JobId, failure: Failure, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get(&id) else { return };
        if matches!(job.state, State::Planning { .. }) {
            self.fail(id, failure, actions);
        }
    }

    pub(super) fn publish_ended(
        &mut self,
        id: JobId,
        outcome: PublishOutcome,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match (&job.state, outcome) {
            (
                State::Planning { .. } | State::Publishing(_),
                PublishOutcome::Published { version },
            ) => self.published(id, version, actions),
            (State::Publishing(_), PublishOutcome::Failed(failure)) => {
                self.fail(id, failure, actions);
            }
            (State::Publishing(_), PublishOutcome::Rebase | PublishOutcome::Missing(_))
                if job.cancel_requested =>
            {
                self.end(id, End::Cancelled, actions);
            }
            (State::Publishing(_), PublishOutcome::Rebase) => {
                job.rounds += 1;
                if job.rounds > self.limits.rebases_max {
                    let message = "other syncs of this target won again and again: try later";
                    self.fail(id, Failure::new(Reason::TargetBusy, message), actions);
                } else {
                    // Nothing of this sync is in the log: a cancel need not wait for the plan.
                    job.publish_intended = false;
                    self.plan(id, actions);
                }
            }
            (State::Publishing(_), PublishOutcome::Missing(fingerprints)) => {
                job.rounds += 1;
                if job.rounds > self.limits.rebases_max {
                    let message = "objects vanish from the target after they were copied: \
                                   keep VACUUM and lifecycle rules away from it";
                    let failure = Failure::new(Reason::StorageUnavailable, message);
                    self.fail(id, failure, actions);
                } else {
                    self.copy_again(id, &fingerprints, actions);
                }
            }
            (State::Planning { .. }, _)
            | (State::Queued | State::Copying(_) | State::Ended { .. }, _) => {}
        }
    }

    fn copy_again(
        &mut self,
        id: JobId,
        fingerprints: &[TaskFingerprint],
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match std::mem::replace(&mut job.state, State::Queued) {
            State::Publishing(tasks) => job.state = State::Copying(tasks),
            other => job.state = other,
        }
        job.publish_intended = false;
        for fingerprint in fingerprints {
            let Some(job) = self.jobs.get_mut(&id) else { return };
            job.evidence.remove(fingerprint);
            let Some(tasks) = job.copying_mut() else { return };
            let Some(index) = tasks.find(*fingerprint) else { continue };
            let Some(task) = tasks.get_mut(index) else { continue };
            task.attempts.void_upto = task.attempts.newest;
            self.set_task(id, index, TaskState::Ready);
        }
        self.touched.insert(id);
        self.publish_if_done(id, actions);
    }

    fn published(&mut self, id: JobId, version: u64, actions: &mut Vec<Action>) {
        let planned = self.jobs.get(&id).and_then(|job| job.planned);
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
        self.end(id, end, actions);
    }

    pub(super) fn fail(&mut self, id: JobId, failure: Failure, actions: &mut Vec<Action>) {
        self.end(id, End::Failed(failure), actions);
    }

    /// Ends a live job, frees what it holds, and starts the next one of its target.
    pub(super) fn end(&mut self, id: JobId, end: End, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_live()) else { return };
        let progress = super::Progress { bytes_moving: 0, workers: 0, ..job.progress() };
        if let State::Copying(tasks) = job.close(end.clone(), progress) {
            for (index, lease) in tasks.leases() {
                if let Some(worker) = self.workers.get_mut(&lease.worker) {
                    worker.held.remove(&(id, index));
                }
            }
        }
        let target = job.target;
        actions.push(Action::Record(Fact::Ended { job: id, end, progress }));
        actions.push(Action::Changed { job: id });
        actions.push(Action::Ended { job: id });
        self.touched.remove(&id);
        self.leave_queue(target, id);
        self.keep_as_ended(id);
        self.start_first_of(target, actions);
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
