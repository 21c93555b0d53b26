//! Actions, once their facts are durable → spawned effects, and answers to workers.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{GrantKey, JobId, TaskFingerprint, TaskIndex, WorkerId};
use deepclone_core::machine::{Action, GrantedTask, Notice, TaskOutcome, Violation};
use deepclone_core::receipt::{AttemptCounts, SharedUpload, TaskFailure, TaskFailureKind};
use deepclone_core::task::Grant;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::journal;
use super::message::{Beat, Message, Report};
use super::owner::Driver;
use crate::effects::abort::abort;
use crate::effects::again::plan_for_job;
use crate::effects::{guarded, publish};

impl Driver {
    pub(super) fn release(&mut self, action: Action) {
        match action {
            // A turn keeps its facts apart.
            Action::Record(_) => {}
            Action::Plan { job } => self.spawn_plan(job),
            Action::PlanAgain { job, task, object } => {
                self.note_vanished(job, task, object);
                self.spawn_plan(job);
            }
            Action::Refused { job, failure } => {
                self.refusals.insert(job, failure);
            }
            Action::Heard { worker, refused, known } => self.heard(worker, refused, known),
            Action::Grant { worker, tasks } => {
                self.metrics.leases_granted.inc_by(tasks.len() as u64);
                self.grant(worker, &tasks);
            }
            Action::Beat { worker, abandon, shares, drain, known } => {
                self.workers.beat(worker, known.then_some(&Beat { abandon, shares, drain }));
            }
            Action::Publish { job } => self.spawn_publish(job),
            Action::Changed { job } => {
                self.trace_state(job);
                self.jobs.changed(&self.machine, job);
            }
            Action::Noticed(notice) => {
                self.metrics.noticed(&notice);
                let worker = match notice {
                    Notice::WorkerLost { worker, .. } | Notice::LeaseExpired { worker, .. } => {
                        worker
                    }
                };
                let name = self.workers.info(worker).map(|info| info.name.as_str());
                journal::noticed(&notice, name);
            }
            Action::Violated(Violation { job, what }) => {
                tracing::error!(%job, rule = what, "the coordinator is inconsistent");
            }
            Action::Ended { job } => {
                self.abort_uploads(job, None);
                if let Some(work) = self.jobs.work(job) {
                    std::mem::take(work).stop();
                }
            }
        }
    }

    fn heard(&mut self, worker: WorkerId, refused: Vec<GrantKey>, known: bool) {
        for key in &refused {
            let (job, task, attempt) = (key.job, key.fingerprint, key.attempt.0);
            tracing::warn!(%job, %worker, ?task, attempt, "a report is refused: no such grant");
        }
        self.workers.heard(worker, known.then_some(refused));
    }

    /// Keeps the keys that a worker did not find: the next plan may not need them again.
    fn note_vanished(&mut self, job: JobId, task: TaskIndex, object: Option<u32>) {
        let Some(work) = self.jobs.work(job) else { return };
        let keys = work.plan.as_ref().map(|plan| plan.source_keys(task, object));
        work.vanished.extend(keys.unwrap_or_default());
    }

    fn spawn_plan(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get(job) else { return };
        let is_first = entry.work.plan.is_none();
        let (job_spec, vanished) = (Arc::clone(&entry.job_spec), entry.work.vanished.clone());
        self.traces.planning(job, self.unix_now());
        if let Some(story) = self.jobs.story(job).filter(|_| is_first) {
            journal::started(job, story);
        }
        let ((context, reads), sender) = (self.context.counted(), self.sender.clone());
        let planning = self.reading.spawn(async move {
            let outcome = guarded(plan_for_job(&context, job, &job_spec, &vanished)).await;
            let _gone = sender.send(Message::PlanEnded(job, reads.traffic(), outcome)).await;
        });
        if let Some(work) = self.jobs.work(job) {
            work.planning = Some(planning);
        }
    }

    /// Throws away the uploads that are open of these tasks of a job, or of all.
    pub(super) fn abort_uploads(&mut self, job: JobId, tasks: Option<&[TaskFingerprint]>) {
        let uploads = self.jobs.get(job).map(|entry| entry.work.open_uploads(tasks));
        self.abort_these(job, uploads.unwrap_or_default());
    }

    /// Throws away uploads of a job, given with the keys of their objects.
    pub(super) fn abort_these(&mut self, job: JobId, uploads: Vec<(String, SharedUpload)>) {
        let Some(entry) = self.jobs.get(job).filter(|_| !uploads.is_empty()) else { return };
        let (context, job_spec) = (self.context.clone(), Arc::clone(&entry.job_spec));
        self.ending.spawn(async move { abort(&context, &job_spec.target, &uploads).await });
    }

    fn spawn_publish(&self, job: JobId) {
        let Some(plan) = self.jobs.plan(job).map(Arc::clone) else { return };
        let ((context, reads), sender) = (self.context.counted(), self.sender.clone());
        tokio::spawn(async move {
            let outcome = guarded(publish::publish(&context, job, &plan)).await;
            let _gone = sender.send(Message::PublishEnded(job, reads.traffic(), outcome)).await;
        });
    }

    fn grant(&mut self, worker: WorkerId, tasks: &[GrantedTask]) {
        let name = self.workers.info(worker).map_or_else(String::new, |info| info.name.clone());
        let (mut grants, mut unread) = (Vec::with_capacity(tasks.len()), Vec::new());
        for &GrantedTask { key, index, ttl, share } in tasks {
            let Some(entry) = self.jobs.get(key.job) else { continue };
            let Some(plan) = &entry.work.plan else { continue };
            let spec = match plan.task_spec(index, &entry.work.steps) {
                Ok(Some(spec)) => spec,
                Ok(None) => {
                    // Its lease expires, and it is granted again.
                    tracing::error!(?key, "a granted task lacks what it depends on: report this");
                    continue;
                }
                Err(failure) => {
                    unread.push((key, failure));
                    continue;
                }
            };
            let trace = self.trace_grant(&key, &name);
            grants.push(Grant { key, ttl, share, trace, spec });
        }
        self.workers.grant(worker, grants);
        if !unread.is_empty() {
            self.fail_unread(worker, unread);
        }
    }

    /// Lets the attempts at tasks fail whose objects cannot be read. The worker never hears of
    /// them.
    fn fail_unread(&self, worker: WorkerId, tasks: Vec<(GrantKey, Failure)>) {
        let failed = |(key, Failure { message, .. })| {
            let (kind, spent) = (TaskFailureKind::Transient, AttemptCounts::default());
            (key, TaskOutcome::Failed(TaskFailure { index: None, kind, message, spent }))
        };
        let outcomes = tasks.into_iter().map(failed).collect();
        let report = Report { worker, outcomes, received: Instant::now() };
        let (sender, (reply, _nobody)) = (self.sender.clone(), oneshot::channel());
        tokio::spawn(async move { sender.send(Message::Report(report, reply)).await });
    }
}
