//! A commit of the log: its file and its actions.

use std::collections::BTreeSet;

use bytes::Bytes;
use deepclone_common::store::table::TableStore;
use sha2::{Digest, Sha256};

use super::names::commit_path;
use crate::actions::{self, LogAction, Oddity, Parsed};
use crate::error::DeltaError;
use crate::io::{self, ReadBound};

/// Commits that one reader fetches at once.
pub(crate) const COMMITS_AT_ONCE_MAX: usize = 16;

/// A commit file, read and parsed.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The version that it makes.
    pub version: u64,
    /// The bytes of the file.
    pub bytes: Bytes,
    /// Its actions, in the file's order.
    pub actions: Vec<LogAction>,
    /// What was ignored in it.
    pub oddities: BTreeSet<Oddity>,
    /// The SHA-256 of `bytes`.
    pub sha256: [u8; 32],
    /// When the file was last written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The file's entity tag, if the store gives one.
    pub etag: Option<String>,
}

impl Commit {
    /// Returns whether it has no bytes except white space. Stores without atomic writes show a
    /// commit so while it is being written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.oddities.contains(&Oddity::EmptyCommit)
    }

    /// Returns its in-commit timestamp, if it has one, in milliseconds since 1970.
    #[must_use]
    pub fn in_commit_timestamp(&self) -> Option<i64> {
        in_commit_timestamp(&self.actions)
    }
}

/// Returns the in-commit timestamp among `actions`.
pub(crate) fn in_commit_timestamp(actions: &[LogAction]) -> Option<i64> {
    actions.iter().find_map(|action| match action {
        LogAction::CommitInfo(raw) => {
            // If a key is repeated, the last value counts.
            let info: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
            info.get("inCommitTimestamp")?.as_i64()
        }
        _ => None,
    })
}

/// Reads the commit `version`; `None` when it is gone or unreadable, for in both cases only a
/// checkpoint above it can decide.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn readable_commit(
    table: &TableStore,
    version: u64,
) -> Result<Option<Commit>, DeltaError> {
    match read_commit(table, version).await {
        Err(DeltaError::Damaged { .. }) => Ok(None),
        settled => settled,
    }
}

/// Reads the commit `version`; `None` when the log has no such file.
///
/// # Errors
/// When it cannot be read, or is no commit.
pub async fn read_commit(table: &TableStore, version: u64) -> Result<Option<Commit>, DeltaError> {
    let path = commit_path(version);
    let Some(io::Fetched { bytes, modified_ms, etag }) =
        io::get(table, &path, ReadBound::COMMIT).await?
    else {
        return Ok(None);
    };
    let parse = move || {
        let Parsed { actions, mut oddities } = actions::parse_commit(&bytes)
            .map_err(|error| DeltaError::damaged(&path, error.to_string()))?;
        if bytes.trim_ascii().is_empty() {
            oddities.insert(Oddity::EmptyCommit);
        }
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Commit { version, bytes, actions, oddities, sha256, modified_ms, etag })
    };
    io::compute(parse).await.map(Some)
}
