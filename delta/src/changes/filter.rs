//! `--where`: the part of the source's live files that the replica keeps.

use crate::actions::Metadata;
use crate::error::DeltaError;
use crate::predicate::{Predicate, partition_columns};
use crate::snapshot::Snapshot;

/// The predicate over the table's partition columns; none keeps all files.
pub(crate) fn parse(
    text: Option<&str>,
    metadata: &Metadata,
) -> Result<Option<Predicate>, DeltaError> {
    text.map(|text| Predicate::parse(text, &partition_columns(metadata)?)).transpose()
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
