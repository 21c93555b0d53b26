//! The Delta log as data.
//!
//! Layout, in pipeline order:
//!
//! * [`error`]: why a table cannot be read or published.
//! * [`io`]: requests to a table's store, retried.
//! * [`actions`]: the actions of a log, without loss.
//! * [`paths`]: paths of the log as keys of the store.
//! * [`dv`]: deletion vectors: their objects, ids and checksums.
//! * [`file_key`]: what identifies a logical file.
//! * `schema`: the schema's JSON, piece by piece.
//! * `properties`: table properties, one parser for each kind.
//! * [`protocol`]: features: supported, activated, carried.
//! * [`log`]: the log's files: which of them give a version, checkpoints, commits.
//! * [`snapshot`]: the state of a table at one version.
//! * [`predicate`]: which partitions of it are wanted.
//! * `replica`: what a target's log says of us.
//! * `names`: the names that the source's objects have at the replica.
//! * `change_set`: what one CLONE commit changes, as a value.
//! * [`publish`]: making a sync visible.
//! * [`changes`]: the difference between the source and the replica.
//! * [`sync`]: one sync in any mode, over both.
//! * [`ledger`]: the digests of everything that was copied, beside the replica.
//! * [`history`]: the syncs that a replica's log records.
//! * [`validate`]: the strict validator, a test tool.
//! * [`verify`]: is the replica what its last sync says.
//! * `second_opinion`: what delta-rs says of it.

pub mod actions;
mod change_set;
pub mod changes;
pub mod dv;
pub mod error;
pub mod file_key;
mod hash;
pub mod history;
pub mod io;
pub mod ledger;
pub mod log;
mod names;
pub mod paths;
pub mod predicate;
mod properties;
pub mod protocol;
pub mod publish;
mod replica;
mod row_ids;
mod schema;
mod second_opinion;
pub mod snapshot;
pub mod sync;
pub mod validate;
pub mod verify;
