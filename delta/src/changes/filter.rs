//! `--where`: the part of the source's live files that the replica keeps.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use crate::error::DeltaError;
use crate::snapshot::Snapshot;

/// Drops the files that the predicate does not match; none matches all.
pub(crate) fn keep_matching(
    _snapshot: &mut Snapshot,
    predicate: Option<&str>,
) -> Result<(), DeltaError> {
    match predicate {
        None => Ok(()),
        Some(_) => Err(Failure::new(Reason::Unimplemented, "--where is not built yet").into()),
    }
}
