//! Actions, once their facts are durable → spawned effects and answers to workers.

use std::sync::Arc;

use deepclone_core::ids::{GrantKey, JobId, TaskIndex, WorkerId};
use deepclone_core::machine::{Action, GrantedTask, Violation};
use deepclone_core::task::Grant;

use super::Driver;
use super::message::{Beat, Message};
use super::take::unknown_worker;
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
            Action::Grant { worker, tasks } => self.grant(worker, &tasks),
            Action::Beat { worker, abandon, drain, known } => {
                let beat = Beat { abandon, drain };
                for reply in self.beats.remove(&worker).unwrap_or_default() {
                    let answer = if known { Ok(beat.clone()) } else { Err(unknown_worker(worker)) };
                    let _gone = reply.send(answer);
                }
            }
            Action::Publish { job } => self.spawn_publish(job),
            Action::Changed { job } => self.book.changed(&self.machine, job),
            Action::Violated(Violation { job, what }) => {
                tracing::error!(%job, rule = what, "the coordinator is inconsistent");
            }
            Action::Ended { job } => {
                self.plans.remove(&job);
                self.notes.remove(&job);
                self.vanished.remove(&job);
                // A plan that nobody waits for gives its place to the next one.
                if let Some(plan) = self.planning.remove(&job) {
                    plan.abort();
                }
                self.book.prune(&self.machine);
            }
        }
    }

    fn heard(&mut self, worker: WorkerId, refused: Vec<GrantKey>, known: bool) {
        for task in &refused {
            tracing::warn!(%worker, ?task, "a report is refused: this worker has no such grant");
        }
        let Some(replies) = self.reports.get_mut(&worker) else { return };
        let reply = replies.pop_front();
        if replies.is_empty() {
            self.reports.remove(&worker);
        }
        let answer = if known { Ok(refused) } else { Err(unknown_worker(worker)) };
        if let Some(reply) = reply {
            let _gone = reply.send(answer);
        }
    }

    /// Keeps the keys that a worker did not find: the next plan may not need them again.
    fn note_vanished(&mut self, job: JobId, task: TaskIndex, object: Option<u32>) {
        let Some(plan) = self.plans.get(&job) else { return };
        let keys = plan.source_keys(task, object);
        self.vanished.entry(job).or_default().extend(keys);
    }

    fn spawn_plan(&mut self, job: JobId) {
        let Some(job_spec) = self.book.job_spec(job) else { return };
        let (context, sender) = (self.context.clone(), self.sender.clone());
        let vanished = self.vanished.get(&job).cloned().unwrap_or_default();
        let plan = self.reading.spawn(async move {
            let outcome = guarded(plan_for_job(&context, job, &job_spec, &vanished)).await;
            let _gone = sender.send(Message::PlanEnded(job, outcome)).await;
        });
        self.planning.insert(job, plan);
    }

    fn spawn_publish(&self, job: JobId) {
        let Some(plan) = self.plans.get(&job).map(Arc::clone) else { return };
        let (context, sender) = (self.context.clone(), self.sender.clone());
        tokio::spawn(async move {
            let outcome = guarded(publish::publish(&context, job, &plan)).await;
            let _gone = sender.send(Message::PublishEnded(job, outcome)).await;
        });
    }

    fn grant(&mut self, worker: WorkerId, tasks: &[GrantedTask]) {
        let grants = tasks
            .iter()
            .filter_map(|&GrantedTask { key, index, ttl }| {
                let spec = self.plans.get(&key.job)?.task_spec(index)?;
                Some(Grant { key, ttl, spec })
            })
            .collect();
        if let Some(reply) = self.waiting.remove(&worker) {
            let _gone = reply.send(Ok(grants));
        }
    }
}
