//! The life of a sync, as one deterministic machine.
//!
//! Events in, actions out: [`Machine::step`]. The three closed enums [`Event`], [`Action`] and
//! [`Fact`] are the vocabulary of the system. Time is an argument ([`Moment`]).

mod action;
mod event;
mod fact;

pub use action::{Action, Grant};
pub use event::{Event, HeldTask, Plan, PlanTask, PublishOutcome, Route, TaskOutcome};
pub use fact::{End, Fact};

/// Milliseconds on the driver's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);
