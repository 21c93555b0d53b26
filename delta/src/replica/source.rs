//! Whether the source is the table that was synced last.

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::spec::SourcePoint;

use super::head::LastSync;
use crate::actions::LogAction;
use crate::error::DeltaError;
use crate::hash::hex;
use crate::log;
use crate::snapshot::{self, CommitDigest, Snapshot};

/// Refuses another source than that of the last sync. The history identifies a table: the synced
/// commit must still have its hash, and the table must have had the known id then, whatever its id
/// is now. Only if that commit is gone, any earlier id counts.
///
/// # Errors
/// SOURCE_REPLACED when `source` is another table than the one synced last.
pub(crate) async fn refuse_other_source(
    source: &TableStore,
    wanted: &Snapshot,
    last: &LastSync,
) -> Result<(), DeltaError> {
    let known_id = match (&last.record, &last.hint) {
        (Some(record), _) => &record.body.source_id,
        (None, Some(hint)) => &hint.source_id,
        (None, None) => &last.lineage,
    };
    let known_hash = match (&last.record, &last.hint) {
        (Some(record), _) => record.body.source_commit_sha256.as_ref(),
        (None, hint) => hint.as_ref().and_then(|hint| hint.source_commit_sha256.as_ref()),
    };
    let commit = CommitDigest::read(source, last.source_version).await?;
    // A commit without bytes proves nothing: it may be filled in later, or has lost them.
    let commit = commit.filter(|commit| !commit.is_empty);
    let is_same = match (known_hash, commit) {
        (Some(known_hash), Some(commit)) => {
            hex(&commit.sha256) == *known_hash
                && (wanted.metadata.id == *known_id
                    || id_at(source, last.source_version).await?.is_none_or(|id| id == *known_id))
        }
        _ => {
            wanted.metadata.id == *known_id || had_id(source, last.source_version, known_id).await?
        }
    };
    if is_same { Ok(()) } else { Err(replaced(last, wanted).into()) }
}

/// Returns the table's id at `version`; `None` when its log does not tell it any more. It is asked
/// for because two tables can have one commit in common, byte for byte.
async fn id_at(source: &TableStore, version: u64) -> Result<Option<String>, DeltaError> {
    for version in (0..=version).rev() {
        let Some(commit) = log::read_commit(source, version).await? else { break };
        let id = commit.actions.into_iter().find_map(|action| match action {
            LogAction::Metadata(metadata) => Some(metadata.id),
            _ => None,
        });
        if id.is_some() {
            return Ok(id);
        }
    }
    match snapshot::read(source, &SourcePoint::Version(version)).await {
        Ok(then) => Ok(Some(then.metadata.id)),
        Err(error @ (DeltaError::Storage { .. } | DeltaError::Refused(_))) => Err(error),
        // The log does not hold that version any more.
        Err(_) => Ok(None),
    }
}

/// Returns whether a commit up to `version` gave the table this id. It may have had others since.
async fn had_id(source: &TableStore, version: u64, id: &str) -> Result<bool, DeltaError> {
    for version in (0..=version).rev() {
        let Some(commit) = log::read_commit(source, version).await? else { break };
        let has_id = commit.actions.iter().any(|action| match action {
            LogAction::Metadata(metadata) => metadata.id == id,
            _ => false,
        });
        if has_id {
            return Ok(true);
        }
    }
    match snapshot::read(source, &SourcePoint::Version(version)).await {
        Ok(then) => Ok(then.metadata.id == id),
        Err(error @ (DeltaError::Storage { .. } | DeltaError::Refused(_))) => Err(error),
        // The log does not hold that version any more.
        Err(_) => Ok(false),
    }
}

fn replaced(last: &LastSync, wanted: &Snapshot) -> Failure {
    Failure::new(
        Reason::SourceReplaced,
        format!(
            "the target is a replica of another table than this source (lineage {}, synced at \
             version {}; the source's id is {}): use --on-source-replaced reclone to start anew, \
             or choose another target folder",
            last.lineage, last.source_version, wanted.metadata.id
        ),
    )
    .with("lineage", last.lineage.as_str())
    .with("source_id", wanted.metadata.id.as_str())
}
