//! One turn of the driver: waiting events in; facts, then actions, then the next wake-up out.
//!
//! The coordinator's loop and the simulation both drive the machine through [`take`] and
//! [`recover`], so that the order which is tested is the order which runs:
//!
//! 1. All events of the turn are stepped at one moment, in the order of their arrival.
//! 2. [`Event::DeadlineReached`] is stepped last, if [`Machine::next_deadline`] has come by then. A
//!    heartbeat that waits in the queue renews its lease before the lease can expire.
//! 3. The caller makes [`Decisions::facts`] durable in one transaction.
//! 4. [`Pending::durable`] hands out the actions. No other way leads to them (I4).
//! 5. The caller waits for events, but not beyond [`Decisions::wake_at`].
//!
//! ```
//! use deepclone_core::ids::{ConnectionKey, Epoch, JobId, TargetKey};
//! use deepclone_core::job_limits::JobLimits;
//! use deepclone_core::limits::Limits;
//! use deepclone_core::machine::{Action, Event, Fact, Moment, Route};
//! use deepclone_core::turn::{self, Decisions};
//!
//! let (mut machine, _turn) = turn::recover(Epoch(1), Limits::default(), Moment(0), []);
//! let job = JobId(uuid::Uuid::from_u128(1));
//! let connection = ConnectionKey([1; 32]);
//! let submitted = Event::Submitted {
//!     job,
//!     target: TargetKey([2; 32]),
//!     route: Route { source: connection, target: connection },
//!     spec: Vec::new(),
//!     limits: JobLimits::default(),
//! };
//! let Decisions { facts, pending, .. } = turn::take(&mut machine, Moment(1), [submitted]);
//! assert!(matches!(facts[..], [Fact::Created { .. }]));
//! // Here the facts are written to the database.
//! let actions = pending.durable();
//! assert_eq!(actions[0], Action::Plan { job });
//! ```

use crate::ids::Epoch;
use crate::limits::Limits;
use crate::machine::{Action, Event, Fact, Machine, Moment};

/// What a turn decided.
#[derive(Debug)]
#[must_use = "the machine has moved on: its facts must be made durable"]
pub struct Decisions {
    /// What must be durable first, in order.
    pub facts: Vec<Fact>,
    /// The actions, which wait for the facts.
    pub pending: Pending,
    /// When to take the next turn, even if no event comes. `None` if the machine awaits no moment.
    pub wake_at: Option<Moment>,
}

/// The actions of a turn whose facts are not durable yet.
#[derive(Debug)]
#[must_use = "the actions of a turn must be released once its facts are durable"]
pub struct Pending(Vec<Action>);

impl Pending {
    /// Returns the actions, in order; none is [`Action::Record`]. The caller vouches that the facts
    /// of the turn are durable.
    #[must_use]
    pub fn durable(self) -> Vec<Action> {
        self.0
    }
}

/// Takes one turn at `now`, with the events that wait.
pub fn take(
    machine: &mut Machine,
    now: Moment,
    events: impl IntoIterator<Item = Event>,
) -> Decisions {
    take_inspected(machine, now, events, |_| {})
}

/// Does the same as [`take`], and calls `inspect` after each step: for tests that check the machine
/// between the events of a turn.
pub fn take_inspected(
    machine: &mut Machine,
    now: Moment,
    events: impl IntoIterator<Item = Event>,
    mut inspect: impl FnMut(&Machine),
) -> Decisions {
    let mut actions = Vec::new();
    for event in events {
        machine.step(now, event, &mut actions);
        inspect(machine);
    }
    if machine.next_deadline().is_some_and(|deadline| deadline <= now) {
        machine.step(now, Event::DeadlineReached, &mut actions);
        inspect(machine);
    }
    end(machine, actions)
}

/// Takes the first turn of an epoch: the machine as the facts of earlier epochs leave it.
pub fn recover(
    epoch: Epoch,
    limits: Limits,
    now: Moment,
    facts: impl IntoIterator<Item = Fact>,
) -> (Machine, Decisions) {
    let mut actions = Vec::new();
    let machine = Machine::recover(epoch, limits, now, facts, &mut actions);
    let turn = end(&machine, actions);
    (machine, turn)
}

fn end(machine: &Machine, actions: Vec<Action>) -> Decisions {
    let mut facts = Vec::new();
    let mut pending = Vec::with_capacity(actions.len());
    for action in actions {
        match action {
            Action::Record(fact) => facts.push(fact),
            other => pending.push(other),
        }
    }
    Decisions { facts, pending: Pending(pending), wake_at: machine.next_deadline() }
}

#[cfg(test)]
mod tests;
