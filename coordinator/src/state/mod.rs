//! What survives a crash of the coordinator: facts, evidence of objects, and the epoch that leads.
//!
//! Words: an *entry* is a fact with its time and a note; a *batch* is what one transaction makes
//! durable; *evidence* is an object that a receipt saw whole at a target.
//!
//! Flow: [`Store::lead`] once, [`Store::load`] once, then [`Store::append`] batch by batch (I4).
//! Every append checks the epoch of the writer: a coordinator that leads no more writes nothing.
//!
//! Replications are kept beside that, as rows of which the last one counts; so is what jobs sent,
//! by month, and who asked for what.
//!
//! An operator handles the [`file`] of the database: check, backup, purge by hand.
//!
//! A job that ended is kept in short: its spec, its last plan, its end. [`Store::find`] returns
//! that for as long as it is kept, [`Store::ended_jobs`] lists them; [`Store::purge`] drops
//! everything else of it, and what is too old.

mod audit;
mod encoding;
mod entry;
mod error;
mod evidence;
mod facts;
pub mod file;
mod history;
mod job_place;
mod lock;
mod memory;
mod migrations;
mod note;
mod purge;
mod replications;
mod row_parts;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;
mod usage;

pub use audit::{AuditQuery, AuditRow};
pub use encoding::{
    decode_replication, decode_shared_budget, decode_spec, encode_options, encode_replication,
    encode_shared_budget, encode_spec,
};
pub use entry::{Entry, JobOrigin, JobRound, JobSent, JobSpec, PlanNote};
pub use error::StateError;
pub use evidence::{EVIDENCE_KEYS_MAX, Evidence, KnownObject};
pub use job_place::{EndedJobsQuery, JobOrder, JobPlace, NoJobPlace};
pub use memory::MemoryStore;
pub use purge::PurgeBounds;
pub use replications::{ALERT_ROWS, ReplicationRow, RowChange, RowKey};
pub use sqlite::{Place, SqliteStore};
pub use store::{Batch, Store};
pub use usage::{
    UsageBy, UsageCalendar, UsageLabels, UsageMonths, UsageQuery, UsageRow, UsageSum, UsageSums,
};
