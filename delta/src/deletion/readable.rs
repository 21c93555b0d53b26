//! Which versions before one can still be read: their commits, or a checkpoint, are in the log, and
//! all their objects are there.
//!
//! The log is walked back from the version: what a commit removed was live before it, and what it
//! added was not.

use std::collections::BTreeSet;

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;

use crate::actions::LogAction;
use crate::error::DeltaError;
use crate::file_key::LogKey;
use crate::snapshot;
use crate::{dv, log, paths};

/// Versions that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadableSpan {
    pub(super) first: u64,
    pub(super) last: u64,
    /// How many of them; those in between may lack an object.
    pub(super) versions: u64,
}

/// Finds the versions before `version` that can be read, given the keys of all objects.
pub(super) async fn before(
    target: &TableStore,
    version: u64,
    keys: &BTreeSet<&str>,
) -> Result<Option<ReadableSpan>, DeltaError> {
    let mut missing: BTreeSet<LogKey> = BTreeSet::new();
    let mut span: Option<ReadableSpan> = None;
    let mut oldest_ms = None;
    for earlier in (0..version).rev() {
        let Some(commit) = log::read_commit(target, earlier + 1).await? else { break };
        for action in &commit.actions {
            match action {
                LogAction::Add(add) => drop(missing.remove(&LogKey::of_add(add))),
                LogAction::Remove(remove) => {
                    let vector = remove.deletion_vector.as_deref();
                    let is_there = there(target, keys, &remove.path, vector);
                    if !is_there {
                        missing.insert(LogKey::of_remove(remove));
                    }
                }
                _ => {}
            }
        }
        if missing.is_empty() {
            let known = span.unwrap_or(ReadableSpan { first: earlier, last: earlier, versions: 0 });
            span = Some(ReadableSpan { first: earlier, versions: known.versions + 1, ..known });
        }
        oldest_ms = Some(earlier);
    }
    // Commits without the state that they follow on give no version.
    match (span, oldest_ms) {
        (Some(found), Some(oldest)) if oldest > 0 => {
            let first = first_given(target, found).await?;
            Ok(first.map(|first| {
                let versions = found.versions.min(found.last - first + 1);
                ReadableSpan { first, versions, ..found }
            }))
        }
        _ => Ok(span),
    }
}

/// Finds the oldest version of the span that the log still gives.
async fn first_given(target: &TableStore, span: ReadableSpan) -> Result<Option<u64>, DeltaError> {
    let (mut low, mut high) = (span.first, span.last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match snapshot::read(target, &SourcePoint::Version(middle)).await {
            Ok(_) => high = middle,
            Err(DeltaError::NotHeld(_) | DeltaError::Damaged { .. }) => low = middle + 1,
            Err(error) => return Err(error),
        }
    }
    Ok((low <= span.last).then_some(low))
}

fn there(
    target: &TableStore,
    keys: &BTreeSet<&str>,
    path: &str,
    vector: Option<&crate::actions::DeletionVector>,
) -> bool {
    let data = paths::decode(&target.uri, path);
    let vector = vector.map(|vector| dv::object_path(&target.uri, vector));
    let has = |key: &str| keys.contains(key);
    data.is_ok_and(|data| has(&data.key))
        && vector.is_none_or(|vector| match vector {
            Ok(Some(key)) => has(&key),
            Ok(None) => true,
            Err(_) => false,
        })
}
