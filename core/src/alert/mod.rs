//! Which alerts a receiver is told, and when: one for each cause while it lasts, and one when it
//! is over.
//!
//! Flow: what is so now ([`Sightings`]) → the [`AlertBook`] of a receiver → the next
//! [`AlertNotice`] → it is told → the book forgets the cause, or waits for its end.
//!
//! * `cause`: what an alert is about, and what is known of it.
//! * `record`: how long one lasts, and whether it was told.
//! * `notice`: what a receiver is told, with an id that repeats of it share.
//! * `book`: what a receiver was told, and what it is to be told next.

mod book;
mod cause;
mod notice;
mod record;
#[cfg(test)]
mod tests;

pub use book::{AlertBook, AlertPolicy, BookChanges};
pub use cause::{AlertCause, AlertDetail, AlertKind, Sightings};
pub use notice::AlertNotice;
pub use record::{AlertPhase, AlertRecord};
