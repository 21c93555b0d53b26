//! Commits of the replica above our last sync that are gone: another engine wrote a checkpoint and
//! cleaned up the log below it, as VACUUM can cause.
//!
//! What these commits did is unknown, so the live files decide: if they are those of the source at
//! the version of our last sync, none was changed, and the difference corrects everything else.
//! If they are not, or the source does not hold that version any more, the replica counts as
//! changed by another writer.

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::{CloneSpec, SourcePoint};

use crate::error::DeltaError;
use crate::names::replicated;
use crate::replica::{LastSync, part, refuse_or_note};
use crate::snapshot::{self, Snapshot};

/// Decides about the commits that are gone, if any.
///
/// # Errors
/// TARGET_DIVERGED when the files are not those of the last sync and the policy is to fail; a
/// storage error.
pub(super) async fn judge(
    source: &TableStore,
    (target, replica): (&TableStore, &Snapshot),
    spec: &CloneSpec,
    last: &mut LastSync,
) -> Result<(), DeltaError> {
    let Some(version) = last.gone else { return Ok(()) };
    if has_synced_files(source, (target, replica), spec, last).await? {
        last.notices.push(format!(
            "the replica's commits from version {version} on were cleaned up: its live files are \
             those of the last sync"
        ));
        return Ok(());
    }
    let operation = "a commit that was cleaned up; the live files are not known to be those of \
                     the last sync";
    refuse_or_note(target, last, spec.divergence_policy, version, operation)
}

async fn has_synced_files(
    source: &TableStore,
    (target, replica): (&TableStore, &Snapshot),
    spec: &CloneSpec,
    last: &LastSync,
) -> Result<bool, DeltaError> {
    let point = SourcePoint::Version(last.source_version);
    let mut synced = match snapshot::read(source, &point).await {
        Ok(synced) => synced,
        Err(error @ DeltaError::Storage { .. }) => return Err(error),
        // The source's log does not go back that far.
        Err(_) => return Ok(false),
    };
    let asked = spec.partition_filter.as_deref();
    let Some(predicate) = part::of_last_sync(last, asked, &synced) else { return Ok(false) };
    part::keep_matching(&mut synced, predicate.as_ref())?;
    let replicated = replicated(source, target, synced.files)?;
    let files = replicated.with_repaired(target, replica)?.files;
    Ok(files.keys().eq(replica.files.keys()))
}
