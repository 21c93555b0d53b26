//! The Delta log as data.
//!
//! Layout, in pipeline order:
//!
//! * [`error`]: why a table cannot be read or published.
//! * [`io`]: requests to a table's store, retried.
//! * [`actions`]: the actions of a log, without loss.
//! * [`paths`]: paths of the log as keys of the store.
//! * [`dv`]: deletion vectors: their objects, ids and checksums.
//! * [`features`]: which tables can be carried.
//! * [`log`]: the log's files: which of them give a version, checkpoints, commits.
//! * [`snapshot`]: the state of a table at one version.

pub mod actions;
pub mod dv;
pub mod error;
pub mod features;
pub mod io;
pub mod log;
pub mod paths;
pub mod snapshot;
