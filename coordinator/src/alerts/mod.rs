//! Alerts: receivers are told of failures, divergence, missed objectives and budgets, and of their
//! end.
//!
//! Flow: the replications as they are ([`sightings`]) and the ends of other syncs (`lone_syncs`) →
//! what is so now, once every few seconds ([`watch`]) → for each receiver a task of its own, with
//! the book of what it was told ([`deepclone_core::alert`]) → a message ([`message`]), signed
//! ([`signature`]) and sent again until it is taken (`receiver`). What was told is kept (`kept`),
//! so that a restart repeats nothing.

mod kept;
mod lone_syncs;
pub mod message;
mod receiver;
pub mod sightings;
pub mod signature;
#[cfg(test)]
mod tests;
pub mod watch;

pub use receiver::try_webhook;
pub use watch::{Alerts, PlannedAlerts, PreparedReceivers};
