//! The checkpoint of one version: a classic single file of the V1 form, which every reader knows.
//! A table with the feature `v2Checkpoint` may use it too
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#v2-checkpoint-table-feature>).
//!
//! Lossless or not at all: when an action holds a field that the checkpoint's columns cannot
//! carry, none is written, and readers go on with the commits.

use serde_json::value::RawValue;

use crate::actions::DeletionVector;
use crate::error::DeltaError;

mod columns;
mod file;
mod format;
mod state;
#[cfg(test)]
mod tests;

use format::Format;
pub(super) use state::CheckpointState;

/// A checkpoint's bytes and what the hint tells of it.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) actions: u64,
    pub(crate) adds: u64,
}

/// The checkpoint's bytes; none when it would lose something, which is named in the log.
pub(crate) fn encode(state: &CheckpointState) -> Result<Option<Encoded>, DeltaError> {
    if let Some(field) = uncarried(state) {
        tracing::warn!(field, "no checkpoint is written: it could not carry this field");
        return Ok(None);
    }
    let bytes = file::write(state)
        .map_err(|error| DeltaError::damaged("checkpoint", format!("not written: {error}")))?;
    let others = state.txns.len() + state.domains.len() + state.removes.len() + 2;
    Ok(Some(Encoded {
        bytes,
        actions: (others + state.adds.len()) as u64,
        adds: state.adds.len() as u64,
    }))
}

/// The name of a field that the columns have no place for.
fn uncarried(state: &CheckpointState) -> Option<String> {
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
        .or_else(|| {
            state.adds.iter().find_map(|add| {
                first("add", &add.unknown).or_else(|| vector(add.deletion_vector.as_ref()))
            })
        })
        .or_else(|| {
            // Statistics and tags of tombstones are left out on purpose; unknown fields are not
            // needed by VACUUM, but their deletion vector's are part of the key's meaning.
            state.removes.iter().find_map(|remove| vector(remove.deletion_vector.as_ref()))
        })
}

/// `format` has a provider and options; anything more has no column.
fn uncarried_format(format: &RawValue) -> Option<String> {
    match Format::parse(format) {
        Some(_) => None,
        None => Some("metaData.format".to_owned()),
    }
}
