//! A checkpoint that holds an `add` and a `remove` of one file, and which of them counts.
//!
//! The rows of a checkpoint have no order. The newest commit below it that names the file decides;
//! where the commits are gone, the `add` counts, because the tombstones of a checkpoint are for
//! VACUUM alone.

use std::collections::BTreeSet;

use deepclone_common::store::table::TableStore;
use futures::{StreamExt, TryStreamExt, stream};

use super::replay::Replay;
use crate::error::DeltaError;
use crate::file_key::LogKey;
use crate::log::{self, COMMITS_AT_ONCE_MAX};

/// Decides about the files that the checkpoint `file` of `version` both adds and removes, and
/// returns a notice for the operator.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn settle(
    table: &TableStore,
    (version, file): (u64, &str),
    replay: &mut Replay,
    disputed: BTreeSet<LogKey>,
) -> Result<Option<String>, DeltaError> {
    let Some(first) = disputed.first().map(|key| key.path.clone()) else { return Ok(None) };
    let files = disputed.len();
    let mut left = disputed;
    let versions = (0..=version).rev();
    let mut reads = stream::iter(versions)
        .map(|version| log::read_commit(table, version))
        .buffered(COMMITS_AT_ONCE_MAX);
    while !left.is_empty() {
        match reads.try_next().await {
            Ok(Some(Some(commit))) => {
                replay.decide(&log::commit_path(commit.version), commit.actions, &mut left);
            }
            // The older commits are gone or unreadable.
            Ok(Some(None) | None) | Err(DeltaError::Damaged { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    let by_commits = files - left.len();
    Ok(Some(format!(
        "{file} both adds and removes {first} (files of this kind: {files}): the commits decide \
         about {by_commits}, the others are read as live",
    )))
}
