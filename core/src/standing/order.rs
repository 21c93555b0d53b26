//! What a replication wants, as the scheduler sees it: times and numbers, no table.

use std::time::Duration;

use crate::budget::MonthBudget;
use crate::calendar::schedule::Schedule;
use crate::calendar::windows::Windows;

/// What a replication wants. It comes from a declaration without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// It decides the delay of each slot, see [`Schedule::delay`].
    pub name: String,
    pub trigger: Trigger,
    pub windows: Windows,
    /// How long what is in flight may go on after the windows close.
    pub close_grace: Duration,
    pub on_missed: OnMissed,
    pub on_overlap: OnOverlap,
    pub on_resume: OnResume,
    /// Of the rounds that wait for their turn, one of the highest number is the next.
    pub priority: i32,
    /// Jobs of one round at once. Those that a budget holds are not counted.
    pub jobs_at_once: u32,
    /// A number for its two connections: rounds of one number share a limit.
    pub pair: u64,
    /// All those under which its jobs fall.
    pub budgets: Vec<MonthBudget>,
}

/// What makes a replication due.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    Schedule(Schedule),
    /// A commit of the source. The source is asked after `poll_min`, then ever later up to
    /// `poll_max` while nothing changes.
    OnCommit {
        poll_min: Duration,
        poll_max: Duration,
    },
}

/// What becomes of slots that were missed, because no coordinator ran or its machine slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissed {
    /// One round is for all of them.
    Once,
    /// The next slot is waited for.
    Skip,
}

/// What becomes of a slot that comes while a round is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOverlap {
    Skip,
    /// The newest such slot has its round as soon as this one ends.
    QueueOne,
}

/// What comes first after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnResume {
    NextSlot,
    /// A round, whether slots came meanwhile or not.
    AtOnce,
}

impl Order {
    /// How long after a slot its work starts.
    #[must_use]
    pub fn delay(&self) -> Duration {
        match &self.trigger {
            Trigger::Schedule(schedule) => schedule.delay(&self.name),
            Trigger::OnCommit { .. } => Duration::ZERO,
        }
    }
}
