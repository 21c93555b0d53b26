//! A message → an event for the machine, and what to answer once the turn is durable.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{ConnectionKey, Epoch, GrantKey, JobId, WorkerId};
use deepclone_core::machine::{
    Event, Moment, PublishOutcome, SetAside, TaskOutcome, WorkerState, WorkerView,
};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{TaskFailure, TaskFailureKind};
use deepclone_core::task::Grant;
use deepclone_proto::convert::WireError;
use tokio::sync::watch;

use super::Driver;
use super::book::JobSnapshot;
use super::message::{
    Aside, JobsPage, JobsQuery, Message, Registration, Reply, Submission, TasksWanted,
    WorkerSnapshot,
};
use super::recall::Recall;
use crate::effects::plan::PlanOutcome;
use crate::effects::wall_clock_ms;
use crate::state::{PlanNote, encode_spec};

/// What to answer once the turn is durable.
pub(super) enum Answer {
    Job(JobId, Reply<Arc<JobSnapshot>>),
    Jobs(JobsQuery, Reply<JobsPage>),
    /// The database is asked.
    Recall(JobId, Recall),
    Watch(JobId, Reply<watch::Receiver<Arc<JobSnapshot>>>),
    Workers(Reply<Vec<WorkerSnapshot>>),
    Worker(WorkerId, Reply<WorkerSnapshot>),
    Registered(WorkerId, Reply<Epoch>),
    Done(Reply<()>),
}

impl Driver {
    /// Returns the events of a message: none when the machine need not hear of it, several when it
    /// answers more than one request.
    pub(super) fn take(
        &mut self,
        message: Message,
        now: Moment,
        answers: &mut Vec<Answer>,
    ) -> Vec<Event> {
        let event = match message {
            Message::Submit(submission, reply) => {
                let job = submission.job;
                if submission.is_named && !self.knows(job) {
                    answers.push(Answer::Recall(job, Recall::Submit(submission, reply)));
                    None
                } else {
                    answers.push(Answer::Job(job, reply));
                    Some(submitted(*submission))
                }
            }
            Message::Cancel(job, reply) => {
                answers.push(self.show(job, reply));
                Some(Event::CancelRequested { job })
            }
            Message::Job(job, reply) => {
                answers.push(self.show(job, reply));
                None
            }
            Message::Jobs(query, reply) => {
                answers.push(Answer::Jobs(query, reply));
                None
            }
            Message::Watch(job, reply) => {
                answers.push(match self.knows(job) {
                    true => Answer::Watch(job, reply),
                    false => Answer::Recall(job, Recall::Watch(reply)),
                });
                None
            }
            Message::Recalled(job, found) => return self.recalled(job, found, answers),
            Message::Workers(reply) => {
                answers.push(Answer::Workers(reply));
                None
            }
            Message::Drain(worker, reply) => {
                answers.push(Answer::Worker(worker, reply));
                Some(Event::DrainRequested { worker })
            }
            Message::Register(registration, reply) => {
                answers.push(Answer::Registered(registration.worker, reply));
                Some(self.registered(registration))
            }
            Message::Acquire(wanted, reply) => self.acquire(wanted, reply, now),
            Message::Report(worker, outcomes, reply) => {
                self.reports.entry(worker).or_default().push_back(reply);
                let outcomes =
                    outcomes.into_iter().map(|outcome| self.checked(worker, outcome)).collect();
                Some(Event::Reported { worker, outcomes })
            }
            Message::Heartbeat(worker, held, reply) => {
                self.beats.entry(worker).or_default().push(reply);
                Some(Event::Heartbeat { worker, held })
            }
            Message::Leave(worker, returned, reply) => {
                answers.push(Answer::Done(reply));
                Some(Event::WorkerLeft { worker, returned })
            }
            Message::PlanEnded(job, outcome) => Some(self.plan_ended(job, outcome)),
            Message::PublishEnded(job, outcome) => {
                let outcome = outcome.unwrap_or_else(PublishOutcome::Failed);
                Some(Event::PublishEnded { job, outcome })
            }
        };
        event.into_iter().collect()
    }

    fn knows(&self, job: JobId) -> bool {
        self.machine.job_state(job).is_some()
    }

    fn show(&self, job: JobId, reply: Reply<Arc<JobSnapshot>>) -> Answer {
        if self.knows(job) {
            Answer::Job(job, reply)
        } else {
            Answer::Recall(job, Recall::Show(reply))
        }
    }

    fn registered(&mut self, registration: Registration) -> Event {
        let Registration { worker, card, readable, writable, held } = registration;
        self.cards.insert(worker, card);
        Event::WorkerRegistered { worker, readable, writable, held }
    }

    /// `None` when the request was answered at once.
    fn acquire(
        &mut self,
        wanted: TasksWanted,
        reply: Reply<Vec<Grant>>,
        now: Moment,
    ) -> Option<Event> {
        let TasksWanted { worker, capacity, wait } = wanted;
        let is_known =
            self.machine.worker(worker).is_some_and(|view| view.state != WorkerState::Lost);
        if !is_known {
            let _gone = reply.send(Err(unknown_worker(worker)));
            return None;
        }
        if let Some(older) = self.waiting.insert(worker, reply) {
            // The newer request replaces it.
            let _gone = older.send(Ok(Vec::new()));
        }
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let deadline = Moment(now.0.saturating_add(wait_ms));
        Some(Event::TasksWanted { worker, capacity, deadline })
    }

    /// A receipt that cannot be the task's is a failed try, not evidence.
    fn checked(
        &self,
        worker: WorkerId,
        (task, mut outcome): (GrantKey, TaskOutcome),
    ) -> (GrantKey, TaskOutcome) {
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

    fn plan_ended(&mut self, job: JobId, outcome: Result<PlanOutcome, Failure>) -> Event {
        self.planning.remove(&job);
        let is_live = self.machine.job(job).is_some_and(|view| !view.state.is_final());
        match outcome {
            Err(failure) => Event::PlanFailed { job, failure },
            Ok(PlanOutcome::UpToDate { source_version, replica_version, note }) => {
                self.keep_note(job, is_live, note);
                Event::UpToDate { job, source_version, replica_version }
            }
            Ok(PlanOutcome::Published { version, note }) => {
                self.keep_note(job, is_live, note);
                Event::PublishEnded { job, outcome: PublishOutcome::Published { version } }
            }
            Ok(PlanOutcome::Ready { plan, tasks, note }) => {
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
                let refusal = || self.refusals.get(&job).cloned();
                let missing = || refusal().unwrap_or_else(|| unknown_job(job));
                reply.send(found.ok_or_else(missing)).is_err()
            }
            Answer::Jobs(query, reply) => {
                let page = self.book.page(&self.machine, &query);
                reply.send(page.ok_or_else(old_page_token)).is_err()
            }
            Answer::Recall(job, recall) => return self.recall(job, recall),
            Answer::Watch(job, reply) => {
                let found = self.book.watch(&self.machine, job);
                let found = found.and_then(|found| found.ok_or_else(|| unknown_job(job)));
                reply.send(found).is_err()
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
        let card = self.cards.get(&view.worker)?.clone();
        let (now, now_ms) = (self.now().0, wall_clock_ms());
        let aside = |(key, aside): (&ConnectionKey, &SetAside)| Aside {
            connection: card.names.get(key).cloned().unwrap_or_default(),
            reason: aside.reason.clone(),
            until_ms: now_ms.saturating_add_unsigned(aside.until.0.saturating_sub(now)),
        };
        Some(WorkerSnapshot {
            worker: view.worker,
            state: view.state,
            last_seen_ms: now_ms.saturating_sub_unsigned(now.saturating_sub(view.last_seen.0)),
            set_aside: view.set_aside.iter().map(aside).collect(),
            card,
        })
    }
}

/// The event of a submission.
pub(super) fn submitted(submission: Submission) -> Event {
    let Submission { job, is_named: _, target, route, job_spec } = submission;
    Event::Submitted { job, target, route, spec: encode_spec(&job_spec) }
}

/// The page's job was dropped from the list since.
fn old_page_token() -> Failure {
    WireError::invalid("page_token", "it is too old: list again").into()
}

pub(super) fn unknown_job(job: JobId) -> Failure {
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
