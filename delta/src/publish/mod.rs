//! Making a sync visible: one conditional write, then the comforts around it.
//!
//! Flow: [`check_vectors`] reads new deletion vectors at the target. [`publish`] writes the commit
//! by put-if-absent at the version after the plan's head, and settles what it cannot know by
//! reading the version back. [`finish`] then writes a checkpoint when one is due, the hint
//! `_last_checkpoint`, and our own hint `_deepclone/replica.json`: its failures are warnings, the
//! replica is right without them.

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;

use crate::actions::Metadata;
use crate::changes::ChangeSet;
use crate::error::DeltaError;

pub(crate) mod checkpoint;
mod finish;
pub(crate) mod hint;
mod settle;
mod vectors;

pub use finish::{Finished, finish};
pub use vectors::check_vectors;

/// Every how many versions a table with this metadata wants a checkpoint.
pub(crate) fn checkpoint_interval(metadata: &Metadata) -> u64 {
    checkpoint::Policy::of(metadata).interval
}

/// How long a table with this metadata keeps objects that no commit refers to, in milliseconds.
pub(crate) fn retention_ms(metadata: &Metadata) -> i64 {
    checkpoint::Policy::of(metadata).tombstone_ms
}

/// How publishing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishResult {
    /// The commit is in the replica's log.
    Published {
        /// Its version.
        version: u64,
    },
    /// Another sync of ours, or a commit that changed nothing, took the version: plan again.
    Rebase,
}

/// Writes the commit of `change_set` for the sync `sync`, at the time `now_ms` (milliseconds
/// since 1970), unless its version is taken.
///
/// # Errors
/// TARGET_DIVERGED when somebody else's commit took the version; a storage error when the outcome
/// stays unknown.
pub async fn publish(
    target: &TableStore,
    change_set: &ChangeSet,
    sync: JobId,
    now_ms: i64,
) -> Result<PublishResult, DeltaError> {
    settle::publish(target, change_set, sync, now_ms).await
}
