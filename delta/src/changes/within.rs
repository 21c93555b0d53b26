//! What the plan of a sync must keep to, whichever way it is made.

use deepclone_common::store::table::TableStore;
use deepclone_core::ownership::{OwnerClaim, ReplicaOwner};
use tokio::sync::watch;

use super::build::Replica;
use crate::change_set::ChangeSet;
use crate::error::DeltaError;
use crate::publish::commit;
use crate::room::PlanRoom;

/// A time with as many digits as the commit's own time has until 2286.
const PLANNED_MS: i64 = 1_000_000_000_000;

/// What a sync must keep to.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// The folders above the target, the nearest first: a new replica may not lie in a table.
    pub above: &'a [TableStore],
    /// The replication that asks for the sync. Without one, a replica keeps its owner.
    pub claim: Option<&'a OwnerClaim>,
    /// Who asked for the sync, for the record in the replica's log.
    pub submitter: Option<&'a str>,
    /// The most bytes of the replica's commit.
    pub commit_bytes_max: u64,
    /// True to read both tables whole, whatever is known of the last sync.
    pub reads_whole: bool,
    /// False for a plan that is only looked at. A large one keeps nothing of its commit then.
    pub publishes: bool,
    /// What lends memory to the plan. Without it as much is taken as is needed.
    pub room: Option<&'a dyn PlanRoom>,
    /// Told once the source is found to have a log, and the target none and to lie in no table: how
    /// many bytes are read of that log. What the plan finds is to be copied, unless it refuses one
    /// of them.
    pub first_sync: Option<&'a watch::Sender<u64>>,
}

impl Within<'_> {
    /// Waits until the plan may hold about so many bytes.
    pub(super) async fn take(&self, bytes: u64) {
        if let Some(room) = self.room {
            room.take(bytes).await;
        }
    }
}

impl Default for Within<'_> {
    fn default() -> Self {
        Self {
            above: &[],
            claim: None,
            submitter: None,
            commit_bytes_max: commit::BYTES_MAX,
            reads_whole: false,
            publishes: true,
            room: None,
            first_sync: None,
        }
    }
}

/// Refuses a commit that is too large before anything is copied: it could never be written.
pub(super) fn check_size(change_set: &ChangeSet, within: &Within<'_>) -> Result<(), DeltaError> {
    Ok(commit::check_size(commit_bytes(change_set), within.commit_bytes_max)?)
}

/// Counts the bytes that the commit will have.
pub(crate) fn commit_bytes(change_set: &ChangeSet) -> u64 {
    commit::size(change_set, PLANNED_MS)
}

/// The replication that the replica belongs to after a sync that may take it.
pub(super) fn owner_after(
    replica: Option<&Replica>,
    claim: Option<&OwnerClaim>,
) -> Option<ReplicaOwner> {
    let known = || replica.and_then(|replica| replica.last.owner());
    claim.map(|claim| &claim.owner).or_else(known).cloned()
}
