//! The file of the database, as an operator handles it: checked, copied, purged by hand.
//!
//! * [`open`]: a file that exists, to read or to change.
//! * [`finding`]: what is wrong with it, one line each.
//! * `schema`: SQLite's own checks, and the schema that this version knows.
//! * [`check`]: that, and what must hold across the tables.
//! * [`backup`]: a copy while a coordinator runs.
//! * [`purge`]: what the coordinator's own purge drops, by hand.
//!
//! A check and a backup only read, in one transaction each, and take no lock: a coordinator may
//! run. A purge takes the lock of the coordinator.

pub mod backup;
pub mod check;
pub mod finding;
pub mod open;
pub mod purge;
mod schema;
#[cfg(test)]
mod tests;
