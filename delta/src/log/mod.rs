//! The log's files: which of them give a version, and what a commit says.
//!
//! Flow: the hint `_last_checkpoint` bounds one listing of `_delta_log` → a listing → a
//! [`LogSegment`]. The hint is never believed: a listing that starts at it and does not hold a
//! whole checkpoint is made again from the start.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#delta-log-entries>

pub(crate) mod checkpoint;
mod names;
mod row;
mod segment;

use std::collections::BTreeSet;

use bytes::Bytes;
use deepclone_common::table_store::TableStore;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::actions::{self, Action, Oddity, Parsed};
use crate::error::DeltaError;
use crate::io;
use crate::paths::LOG_FOLDER;

pub use segment::{CheckpointFiles, LogEntry, LogSegment};
use segment::{Gap, Listing};

/// The hint's name in the log's folder.
pub const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// A commit, read and parsed.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its version.
    pub version: u64,
    /// The file as it is.
    pub bytes: Bytes,
    /// What it says, in the file's order.
    pub actions: Vec<Action>,
    /// What in it was passed over.
    pub oddities: BTreeSet<Oddity>,
    /// The SHA-256 of `bytes`.
    pub sha256: [u8; 32],
    /// When the file was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

impl Commit {
    /// True when it has no bytes, or none but white space: stores without atomic writes show a
    /// commit so while it is being written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.oddities.contains(&Oddity::EmptyCommit)
    }

    /// Its in-commit timestamp, if it has one: milliseconds since 1970.
    #[must_use]
    pub fn in_commit_timestamp(&self) -> Option<i64> {
        in_commit_timestamp(&self.actions)
    }
}

/// The in-commit timestamp among `actions`.
pub(crate) fn in_commit_timestamp(actions: &[Action]) -> Option<i64> {
    actions.iter().find_map(|action| match action {
        Action::CommitInfo(raw) => {
            // Of a key that stands there twice the last one counts.
            let info: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
            info.get("inCommitTimestamp")?.as_i64()
        }
        _ => None,
    })
}

/// The path of the commit `version`, relative to the table's folder.
#[must_use]
pub fn commit_path(version: u64) -> String {
    log_path(&names::commit_name(version))
}

/// The path of the log file `name`, relative to the table's folder.
#[must_use]
pub fn log_path(name: &str) -> String {
    format!("{LOG_FOLDER}/{name}")
}

/// The files that give the version `upto`, or the newest one: one listing, bounded by the hint
/// when there is one.
///
/// # Errors
/// No log, a hole in it, a version that it does not hold, or a store that does not answer.
pub async fn list(table: &TableStore, upto: Option<u64>) -> Result<LogSegment, DeltaError> {
    if let Some(hint) = hint(table).await?
        && upto.is_none_or(|upto| upto >= hint)
    {
        let listing = listing(table, Some(hint)).await?;
        if listing.checkpoints.iter().any(|found| upto.is_none_or(|upto| found.version <= upto)) {
            return segment(table, listing, upto);
        }
    }
    list_whole(table, upto).await
}

/// Like [`list`], without the hint: older checkpoints and commits are seen too.
///
/// # Errors
/// As [`list`].
pub async fn list_whole(table: &TableStore, upto: Option<u64>) -> Result<LogSegment, DeltaError> {
    segment(table, listing(table, None).await?, upto)
}

/// The newest version that the log holds, or `None` when there is no log: one listing.
///
/// # Errors
/// When the store does not answer.
pub async fn head(table: &TableStore) -> Result<Option<u64>, DeltaError> {
    if let Some(hint) = hint(table).await?
        && let Some(newest) = listing(table, Some(hint)).await?.newest()
    {
        return Ok(Some(newest));
    }
    Ok(listing(table, None).await?.newest())
}

/// The commit `version`, or `None` when the log has no such file.
///
/// # Errors
/// When it cannot be read, or says something that makes no sense.
pub async fn read_commit(table: &TableStore, version: u64) -> Result<Option<Commit>, DeltaError> {
    let path = commit_path(version);
    let Some(io::Fetched { bytes, modified_ms }) = io::get(table, &path).await? else {
        return Ok(None);
    };
    let parse = move || {
        let Parsed { actions, mut oddities } = actions::parse_commit(&bytes)
            .map_err(|error| DeltaError::damaged(&path, error.to_string()))?;
        if bytes.trim_ascii().is_empty() {
            oddities.insert(Oddity::EmptyCommit);
        }
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Commit { version, bytes, actions, oddities, sha256, modified_ms })
    };
    io::compute(parse).await.map(Some)
}

/// The version that `_last_checkpoint` names, if it is there and makes sense.
async fn hint(table: &TableStore) -> Result<Option<u64>, DeltaError> {
    #[derive(Deserialize)]
    struct Hint {
        version: u64,
    }
    let found = io::get(table, &log_path(LAST_CHECKPOINT)).await?;
    Ok(found
        .and_then(|found| serde_json::from_slice::<Hint>(&found.bytes).ok())
        .map(|hint| hint.version))
}

async fn listing(table: &TableStore, from: Option<u64>) -> Result<Listing, DeltaError> {
    // Every file of the version comes after its number alone.
    let after = from.map(|version| format!("{version:020}"));
    let found = io::list(table, LOG_FOLDER, after.as_deref()).await?;
    Ok(Listing::new(found.into_iter().map(|(name, meta)| LogEntry {
        name,
        size: meta.size,
        modified_ms: meta.last_modified.timestamp_millis(),
    })))
}

fn segment(
    table: &TableStore,
    listing: Listing,
    upto: Option<u64>,
) -> Result<LogSegment, DeltaError> {
    listing.segment(upto).map_err(|gap| match gap {
        Gap::Nothing => DeltaError::NotATable { uri: table.uri.clone() },
        Gap::Missing(name) => DeltaError::damaged(log_path(&name), "it is missing"),
        Gap::NotHeld(oldest, newest) => DeltaError::Invalid(format!(
            "version {} is not held by the log of {}: it holds {oldest} to {newest}",
            upto.unwrap_or_default(),
            table.uri
        )),
    })
}
