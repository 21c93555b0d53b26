//! The checkpoint of one version: a classic single file of the V1 form, which every reader knows.
//! A table with the feature `v2Checkpoint` may use it too
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#v2-checkpoint-table-feature>).
//!
//! A checkpoint loses nothing: when an action holds a field that has no column, none is written,
//! and readers use the commits.

use serde_json::value::RawValue;

use crate::actions::DeletionVector;
use crate::error::DeltaError;
use crate::spool::Spool;

mod columns;
mod file;
mod format;
mod state;
#[cfg(test)]
mod tests;

use format::Format;
pub(super) use state::CheckpointState;

/// A checkpoint's file, and the counts for its hint.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) file: Spool,
    pub(crate) actions: u64,
    pub(crate) adds: u64,
}

/// Encodes the checkpoint; `None` when it would lose a field, which is logged.
pub(crate) fn encode(state: &CheckpointState<'_>) -> Result<Option<Encoded>, DeltaError> {
    if let Some(field) = uncarried(state) {
        tracing::warn!(field, "no checkpoint is written: it could not carry this field");
        return Ok(None);
    }
    let file = file::write(state)?;
    let others = state.txns.len() + state.domains.len() + state.removes.len() + 2;
    Ok(Some(Encoded {
        file,
        actions: (others + state.adds.len()) as u64,
        adds: state.adds.len() as u64,
    }))
}

/// Returns the name of a field that has no column.
fn uncarried(state: &CheckpointState<'_>) -> Option<String> {
    let first = |action: &str, unknown: &crate::actions::Unknown| {
        unknown.keys().next().map(|field| format!("{action}.{field}"))
    };
    let vector = |vector: Option<&DeletionVector>| {
        vector.and_then(|vector| first("deletionVector", &vector.unknown))
    };
    first("protocol", &state.protocol.unknown)
        .or_else(|| first("metaData", &state.metadata.unknown))
        .or_else(|| uncarried_format(&state.metadata.format))
        .or_else(|| state.txns.iter().find_map(|txn| first("txn", &txn.unknown)))
        .or_else(|| state.domains.iter().find_map(|d| first("domainMetadata", &d.unknown)))
        .or_else(|| state.adds.traits().uncarried)
        .or_else(|| {
            // Statistics and tags of tombstones are left out on purpose. VACUUM does not need their
            // unknown fields, but those of their deletion vectors may change what the key means.
            state.removes.iter().find_map(|remove| vector(remove.deletion_vector.as_deref()))
        })
}

/// Returns the name of the format if it has more than a provider and options, which have columns.
fn uncarried_format(format: &RawValue) -> Option<String> {
    match Format::parse(format) {
        Some(_) => None,
        None => Some("metaData.format".to_owned()),
    }
}
