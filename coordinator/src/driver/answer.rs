//! The requests that are answered at the end of a turn, from the machine as the turn left it.

use std::sync::Arc;

use deepclone_core::ids::{ConnectionKey, Epoch, JobId, WorkerId};
use deepclone_core::job_limits::LimitsChange;
use deepclone_core::machine::{SetAside, WorkerView};
use tokio::sync::watch;

use super::job_query::JobsQuery;
use super::journal;
use super::message::Reply;
use super::owner::Driver;
use super::recall::Recall;
use super::refusal::{ended_job, too_many_workers, unknown_job, unknown_worker};
use super::snapshot::{ConnectionSetAside, JobSnapshot, WorkerSnapshot};

/// A request and the way to answer it.
pub(super) enum Answer {
    /// The job that a submission of this turn made, or found.
    Created(JobId, Reply<Arc<JobSnapshot>>),
    Job(JobId, Reply<Arc<JobSnapshot>>),
    /// A job after a change of its limits.
    Limited(JobId, LimitsChange, Reply<Arc<JobSnapshot>>),
    Jobs(JobsQuery, Reply<Vec<Arc<JobSnapshot>>>),
    Watch(JobId, Reply<watch::Receiver<Arc<JobSnapshot>>>),
    Workers(Reply<Vec<WorkerSnapshot>>),
    Worker(WorkerId, Reply<WorkerSnapshot>),
    /// A worker that came, holding so many grants.
    Registered(WorkerId, usize, Reply<Epoch>),
    Done(Reply<()>),
}

impl Driver {
    /// Answers a request; a job that the machine does not know is looked up first.
    pub(super) fn answer(&mut self, answer: Answer) {
        // The caller may have gone; then nobody reads the answer.
        let _gone = match answer {
            Answer::Created(job, reply) => {
                let found = self.jobs.snapshot(&self.machine, job);
                let refusal = || self.refusals.get(&job).cloned();
                reply
                    .send(found.ok_or_else(|| refusal().unwrap_or_else(|| unknown_job(job))))
                    .is_err()
            }
            Answer::Job(job, reply) => match self.jobs.snapshot(&self.machine, job) {
                Some(found) => reply.send(Ok(found)).is_err(),
                None => return self.recall(job, Recall::Show(reply)),
            },
            Answer::Limited(job, change, reply) => match self.jobs.snapshot(&self.machine, job) {
                Some(found) if found.state.is_final() => reply.send(Err(ended_job(job))).is_err(),
                Some(found) => reply.send(Ok(found)).is_err(),
                None => return self.recall(job, Recall::Limit(change, reply)),
            },
            Answer::Watch(job, reply) => match self.jobs.watch(&self.machine, job).transpose() {
                Some(watching) => reply.send(watching).is_err(),
                None => return self.recall(job, Recall::Watch(reply)),
            },
            Answer::Jobs(query, reply) => {
                reply.send(Ok(self.jobs.list(&self.machine, &query))).is_err()
            }
            Answer::Workers(reply) => {
                let workers = self.machine.workers().filter_map(|view| self.worker(&view));
                reply.send(Ok(workers.collect())).is_err()
            }
            Answer::Worker(worker, reply) => {
                let found = self.machine.worker(worker).and_then(|view| self.worker(&view));
                reply.send(found.ok_or_else(|| unknown_worker(worker))).is_err()
            }
            Answer::Registered(worker, held, reply) => {
                let found = self.machine.worker(worker).map(|_| self.epoch);
                if let Some(info) = self.workers.info(worker).filter(|_| found.is_some()) {
                    self.metrics.workers_registered.inc();
                    journal::registered(worker, info, held);
                }
                reply.send(found.ok_or_else(too_many_workers)).is_err()
            }
            Answer::Done(reply) => reply.send(Ok(())).is_err(),
        };
    }

    fn worker(&self, view: &WorkerView<'_>) -> Option<WorkerSnapshot> {
        let info = self.workers.info(view.worker)?.clone();
        let (moment, now_ms) = (self.now(), self.context.clock.now_ms());
        let now = moment.0;
        let set_aside = |(key, aside): (&ConnectionKey, &SetAside)| ConnectionSetAside {
            connection: info.names.get(key).cloned().unwrap_or_default(),
            reason: aside.reason.clone(),
            until_ms: now_ms.saturating_add_unsigned(aside.until.0.saturating_sub(now)),
        };
        Some(WorkerSnapshot {
            worker: view.worker,
            state: view.state,
            last_seen_ms: now_ms.saturating_sub_unsigned(now.saturating_sub(view.last_seen.0)),
            tasks_held: view.tasks_held,
            tasks_done: view.tasks_done,
            bytes_done: view.bytes_done,
            bytes_per_second: self.workers.bytes_per_second(view.worker, moment),
            last_error: view.last_error.map(ToOwned::to_owned),
            set_aside: view.set_aside.iter().map(set_aside).collect(),
            info,
        })
    }
}
