//! The state of a table at one version, as a value.

use std::collections::BTreeMap;

use crate::actions::{Add, DomainMetadata, Metadata, Protocol, Remove, Txn};
use crate::file_key::{FileKey, LogKey};
use crate::log::Commit;

/// The state of a table at one version.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The version.
    pub version: u64,
    /// The protocol in force.
    pub protocol: Protocol,
    /// The metadata in force.
    pub metadata: Metadata,
    /// The newest progress of each application.
    pub txns: BTreeMap<String, Txn>,
    /// The live domains.
    pub domains: BTreeMap<String, DomainMetadata>,
    /// The live files.
    pub files: BTreeMap<FileKey, Add>,
    /// When the version was committed, in milliseconds since 1970: its in-commit timestamp where
    /// that is enabled, else when its file was written (later than that of the version before).
    pub commit_ms: i64,
    /// Its in-commit timestamp, where that is enabled.
    pub ict: Option<i64>,
    /// Its commit, where that was read.
    pub commit: Option<CommitDigest>,
    /// What in the log an operator should know of, one line each.
    pub notices: Vec<String>,
    /// True when a commit has no bytes: it may be filled in later, and say more then.
    pub has_empty_commit: bool,
    /// The checkpoint that it was read through, relative to the table's folder.
    pub checkpoint: Option<String>,
}

/// What identifies a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitDigest {
    /// The SHA-256 of its file.
    pub sha256: [u8; 32],
    /// True when it has no bytes.
    pub is_empty: bool,
}

impl CommitDigest {
    pub(crate) fn of(commit: &Commit) -> Self {
        Self { sha256: commit.sha256, is_empty: commit.is_empty() }
    }
}

/// A snapshot and the removed files whose tombstones the log still holds.
#[derive(Clone, Debug)]
pub struct WithTombstones {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The newest `remove` of each file that is not live, by the log's spelling.
    pub tombstones: BTreeMap<LogKey, Remove>,
}
