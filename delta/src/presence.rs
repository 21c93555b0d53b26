//! Whether a replica is still what the last sync left, and whether the source is still the table
//! that it is a replica of. Both are asked often, so with few requests, and decide nothing: where
//! something has changed, a plan judges it.

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use crate::error::DeltaError;
use crate::hash::hex;
use crate::log::{self, CommitFile};
use crate::replica::{SyncRecord, diverged, is_harmless, operation, record_of};

/// Commits that are read one by one, for one of ours or for one that changes something.
const COMMITS_MAX: u64 = 16;

/// What is known of a replica from the last sync, or from a look since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownReplica {
    /// The version of its head.
    pub version: u64,
    /// The file of that version; `None` when it was not looked at yet.
    pub file: Option<CommitFile>,
}

/// What has become of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// It is as it was, but for commits that change nothing.
    Kept(KnownReplica),
    /// Another sync committed, or it cannot be told by its newest commits.
    Moved,
    /// There is no table any more.
    Gone(Failure),
    /// It is another table, ends before the known version, or another writer committed.
    Changed(Failure),
}

/// Looks at the log of `target`: two requests while it is as it was.
///
/// # Errors
/// When the store does not answer, or a newer commit cannot be read.
pub async fn replica_state(
    target: &TableStore,
    known: KnownReplica,
) -> Result<ReplicaState, DeltaError> {
    let Some(found) = log::newer(target, known.version).await? else {
        return Ok(ReplicaState::Gone(failure(target, "is not there any more")));
    };
    if found.newest < known.version {
        let KnownReplica { version, .. } = known;
        let what = format!("ends at version {}, and the last sync left {version}", found.newest);
        return Ok(ReplicaState::Changed(failure(target, &what)));
    }
    if known.file.zip(found.known).is_some_and(|(known, found)| known != found) {
        // The file of a commit is written once.
        let commit = log::read_commit(target, known.version).await?;
        return Ok(match commit.as_ref().and_then(record_of) {
            Some(_) => ReplicaState::Moved,
            None => ReplicaState::Changed(failure(target, "is another table than before")),
        });
    }
    if found.newest == known.version {
        return Ok(ReplicaState::Kept(KnownReplica { file: found.known, ..known }));
    }
    if found.newest - known.version > COMMITS_MAX {
        return Ok(ReplicaState::Moved);
    }
    for version in known.version + 1..=found.newest {
        let Some(commit) = log::read_commit(target, version).await? else {
            return Ok(ReplicaState::Moved);
        };
        if record_of(&commit).is_some() {
            return Ok(ReplicaState::Moved);
        }
        if !is_harmless(&commit) {
            return Ok(ReplicaState::Changed(diverged(target, version, &operation(&commit))));
        }
    }
    Ok(ReplicaState::Kept(KnownReplica { version: found.newest, file: None }))
}

/// Returns whether the commit `source_version` of `source` is the one that the newest sync of the
/// replica with the head `replica_version` recorded; `None` when the logs do not tell. Two requests
/// where that head is of the sync.
///
/// # Errors
/// When a store does not answer, or a commit cannot be read; the error names the side.
pub async fn is_synced_source(
    (source, source_version): (&TableStore, u64),
    (target, replica_version): (&TableStore, u64),
) -> Result<Option<bool>, DeltaError> {
    let record = newest_record(target, replica_version).await;
    let Some(record) = record.map_err(|error| error.of(Side::Target))? else { return Ok(None) };
    if record.body.source_version != source_version {
        return Ok(Some(false));
    }
    let Some(recorded) = record.body.source_commit_sha256 else { return Ok(None) };
    let commit = log::read_commit(source, source_version).await;
    let commit = commit.map_err(|error| error.of(Side::Source))?;
    // A commit without bytes may be filled in later.
    let commit = commit.filter(|commit| !commit.is_empty());
    Ok(commit.map(|commit| hex(&commit.sha256) == recorded))
}

async fn newest_record(target: &TableStore, head: u64) -> Result<Option<SyncRecord>, DeltaError> {
    for version in (head.saturating_sub(COMMITS_MAX)..=head).rev() {
        let Some(commit) = log::read_commit(target, version).await? else { break };
        if let Some(record) = record_of(&commit) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn failure(target: &TableStore, what: &str) -> Failure {
    let message = format!("the replica {} {what}: somebody else changed it", target.uri);
    Failure::new(Reason::TargetDiverged, message)
}
