//! Standing replications: when each begins a round, and what a round does.
//!
//! # Words
//!
//! * An *order* is what a replication wants: a schedule or the source's commits, windows, budgets.
//! * A *slot* is a time of its schedule. That time is its name, before and after a restart.
//! * A *round* is what is done for a slot, or because somebody asks: the source is *probed*, and
//!   there is a *job* for each table that is behind. Rounds of a replication are numbered from 1,
//!   and one is under way at a time.
//! * A table is a number here, and the id of its job is derived from that number, the round and how
//!   often it was tried: a round that goes on after a restart asks for the same jobs.
//!
//! # Flow
//!
//! ```text
//! slot, request, commit → wanted → (window open, not paused, its turn) → probing → copying → ended
//! ```
//!
//! Events in, actions out: [`Standing::step`]. Time is wall-clock time and an argument. The driver
//! must keep these rules:
//!
//! * It sends [`StandingEvent::Woken`] at [`Standing::next_deadline`] at the latest, and once a
//!   minute, so that a clock that is set or a machine that slept is noticed.
//! * The facts of a step are durable before its other actions leave. All of them are absolute, so
//!   that only the newest of each key is to be kept.
//! * Every probe and every poll ends in one event, in bounded time. After a restart it does those
//!   that [`Standing::recover`] asks for, and no older ones.
//! * A job is submitted under its id once, however often the scheduler asks.
//! * Upkeep that it begins ends in one event. After a restart it does none of before: what was
//!   under way is asked for again. It tells which tables have a replica, after a restart at first.
//! * Budgets are shared by their keys: an order that names one has it as all others do.
//!
//! The files, each after those that it uses:
//!
//! * `order`, `record`, `event`, `fact`, `violation`, `action`, `limits`: the words.
//! * `job`, `round`, `replication`, `context`, `state`: the state, and what a step may use of it.
//! * `slots`, `polls`: what makes a round wanted.
//! * `rounds`, `holds`: what a round does next; `budgets`: what its jobs may cost.
//! * `upkeep`: when an audit or a vacuum of a replica is due; `chores`: which of them run.
//! * `wake`: when a replication must be looked at again.
//! * `turns`: whose round begins next.
//! * `invariants`: what must hold after every step.
//! * `step`: one event is applied; `recover`: records become a scheduler again.
//! * `view`, `coming`: what people see.

mod action;
mod budgets;
mod chores;
mod coming;
mod context;
mod event;
mod fact;
mod holds;
mod invariants;
mod job;
mod limits;
mod order;
mod polls;
mod record;
mod recover;
mod replication;
mod round;
mod rounds;
mod slots;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod turns;
mod upkeep;
mod view;
mod violation;
mod wake;

pub use action::{HoldReason, StandingAction};
pub use chores::UpkeepView;
pub use coming::{ComingSlot, SlotFate};
pub use event::{JobOutcome, ProbeResult, StandingEvent};
pub use fact::StandingFact;
pub use limits::StandingLimits;
pub use order::Order;
pub use record::{
    EndedRound, Pause, ReplicationRecord, RoundCause, RoundOutcome, RoundRecord, SkipReason,
    SkippedSlots, TableEnd, TableRecord, WantedRound,
};
pub use recover::StoredReplication;
pub use state::Standing;
pub use upkeep::{UpkeepKind, UpkeepOutcome, UpkeepRecord};
pub use view::{StandingRound, StandingState, StandingView};
pub use violation::StandingViolation;
