//! The checkpoint of one version: a classic single file of the V1 form, which every reader knows.
//! A table with the feature `v2Checkpoint` may use it too
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#v2-checkpoint-table-feature>).
//!
//! Lossless or not at all: when an action holds a field that the checkpoint's columns cannot
//! carry, none is written, and readers go on with the commits.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::actions::{Add, DeletionVector, DomainMetadata, Metadata, Protocol, Remove, Txn};
use crate::error::DeltaError;

mod columns;
mod file;
#[cfg(test)]
mod tests;

/// What the checkpoint holds, in the order of its rows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
    pub(crate) txns: Vec<Txn>,
    pub(crate) domains: Vec<DomainMetadata>,
    pub(crate) removes: Vec<Remove>,
    pub(crate) adds: Vec<Add>,
}

/// A checkpoint's bytes and what the hint tells of it.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) actions: u64,
    pub(crate) adds: u64,
}

/// How the table is kept, as far as a checkpoint cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Every how many versions a checkpoint is due.
    pub(crate) interval: u64,
    /// How long tombstones are kept, in milliseconds.
    pub(crate) tombstone_ms: i64,
    /// How long transactions with a time are kept, in milliseconds; none: for ever.
    transaction_ms: Option<i64>,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const INTERVAL: &str = "delta.checkpointInterval";
const TOMBSTONES: &str = "delta.deletedFileRetentionDuration";
const TRANSACTIONS: &str = "delta.setTransactionRetentionDuration";

impl Policy {
    /// The policy that the table's properties ask for, or the defaults.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let property = |name| metadata.configuration.get(name).map(|value| value.trim());
        Self {
            interval: property(INTERVAL)
                .and_then(|value| value.parse().ok())
                .filter(|interval| *interval > 0)
                .unwrap_or(10),
            tombstone_ms: property(TOMBSTONES).and_then(duration_ms).unwrap_or(7 * DAY_MS),
            transaction_ms: property(TRANSACTIONS).and_then(duration_ms),
        }
    }

    /// True for tombstones that are still needed at `now_ms`.
    pub(crate) fn keeps_remove(&self, remove: &Remove, now_ms: i64) -> bool {
        remove.deletion_timestamp.unwrap_or(0) > now_ms.saturating_sub(self.tombstone_ms)
    }

    /// True for transactions that are still needed at `now_ms`.
    pub(crate) fn keeps_txn(&self, txn: &Txn, now_ms: i64) -> bool {
        match (self.transaction_ms, txn.last_updated) {
            (Some(kept_ms), Some(updated)) => updated > now_ms.saturating_sub(kept_ms),
            _ => true,
        }
    }
}

/// The checkpoint's bytes; none when it would lose something, which is named in the log.
pub(crate) fn encode(state: &State) -> Result<Option<Encoded>, DeltaError> {
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
fn uncarried(state: &State) -> Option<String> {
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
    match file::Format::parse(format) {
        Some(_) => None,
        None => Some("metaData.format".to_owned()),
    }
}

/// `interval 1 week 2 hours`, `30 days` → milliseconds; none when it is no such text.
pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let words = words.strip_prefix(&["interval"]).unwrap_or(&words);
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return None;
    }
    let units = BTreeMap::from([
        ("millisecond", 1),
        ("second", 1000),
        ("minute", 60 * 1000),
        ("hour", 60 * 60 * 1000),
        ("day", DAY_MS),
        ("week", 7 * DAY_MS),
    ]);
    words.chunks(2).try_fold(0_i64, |sum, pair| {
        let number: i64 = pair[0].parse().ok()?;
        let unit = units.get(pair[1].trim_end_matches('s'))?;
        sum.checked_add(number.checked_mul(*unit)?)
    })
}
