//! Checks where readers start: the newest checkpoint of the replica, and the hint that points at
//! it. We replay the commits when one is damaged; other readers fail.

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;

use super::report::{Difference, DifferenceKind};
use crate::error::DeltaError;
use crate::log;
use crate::snapshot::{self, Snapshot};

/// Checks that the hint names an existing checkpoint, and that the newest checkpoint can be read.
pub(super) async fn checkpoints(
    target: &TableStore,
    replica: &Snapshot,
    found: &mut Vec<Difference>,
) -> Result<(), DeltaError> {
    if let Some(version) = log::hint(target).await?
        && !log::has_checkpoint_from(target, version).await?
    {
        found.push(Difference {
            kind: DifferenceKind::Checkpoint,
            subject: log::log_path(log::LAST_CHECKPOINT),
            detail: format!(
                "names version {version}, of which the log has no checkpoint: readers refuse the \
                 table until the next sync that changes something"
            ),
        });
    }
    if let Some(file) = passed_over(target, replica).await? {
        found.push(Difference {
            kind: DifferenceKind::Checkpoint,
            subject: file,
            detail: "cannot be read, and readers begin with it: delete it and _last_checkpoint"
                .to_owned(),
        });
    }
    Ok(())
}

/// Returns the newest checkpoint, if the replica could only be read without it.
async fn passed_over(
    target: &TableStore,
    replica: &Snapshot,
) -> Result<Option<String>, DeltaError> {
    let segment = log::list_whole(target, Some(replica.version)).await?;
    let newest = segment.checkpoints.first().and_then(|checkpoint| checkpoint.files.first());
    let newest = newest.map(|entry| log::log_path(&entry.name));
    if newest.is_none() || newest == replica.checkpoint {
        return Ok(None);
    }
    // It may have been written since the replica was read.
    let again = snapshot::read(target, &SourcePoint::Version(replica.version)).await?;
    Ok(newest.filter(|newest| Some(newest) != again.checkpoint.as_ref()))
}
