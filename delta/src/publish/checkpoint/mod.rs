//! The checkpoint of one version: a classic single file, which every reader knows, or the V2 form
//! with sidecars where the table's feature `v2Checkpoint` allows it
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#v2-checkpoint-table-feature>).
//!
//! A checkpoint loses nothing: when an action holds a field that has no column, none is written,
//! and readers use the commits.

use deepclone_common::store::table::TableStore;
use serde_json::value::RawValue;

use crate::actions::DeletionVector;
use crate::error::DeltaError;
use crate::publish::last_checkpoint::LastCheckpoint;

mod columns;
mod file;
mod form;
mod format;
mod put;
mod state;
#[cfg(test)]
mod tests;
mod top;

use format::Format;
pub(super) use put::CheckpointOf;
pub(super) use state::CheckpointState;

/// The most rows of a sidecar: eight row groups, some 100 MB. So a checkpoint of any size needs no
/// more than that of the disk for temporary files, and no put of it is larger; and the 256 files
/// that the plan of a first sync opens at once hold 134 million files.
const SIDECAR_ROWS: usize = 1 << 19;

/// Writes the checkpoint; returns what the hint says of it, or `None` when it would lose a field,
/// which is logged.
///
/// # Errors
/// A store that does not answer, or holds another file under a name of it.
pub(super) async fn write(
    target: &TableStore,
    of: CheckpointOf,
    state: &CheckpointState<'_>,
) -> Result<Option<LastCheckpoint>, DeltaError> {
    write_divided(target, of, state, SIDECAR_ROWS).await
}

/// As [`write`], with sidecars of so many rows.
async fn write_divided(
    target: &TableStore,
    of: CheckpointOf,
    state: &CheckpointState<'_>,
    sidecar_rows: usize,
) -> Result<Option<LastCheckpoint>, DeltaError> {
    if let Some(field) = uncarried(state) {
        tracing::warn!(field, "no checkpoint is written: it could not carry this field");
        return Ok(None);
    }
    put::put(target, of, state, sidecar_rows).await.map(Some)
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
