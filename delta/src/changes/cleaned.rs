//! The replica's log lost commits above our last sync: another engine wrote a checkpoint and
//! cleaned up behind it, as VACUUM's own commits bring about.
//!
//! What these commits did is not known, and our markers say nothing of it. The live files decide:
//! if they are those of the source at the version of our last sync, nobody changed them; whatever
//! else differs is set right by the difference, which is taken of everything. If not, or if the
//! source does not hold that version any more, somebody else wrote to the replica as far as anyone
//! can tell.

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::{CloneSpec, SourcePoint};

use crate::error::DeltaError;
use crate::names::replicated;
use crate::replica::{LastSync, part, refuse_or_note};
use crate::snapshot::{self, Snapshot};

/// Judges the commits that are gone, if any.
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
    let files = replicated(source, target, synced.files)?.files;
    Ok(files.keys().eq(replica.files.keys()))
}
