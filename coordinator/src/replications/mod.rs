//! Standing replications: what the scheduler of [`deepclone_core`] decides is done here.
//!
//! * [`discover`]: the tables of a replication below its source connection.
//! * [`view`]: replications as others see them.

pub mod discover;
pub mod view;
