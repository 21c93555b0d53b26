//! A message → an event for the machine, and what to answer once the turn is durable.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{Epoch, JobId, TaskKey, WorkerId};
use deepclone_core::machine::{
    Action, Event, Moment, PublishOutcome, TaskOutcome, WorkerState, WorkerView,
};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{TaskFailure, TaskFailureKind};
use tokio::sync::watch;

use super::Driver;
use super::book::JobSnapshot;
use super::message::{Message, Registration, Reply, Room, Submission, WorkerSnapshot};
use crate::effects::plan::Outcome;
use crate::effects::wall_clock_ms;
use crate::state::{PlanNote, encode_spec};

/// What to answer once the turn is durable.
pub(super) enum Answer {
    Job(JobId, Reply<Arc<JobSnapshot>>),
    Jobs(Reply<Vec<Arc<JobSnapshot>>>),
    Watch(JobId, Reply<watch::Receiver<Arc<JobSnapshot>>>),
    Workers(Reply<Vec<WorkerSnapshot>>),
    Worker(WorkerId, Reply<WorkerSnapshot>),
    Registered(WorkerId, Reply<Epoch>),
    Done(Reply<()>),
}

impl Driver {
    pub(super) fn take(
        &mut self,
        message: Message,
        actions: &mut Vec<Action>,
        answers: &mut Vec<Answer>,
    ) {
        let now = self.now();
        let event = match message {
            Message::Submit(submission, reply) => {
                answers.push(Answer::Job(submission.job, reply));
                submitted(*submission)
            }
            Message::Cancel(job, reply) => {
                answers.push(Answer::Job(job, reply));
                Event::CancelRequested { job }
            }
            Message::Job(job, reply) => return answers.push(Answer::Job(job, reply)),
            Message::Jobs(reply) => return answers.push(Answer::Jobs(reply)),
            Message::Watch(job, reply) => return answers.push(Answer::Watch(job, reply)),
            Message::Workers(reply) => return answers.push(Answer::Workers(reply)),
            Message::Drain(worker, reply) => {
                answers.push(Answer::Worker(worker, reply));
                Event::DrainRequested { worker }
            }
            Message::Register(registration, reply) => {
                answers.push(Answer::Registered(registration.worker, reply));
                self.registered(registration)
            }
            Message::Acquire(room, reply) => match self.acquire(room, reply, now) {
                Some(event) => event,
                None => return,
            },
            Message::Report(worker, outcomes, reply) => {
                answers.push(Answer::Done(reply));
                let outcomes =
                    outcomes.into_iter().map(|outcome| self.checked(worker, outcome)).collect();
                Event::Reported { worker, outcomes }
            }
            Message::Heartbeat(worker, held, reply) => {
                self.beats.entry(worker).or_default().push(reply);
                Event::Heartbeat { worker, held }
            }
            Message::Leave(worker, returned, reply) => {
                answers.push(Answer::Done(reply));
                Event::WorkerLeft { worker, returned }
            }
            Message::PlanEnded(job, outcome) => self.plan_ended(job, outcome),
            Message::PublishEnded(job, outcome) => {
                let outcome = outcome.unwrap_or_else(PublishOutcome::Failed);
                Event::PublishEnded { job, outcome }
            }
        };
        self.machine.step(now, event, actions);
    }

    fn registered(&mut self, registration: Registration) -> Event {
        let Registration { worker, card, readable, writable, held } = registration;
        self.cards.insert(worker, card);
        Event::WorkerRegistered { worker, readable, writable, held }
    }

    /// None: the question was answered at once.
    fn acquire(
        &mut self,
        room: Room,
        reply: Reply<Vec<deepclone_core::task::Lease>>,
        now: Moment,
    ) -> Option<Event> {
        let worker = room.worker;
        let is_known =
            self.machine.worker(worker).is_some_and(|view| view.state != WorkerState::Lost);
        if !is_known {
            let _gone = reply.send(Err(unknown_worker(worker)));
            return None;
        }
        if let Some(older) = self.waiting.insert(worker, reply) {
            // The newer question replaces it.
            let _gone = older.send(Ok(Vec::new()));
        }
        let wait_ms = u64::try_from(room.wait.as_millis()).unwrap_or(u64::MAX);
        let deadline = Moment(now.0.saturating_add(wait_ms));
        let (bytes_free, objects_free) = (room.bytes_free, room.objects_free);
        Some(Event::TasksWanted { worker, bytes_free, objects_free, deadline })
    }

    /// A receipt that cannot be the task's is a failed try, not evidence.
    fn checked(
        &self,
        worker: WorkerId,
        (task, mut outcome): (TaskKey, TaskOutcome),
    ) -> (TaskKey, TaskOutcome) {
        if let TaskOutcome::Done(receipt) = &mut outcome {
            receipt.worker =
                self.cards.get(&worker).map(|card| card.name.clone()).unwrap_or_default();
        }
        if let TaskOutcome::Done(receipt) = &outcome
            && let Some(plan) = self.plans.get(&task.job)
            && plan.has(task.fingerprint)
            && plan.evidence(task.job, task.fingerprint, receipt, 0).is_none()
        {
            let message = "the receipt does not fit the task's objects".to_owned();
            let kind = TaskFailureKind::Corrupt;
            return (task, TaskOutcome::Failed(TaskFailure { index: None, kind, message }));
        }
        (task, outcome)
    }

    fn plan_ended(&mut self, job: JobId, outcome: Result<Outcome, Failure>) -> Event {
        let is_live = self.machine.job(job).is_some_and(|view| !view.state.is_final());
        match outcome {
            Err(failure) => Event::PlanFailed { job, failure },
            Ok(Outcome::UpToDate { source_version, replica_version, note }) => {
                self.keep_note(job, is_live, note);
                Event::UpToDate { job, source_version, replica_version }
            }
            Ok(Outcome::Published { version, note }) => {
                self.keep_note(job, is_live, note);
                Event::PublishEnded { job, outcome: PublishOutcome::Published { version } }
            }
            Ok(Outcome::Ready { plan, tasks, note }) => {
                self.keep_note(job, is_live, note);
                if is_live {
                    self.plans.insert(job, Arc::from(plan));
                }
                Event::Planned { job, plan: tasks }
            }
        }
    }

    fn keep_note(&mut self, job: JobId, is_live: bool, note: PlanNote) {
        if is_live {
            self.notes.insert(job, note);
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        // Who asked may have gone: then nobody misses the answer.
        let _gone = match answer {
            Answer::Job(job, reply) => {
                let found = self.book.snapshot(&self.machine, job);
                reply.send(found.ok_or_else(|| unknown_job(job))).is_err()
            }
            Answer::Jobs(reply) => reply.send(Ok(self.book.snapshots(&self.machine))).is_err(),
            Answer::Watch(job, reply) => {
                let found = self.book.watch(&self.machine, job);
                reply.send(found.ok_or_else(|| unknown_job(job))).is_err()
            }
            Answer::Workers(reply) => {
                let workers = self.machine.workers().filter_map(|view| self.worker(&view));
                reply.send(Ok(workers.collect())).is_err()
            }
            Answer::Worker(worker, reply) => {
                let found = self.machine.worker(worker).and_then(|view| self.worker(&view));
                reply.send(found.ok_or_else(|| unknown_worker(worker))).is_err()
            }
            Answer::Registered(worker, reply) => {
                let found = self.machine.worker(worker).map(|_| self.epoch);
                reply.send(found.ok_or_else(too_many_workers)).is_err()
            }
            Answer::Done(reply) => reply.send(Ok(())).is_err(),
        };
    }

    fn worker(&self, view: &WorkerView<'_>) -> Option<WorkerSnapshot> {
        let ago_ms = self.now().0.saturating_sub(view.last_seen.0);
        Some(WorkerSnapshot {
            worker: view.worker,
            card: self.cards.get(&view.worker)?.clone(),
            state: view.state,
            last_seen_ms: wall_clock_ms().saturating_sub_unsigned(ago_ms),
        })
    }
}

fn submitted(submission: Submission) -> Event {
    let Submission { job, target, route, order } = submission;
    Event::Submitted { job, target, route, spec: encode_spec(&order) }
}

fn unknown_job(job: JobId) -> Failure {
    Failure::new(Reason::JobNotFound, format!("there is no job jobs/{job}"))
        .with("name", format!("jobs/{job}"))
}

pub(crate) fn unknown_worker(worker: WorkerId) -> Failure {
    Failure::new(Reason::WorkerNotFound, format!("there is no worker workers/{worker}"))
        .with("name", format!("workers/{worker}"))
}

fn too_many_workers() -> Failure {
    Failure::new(Reason::CoordinatorUnavailable, "too many workers are registered already")
}
