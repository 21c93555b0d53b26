//! The state of a table at one version, as a value.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;

use crate::actions::{Add, DomainMetadata, Metadata, Protocol, Remove, Txn};
use crate::error::DeltaError;
use crate::file_key::{FileKey, LogKey};
use crate::io;
use crate::log::{self, Commit, LogEntry};

/// The state of a table at one version.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub version: u64,
    /// The newest protocol up to the version.
    pub protocol: Protocol,
    /// The newest metadata up to the version.
    pub metadata: Metadata,
    /// The newest transaction of each application.
    pub txns: BTreeMap<String, Txn>,
    /// The domains that are not removed.
    pub domains: BTreeMap<String, DomainMetadata>,
    pub files: BTreeMap<FileKey, Add>,
    /// When the version was committed, in milliseconds since 1970: its in-commit timestamp where
    /// that is enabled, else when its file was written (later than that of the version before).
    pub commit_ms: i64,
    /// The version's in-commit timestamp, where that is enabled.
    pub ict: Option<i64>,
    /// The version's commit, if it was read.
    pub commit: Option<CommitDigest>,
    /// The version's commit in the listing of the log, if it is there.
    pub commit_file: Option<LogEntry>,
    /// Notices about the log for the operator, one line each.
    pub notices: Vec<String>,
    /// True when a commit has no bytes; it may be filled in later.
    pub has_empty_commit: bool,
    /// The checkpoint file that it was read from, relative to the table's folder.
    pub checkpoint: Option<String>,
}

/// The state of a table without its files.
#[derive(Clone, Debug)]
pub struct TableState {
    pub protocol: Protocol,
    pub metadata: Metadata,
    /// The newest transaction of each application.
    pub txns: BTreeMap<String, Txn>,
    /// The domains that are not removed.
    pub domains: BTreeMap<String, DomainMetadata>,
}

impl Snapshot {
    /// Returns the state without the files.
    pub(crate) fn table(&self) -> TableState {
        TableState {
            protocol: self.protocol.clone(),
            metadata: self.metadata.clone(),
            txns: self.txns.clone(),
            domains: self.domains.clone(),
        }
    }
}

/// What identifies a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitDigest {
    /// The SHA-256 of its file.
    pub sha256: [u8; 32],
    pub is_empty: bool,
}

impl CommitDigest {
    pub(crate) fn of(commit: &Commit) -> Self {
        Self { sha256: commit.sha256, is_empty: commit.is_empty() }
    }

    /// Computes it of the commit `version` without parsing its actions; `None` when it is gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn read(table: &TableStore, version: u64) -> Result<Option<Self>, DeltaError> {
        let found = io::sha256(table, &log::commit_path(version)).await?;
        Ok(found.map(|(sha256, is_empty)| Self { sha256, is_empty }))
    }
}

/// A snapshot and the removed files whose tombstones the log still holds.
#[derive(Clone, Debug)]
pub struct WithTombstones {
    pub snapshot: Snapshot,
    /// The newest `remove` of each file that is not live, by the log's spelling.
    pub tombstones: BTreeMap<LogKey, Remove>,
}
