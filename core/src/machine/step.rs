//! One event is applied.

use super::action::Action;
use super::event::Event;
use super::life::JobEvent;
use super::moment::Moment;
use super::state::Machine;
use super::violation::Violation;
use super::worker::OpenRequest;

impl Machine {
    /// Applies one event and appends what is to be done.
    pub fn step(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        self.advance(now);
        let applied = self.apply(event, actions);
        self.record(applied);
        if self.work_appeared {
            self.serve_waiting(actions);
            self.work_appeared = false;
        }
        self.uphold_invariants(actions);
        let touched = std::mem::take(&mut self.touched);
        actions.extend(touched.into_iter().map(|job| Action::Changed { job }));
    }

    /// Moves the clock. While a tick is awaited there is a step at least every half heartbeat; when
    /// there was none for longer than a whole one, the driver was stalled.
    fn advance(&mut self, now: Moment) {
        let gap_ms = now.0.saturating_sub(self.now.0);
        let heartbeat = self.limits.heartbeat_interval;
        if self.tick_at.is_some() && now > self.now.after(heartbeat) {
            self.forgive(gap_ms);
        }
        self.now = self.now.max(now);
    }

    fn apply(&mut self, event: Event, actions: &mut Vec<Action>) -> Result<(), Violation> {
        match event {
            Event::Submitted { job, target, route, spec, limits } => {
                self.submitted(job, target, route, spec, limits, actions)
            }
            Event::LimitsChanged { job, change } => {
                self.limits_changed(job, change, actions);
                Ok(())
            }
            Event::TasksRecalled { job } => self.recall_tasks(job),
            Event::CancelRequested { job } => {
                self.job_event(job, JobEvent::CancelRequested, actions)
            }
            Event::Planned { job, plan } => self.job_event(job, JobEvent::Planned(plan), actions),
            Event::UpToDate { job, source_version, replica_version } => {
                let event = JobEvent::UpToDate { source_version, replica_version };
                self.job_event(job, event, actions)
            }
            Event::PlanFailed { job, failure } => {
                self.job_event(job, JobEvent::PlanFailed(failure), actions)
            }
            Event::PublishEnded { job, outcome } => {
                self.job_event(job, JobEvent::PublishEnded(outcome), actions)
            }
            Event::WorkerRegistered { worker, readable, writable, held } => {
                self.worker_registered(worker, readable, writable, &held, actions);
                Ok(())
            }
            Event::TasksWanted { worker, capacity, deadline } => {
                self.tasks_wanted(worker, OpenRequest { capacity, deadline }, actions);
                Ok(())
            }
            Event::Heartbeat { worker, held } => {
                self.heartbeat(worker, &held, actions);
                Ok(())
            }
            Event::Reported { worker, outcomes } => {
                self.reported(worker, outcomes, actions);
                Ok(())
            }
            // What it returns is ready again, and so is what it did not name.
            Event::WorkerLeft { worker, returned: _ } => {
                self.worker_left(worker, actions);
                Ok(())
            }
            Event::DrainRequested { worker } => {
                self.drain_requested(worker, actions);
                Ok(())
            }
            Event::DeadlineReached => {
                self.deadline_reached(actions);
                Ok(())
            }
        }
    }
}
