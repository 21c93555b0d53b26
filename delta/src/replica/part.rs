//! `--where`: the part of the source's live files that the replica keeps.

use deepclone_core::spec::Mode;

use super::head::LastSync;
use super::identity;
use crate::error::DeltaError;
use crate::predicate::{Predicate, partition_columns};
use crate::protocol::has_column_mapping;
use crate::snapshot::Snapshot;

/// Parses the predicate over the table's partition columns; `None` keeps all files.
pub(crate) fn parse(
    text: Option<&str>,
    Snapshot { protocol, metadata, .. }: &Snapshot,
) -> Result<Option<Predicate>, DeltaError> {
    let Some(text) = text else { return Ok(None) };
    let is_mapped = has_column_mapping(protocol, &metadata.configuration);
    Predicate::parse(text, &partition_columns(metadata, is_mapped)?).map(Some)
}

/// Finds the predicate of the last sync: among the candidates (its record, the hint beside the log,
/// the one `asked` for now, no predicate) the one with the scope of the replica's marker. `None`
/// when none has it.
pub(crate) fn of_last_sync(
    last: &LastSync,
    asked: Option<&str>,
    source: &Snapshot,
) -> Option<Option<Predicate>> {
    let record = last.record.as_ref().and_then(|record| record.body.partition_filter.as_deref());
    let hint = last.hint.as_ref().and_then(|hint| hint.partition_filter.as_deref());
    let known = [record, hint, asked].into_iter().flatten().map(Some).chain([None]);
    known.filter_map(|text| parse(text, source).ok()).find(|predicate| {
        let scope = |is_rewritten| identity::scope(Mode::Clone, predicate.as_ref(), is_rewritten);
        [false, true].map(scope).contains(&last.scope)
    })
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
