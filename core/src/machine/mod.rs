//! The life of a sync, as one deterministic machine.
//!
//! Events in, actions out: [`Machine::step`]. The three closed enums [`Event`], [`Action`] and
//! [`Fact`] are the vocabulary of the system. Time is an argument ([`Moment`]).

mod action;
mod event;
mod fact;
mod view;

pub use action::{Action, Grant};
pub use event::{Event, HeldTask, Plan, PlanTask, PublishOutcome, Route, TaskOutcome};
pub use fact::{End, Fact};
pub use view::{JobState, JobView, Progress, WorkerState, WorkerView};

use crate::ids::{Epoch, JobId, WorkerId};
use crate::limits::Limits;

/// Milliseconds on the driver's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// Every decision about jobs, tasks, leases and workers. The same events at the same moments
/// give the same actions.
#[derive(Clone, Debug)]
pub struct Machine {
    epoch: Epoch,
    limits: Limits,
}

impl Machine {
    /// A machine that knows of nothing, for the term `epoch`.
    #[must_use]
    pub fn new(epoch: Epoch, limits: Limits) -> Self {
        Self { epoch, limits }
    }

    /// The machine as the facts of earlier terms leave it, in the order in which they were
    /// recorded. Every live job is planned again.
    pub fn recover(
        epoch: Epoch,
        limits: Limits,
        now: Moment,
        facts: impl IntoIterator<Item = Fact>,
        actions: &mut Vec<Action>,
    ) -> Self {
        let _ = (now, facts.into_iter().count(), actions);
        Self::new(epoch, limits)
    }

    /// Applies one event and appends what is to be done.
    pub fn step(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        let _ = (now, event, actions, self.limits);
    }

    /// When to send [`Event::DeadlineReached`] at the latest; none: nothing is awaited.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        None
    }

    /// The term of this machine.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// A job: live, or ended not too long ago.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<JobView<'_>> {
        let _ = job;
        None
    }

    /// Every job that is known, by id.
    pub fn jobs(&self) -> impl Iterator<Item = JobView<'_>> {
        std::iter::empty()
    }

    /// A worker: live, or lost not too long ago.
    #[must_use]
    pub fn worker(&self, worker: WorkerId) -> Option<WorkerView<'_>> {
        let _ = worker;
        None
    }

    /// Every worker that is known, by id.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView<'_>> {
        std::iter::empty()
    }
}
