//! Actions, once their facts are durable → spawned effects and answers to workers.

use std::sync::Arc;

use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::machine::{Action, Grant};
use deepclone_core::task::Lease;

use super::Driver;
use super::message::{Beat, Message};
use super::take::unknown_worker;
use crate::effects::{guarded, plan, publish, target_key};

impl Driver {
    pub(super) fn release(&mut self, action: Action) {
        match action {
            // Made durable before.
            Action::Record(_) => {}
            Action::Plan { job } => self.spawn_plan(job),
            Action::Grant { worker, leases } => self.grant(worker, &leases),
            Action::Beat { worker, abandon, drain, known } => {
                let beat = Beat { abandon, drain };
                for reply in self.beats.remove(&worker).unwrap_or_default() {
                    let answer = if known { Ok(beat.clone()) } else { Err(unknown_worker(worker)) };
                    let _gone = reply.send(answer);
                }
            }
            Action::Publish { job } => self.spawn_publish(job),
            Action::Changed { job } => self.book.changed(&self.machine, job),
            Action::Ended { job } => {
                self.plans.remove(&job);
                self.notes.remove(&job);
                self.book.prune(&self.machine);
                self.cards.retain(|worker, _| self.machine.worker(*worker).is_some());
            }
        }
    }

    fn spawn_plan(&self, job: JobId) {
        let Some(order) = self.book.order(job) else { return };
        let (context, sender) = (self.context.clone(), self.sender.clone());
        tokio::spawn(async move {
            let target = target_key(&order.target);
            let outcome = guarded(plan::plan_job(&context, job, order, target)).await;
            let _gone = sender.send(Message::PlanEnded(job, outcome)).await;
        });
    }

    fn spawn_publish(&self, job: JobId) {
        let Some(plan) = self.plans.get(&job).map(Arc::clone) else { return };
        let (context, sender) = (self.context.clone(), self.sender.clone());
        tokio::spawn(async move {
            let outcome = guarded(publish::publish(&context, job, &plan)).await;
            let _gone = sender.send(Message::PublishEnded(job, outcome)).await;
        });
    }

    fn grant(&mut self, worker: WorkerId, grants: &[Grant]) {
        let leases = grants
            .iter()
            .filter_map(|grant| {
                let plan = self.plans.get(&grant.task.job)?;
                let spec = plan.task_spec(grant.index)?;
                Some(Lease { task: grant.task, ttl: grant.ttl, spec })
            })
            .collect();
        if let Some(reply) = self.waiting.remove(&worker) {
            let _gone = reply.send(Ok(leases));
        }
    }
}
