//! Messages → the events of a turn, and the answers that wait for its end.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::limits::JOBS_LIVE_PER_PRINCIPAL_MAX;
use deepclone_core::machine::{Event, Moment, PublishOutcome, WorkerState};
use deepclone_core::reason::Reason;
use deepclone_core::task::Grant;

use super::answer::Answer;
use super::job_table::ended_snapshot;
use super::journal;
use super::message::{Message, Registration, Reply, Submission, TasksWanted};
use super::owner::Driver;
use super::recall::Recall;
use super::refusal::{unknown_job, unknown_worker};
use super::report::CheckedReport;
use super::snapshot::JobSnapshot;
use crate::effects::plan::PlanOutcome;
use crate::effects::publish::PublishEnd;
use crate::state::{Entry, StateError, encode_spec};

/// What a turn begins with.
#[derive(Default)]
pub(super) struct Intake {
    /// For the machine, in order.
    pub(super) events: Vec<Event>,
    /// Requests that are answered once the facts of the turn are durable.
    pub(super) answers: Vec<Answer>,
}

impl Driver {
    /// Takes a message in. Acquire, report and heartbeat requests wait in the table of workers, for
    /// actions of the machine answer them; the others wait in `intake.answers`.
    pub(super) fn take(&mut self, message: Message, now: Moment, intake: &mut Intake) {
        let Intake { events, answers } = intake;
        match message {
            Message::Submit(submission, reply) => {
                let job = submission.job;
                if submission.is_named && !self.knows(job) {
                    self.recall(job, Recall::Submit(submission, reply));
                } else {
                    self.submit(*submission, reply, intake);
                }
            }
            Message::Cancel(job, by, reply) => {
                self.jobs.cancelled_by(job, by);
                answers.push(Answer::Job(job, reply));
                events.push(Event::CancelRequested { job });
            }
            Message::Limit(job, change, reply) => {
                answers.push(Answer::Limited(job, change, reply));
                events.push(Event::LimitsChanged { job, change });
            }
            Message::Recall(job, reply) => {
                answers.push(Answer::Job(job, reply));
                events.push(Event::TasksRecalled { job });
            }
            Message::Job(job, reply) => answers.push(Answer::Job(job, reply)),
            Message::Jobs(query, reply) => answers.push(Answer::Jobs(query, reply)),
            Message::Watch(job, reply) => answers.push(Answer::Watch(job, reply)),
            Message::Recalled(job, found) => self.recalled(job, found, intake),
            Message::Ping(reply) => answers.push(Answer::Done(reply)),
            Message::Workers(reply) => answers.push(Answer::Workers(reply)),
            Message::Drain(worker, reply) => {
                answers.push(Answer::Worker(worker, reply));
                events.push(Event::DrainRequested { worker });
            }
            Message::Register(registration, reply) => {
                let Registration { worker, info, readable, writable, held } = registration;
                self.workers.register(worker, info);
                answers.push(Answer::Registered(worker, held.len(), reply));
                events.push(Event::WorkerRegistered { worker, readable, writable, held });
            }
            Message::Acquire(wanted, reply) => events.extend(self.acquire(wanted, reply, now)),
            Message::Report(report, reply) => {
                let worker = report.worker;
                self.trace_failures(&report);
                let name = self.workers.info(worker).map_or("", |info| &info.name);
                events.push(CheckedReport::check(report, name, &self.jobs).event());
                self.workers.report(worker, reply);
            }
            Message::Heartbeat(worker, held, reply) => {
                let done = self.machine.worker(worker).map_or(0, |view| view.bytes_done);
                let moving = held.iter().map(|task| task.bytes_done);
                self.workers.flowed(worker, moving.fold(done, u64::saturating_add), now);
                self.workers.heartbeat(worker, reply);
                events.push(Event::Heartbeat { worker, held });
            }
            Message::Leave(worker, returned, reply) => {
                self.tell_left(worker, returned.len());
                answers.push(Answer::Done(reply));
                events.push(Event::WorkerLeft { worker, returned });
            }
            Message::PlanEnded(job, reads, outcome) => {
                self.jobs.note_reads(job, reads);
                events.push(self.plan_ended(job, outcome));
            }
            Message::PublishEnded(job, reads, outcome) => {
                self.jobs.note_reads(job, reads);
                events.push(self.publish_ended(job, outcome));
            }
        }
    }

    /// Counts a worker that leaves, and writes its line of the log.
    fn tell_left(&self, worker: WorkerId, returned: usize) {
        if let Some(info) = self.workers.info(worker) {
            self.metrics.workers_left.inc();
            journal::left(worker, &info.name, returned);
        }
    }

    fn submit(
        &mut self,
        submission: Submission,
        reply: Reply<Arc<JobSnapshot>>,
        intake: &mut Intake,
    ) {
        let Submission { job, is_named: _, target, route, job_spec, request_id } = submission;
        if let Some(name) = &job_spec.submitter
            && self.jobs.live_of(name) >= JOBS_LIVE_PER_PRINCIPAL_MAX
        {
            let most = JOBS_LIVE_PER_PRINCIPAL_MAX;
            let message = format!("{most} jobs of {name} have not ended: wait for some of them");
            drop(reply.send(Err(Failure::new(Reason::Overloaded, message))));
            return;
        }
        let (spec, limits) = (encode_spec(&job_spec), job_spec.spec.limits);
        self.jobs.submit(job, job_spec);
        if let Some(story) = self.jobs.story(job) {
            story.request_id = story.request_id.take().or(request_id);
        }
        intake.answers.push(Answer::Created(job, reply));
        intake.events.push(Event::Submitted { job, target, route, spec, limits });
    }

    /// Takes the end of a look-up: the machine did not know the job when it began.
    fn recalled(
        &mut self,
        job: JobId,
        found: Result<Option<Vec<Entry>>, StateError>,
        intake: &mut Intake,
    ) {
        let found = found.and_then(|entries| entries.as_deref().map(ended_snapshot).transpose());
        let knows = self.knows(job);
        for recall in self.recalls.remove(job) {
            match (&found, recall) {
                (_, Recall::Show(reply) | Recall::Submit(_, reply)) if knows => {
                    intake.answers.push(Answer::Job(job, reply));
                }
                (_, Recall::Limit(change, reply)) if knows => {
                    intake.answers.push(Answer::Limited(job, change, reply));
                    intake.events.push(Event::LimitsChanged { job, change });
                }
                (_, Recall::Watch(reply)) if knows => {
                    intake.answers.push(Answer::Watch(job, reply));
                }
                (Err(error), recall) => recall.fail(error.failure()),
                (Ok(Some(ended)), recall) => recall.show(ended),
                (Ok(None), Recall::Submit(submission, reply)) => {
                    self.submit(*submission, reply, intake);
                }
                (Ok(None), recall) => recall.fail(unknown_job(job)),
            }
        }
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
        self.workers.acquire(worker, reply);
        Some(Event::TasksWanted { worker, capacity, deadline: now.after(wait) })
    }

    fn publish_ended(&mut self, job: JobId, ended: Result<PublishEnd, Failure>) -> Event {
        let outcome = match ended {
            Ok(PublishEnd { outcome, committed }) => {
                if let Some(at) = committed {
                    self.traces.committed(job, at);
                }
                outcome
            }
            Err(failure) => PublishOutcome::Failed(failure),
        };
        Event::PublishEnded { job, outcome }
    }

    fn plan_ended(&mut self, job: JobId, outcome: Result<PlanOutcome, Failure>) -> Event {
        let (event, note, plan) = match outcome {
            Err(failure) => (Event::PlanFailed { job, failure }, None, None),
            Ok(PlanOutcome::UpToDate { source_version, replica_version, note }) => {
                (Event::UpToDate { job, source_version, replica_version }, Some(note), None)
            }
            Ok(PlanOutcome::Published { source_version, version, note, .. }) => {
                let planned = self.machine.job(job).and_then(|view| view.source_version);
                let event = match planned {
                    Some(_) => {
                        let outcome = PublishOutcome::Published { version };
                        Event::PublishEnded { job, outcome }
                    }
                    // The database that knew of its plan was lost, and the client asked again.
                    None => Event::UpToDate { job, source_version, replica_version: version },
                };
                (event, Some(note), None)
            }
            Ok(PlanOutcome::Ready { plan, tasks, note }) => {
                (Event::Planned { job, plan: tasks }, Some(note), Some(plan))
            }
        };
        if let (Some(next), Some(work)) = (&plan, self.jobs.work(job)) {
            let orphans = work.orphans(next);
            self.abort_these(job, orphans);
        }
        let is_live = self.machine.job_state(job).is_some_and(|state| !state.is_final());
        if let Some(work) = self.jobs.work(job).filter(|_| is_live) {
            work.planning = None;
            work.note = note.or(work.note.take());
            work.plan = plan.map(Arc::from).or(work.plan.take());
        }
        event
    }
}
