//! The log's files: which of them give a version, and what a commit says.
//!
//! Flow: a listing of `_delta_log` → a [`LogSegment`] → its checkpoint and its commits.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#delta-log-entries>

pub(crate) mod checkpoint;
mod columns;
mod listing;
mod names;
mod row;
mod segment;
mod stats;

use std::collections::BTreeSet;

use bytes::Bytes;
use deepclone_common::store::table::TableStore;
use sha2::{Digest, Sha256};

use crate::actions::{self, Action, Oddity, Parsed};
use crate::error::DeltaError;
use crate::io;
use crate::paths::LOG_FOLDER;

pub(crate) use listing::{has_checkpoint_from, hint};
pub use listing::{head, list, list_whole};
pub use segment::{CheckpointFiles, LogEntry, LogSegment};

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
