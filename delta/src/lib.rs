//! The Delta log as data.
//!
//! Layout, in pipeline order:
//!
//! * [`error`]: why a table cannot be read or published.
//! * [`io`]: requests to a table's store, retried.
//! * [`actions`]: the actions of a log, without loss.
//! * [`paths`]: paths of the log as keys of the store.
//! * [`dv`]: deletion vectors: their objects, ids and checksums.
//! * `schema`: the schema's JSON, piece by piece.
//! * [`features`]: which tables can be carried.
//! * [`log`]: the log's files: which of them give a version, checkpoints, commits.
//! * [`snapshot`]: the state of a table at one version.
//! * [`predicate`]: which partitions of it are wanted.
//! * [`changes`]: what a sync must do.
//! * `commit`: the CLONE commit.
//! * [`publish`]: making a sync visible.
//! * [`ledger`]: the digests of everything that was copied, beside the replica.
//! * [`history`]: the syncs that a replica's log records.
//! * [`validate`]: the strict validator, a test tool.
//! * [`verify`]: is the replica what its last sync says.
//! * `second_opinion`: what delta-rs says of it.

pub mod actions;
pub mod changes;
mod commit;
pub mod dv;
pub mod error;
pub mod features;
pub mod history;
pub mod io;
pub mod ledger;
pub mod log;
pub mod paths;
pub mod predicate;
pub mod publish;
mod schema;
mod second_opinion;
pub mod snapshot;
pub mod validate;
pub mod verify;
