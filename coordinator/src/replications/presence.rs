//! Asks about a table whose source has no new commit: whether the replica is still what the last
//! sync left, and whether the source is still the table that was synced.

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_delta::log::CommitFile;
use deepclone_delta::presence::{KnownReplica, ReplicaState, is_synced_source, replica_state};

/// What is known of the last sync of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownSync {
    /// The source's version that the replica shows.
    pub source_version: u64,
    /// The file of that version; `None` when it was not looked at yet.
    pub source_file: Option<CommitFile>,
    pub replica: KnownReplica,
}

/// What a look at both sides of a table found.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// The source has a new commit, or there was no sync: a job looks at the target. Or the replica
    /// was looked at not long ago.
    NotAsked,
    /// Both sides are what they were.
    Kept(KnownSync),
    /// One of them is not, or that cannot be told: a job decides.
    Moved,
    /// The replica is not there any more.
    Gone(Failure),
    /// Somebody else changed the replica.
    Changed(Failure),
    /// It is not known.
    Unknown(Failure),
}

/// Looks at the target, and once after each sync also at what that recorded of its source. `seen`
/// is the file of the synced version in the source's listing of before.
pub(super) async fn presence(
    source: &TableStore,
    target: &TableStore,
    known: KnownSync,
    seen: Option<CommitFile>,
) -> Presence {
    let of_target = |error: deepclone_delta::error::DeltaError| error.of(Side::Target).failure();
    let replica = match replica_state(target, known.replica).await.map_err(of_target) {
        Ok(ReplicaState::Kept(replica)) => replica,
        Ok(ReplicaState::Moved) => return Presence::Moved,
        Ok(ReplicaState::Gone(failure)) => return Presence::Gone(failure),
        Ok(ReplicaState::Changed(failure)) => return Presence::Changed(failure),
        Err(failure) => return Presence::Unknown(failure),
    };
    let source_file = known.source_file.or(seen);
    let kept = Presence::Kept(KnownSync { replica, source_file, ..known });
    if let Some((known, seen)) = known.source_file.zip(seen) {
        return if known == seen { kept } else { Presence::Moved };
    }
    let sides = ((source, known.source_version), (target, replica.version));
    match is_synced_source(sides.0, sides.1).await {
        Ok(Some(false)) => Presence::Moved,
        Ok(Some(true) | None) => kept,
        Err(error) => Presence::Unknown(error.failure()),
    }
}
