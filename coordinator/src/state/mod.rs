//! What survives a crash of the coordinator: facts, evidence of objects, and who leads.
//!
//! Words: an *entry* is a fact with its time and a note; a *batch* is what one transaction makes
//! durable; *evidence* is an object that a receipt saw whole at a target.
//!
//! Flow: [`Store::lead`] once, [`Store::load`] once, then [`Store::append`] batch by batch (I4).
//! Every append checks the term of the writer, so that an old leader loses, never the facts.
//!
//! A job that ended is kept in short: what it was asked for, its last plan, its end. That is found
//! by [`Store::find`] for as long as it is kept; [`Store::purge`] drops everything else of it, and
//! what is too old.

mod encoding;
mod entry;
mod error;
mod evidence;
mod history;
mod lock;
mod purge;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;

pub use encoding::{decode_spec, encode_spec};
pub use entry::{Entry, JobSpec, PlanNote};
pub use error::StateError;
pub use evidence::{Evidence, KnownObject};
pub use sqlite::{Place, SqliteStore};
pub use store::{Batch, Store};
