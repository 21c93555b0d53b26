//! Standing replications: what the scheduler of [`deepclone_core`] decides is done here.
//!
//! * [`discover`]: the tables of a replication below its source connection.

pub mod discover;
