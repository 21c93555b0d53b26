//! Events of lineage, as [OpenLineage](https://openlineage.io) has them: which table was made from
//! which, by whom, and when.
//!
//! Flow: a fact of a sync is durable → [`moment`]: what an event needs of it → [`Lineage`], a queue
//! with a bound → `sink`: the event is built and sent, or added to a file.
//!
//! * `waiting`: what waits, within a bound of bytes.
//! * `event`: a moment → the event, a pure function; `schema_fields`: the columns in it.

mod event;
pub mod moment;
mod schema_fields;
mod sender;
mod sink;
#[cfg(test)]
mod tests;
mod waiting;

pub use event::run_event;
pub use sender::{Lineage, LineageSinks};
