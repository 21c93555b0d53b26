//! `--where`: the part of the source's live files that the replica keeps.

use crate::error::DeltaError;
use crate::features::has_column_mapping;
use crate::predicate::{Predicate, partition_columns};
use crate::snapshot::Snapshot;

/// The predicate over the table's partition columns; none keeps all files.
pub(crate) fn parse(
    text: Option<&str>,
    Snapshot { protocol, metadata, .. }: &Snapshot,
) -> Result<Option<Predicate>, DeltaError> {
    let Some(text) = text else { return Ok(None) };
    let is_mapped = has_column_mapping(protocol, &metadata.configuration);
    Predicate::parse(text, &partition_columns(metadata, is_mapped)?).map(Some)
}

/// Drops the files that the predicate does not match.
pub(crate) fn keep_matching(
    snapshot: &mut Snapshot,
    predicate: Option<&Predicate>,
) -> Result<(), DeltaError> {
    let Some(predicate) = predicate else { return Ok(()) };
    let mut problem = None;
    snapshot.files.retain(|_, add| match predicate.matches(&add.partition_values) {
        Ok(matches) => matches,
        Err(error) => {
            problem.get_or_insert(error);
            false
        }
    });
    problem.map_or(Ok(()), Err)
}
