//! Making a sync visible: one conditional write, then the optional files beside it.
//!
//! Flow: [`check_vectors`] reads new deletion vectors at the target. [`publish`] writes the commit
//! by put-if-absent at the version after the plan's head, and reads the version back when the
//! outcome is unknown. [`finish`] then writes a checkpoint when one is due, the hint
//! `_last_checkpoint`, our own hint `_deepclone/replica.json`, and what the sync knew
//! (`_deepclone/synced.json`). Its failures are warnings: the replica is complete without them.

mod checkpoint;
pub(crate) mod commit;
mod committed;
mod finish;
mod known;
mod last_checkpoint;
mod read_back;
mod settle;
mod vectors;

pub use committed::{Committed, PublishResult};
pub use finish::{FinishReport, finish};
pub use settle::publish;
pub use vectors::check_vectors;
