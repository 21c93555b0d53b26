//! A commit of ours that is in the replica's log, as far as the steps after it must know it.

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::commit::BuiltCommit;
use crate::actions::{self, LogAction, Parsed};
use crate::error::DeltaError;
use crate::log;
use crate::replica::{SyncRecord, record_of};

/// A commit of ours that is in the replica's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// What it records of its sync.
    pub record: SyncRecord,
    /// The number of its actions.
    pub actions: usize,
    /// The entity tag of its file, if the store gives one.
    pub etag: Option<String>,
}

/// The result of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishResult {
    /// The commit is in the replica's log.
    Published(Box<Committed>),
    /// Another sync of ours, or a commit that changed nothing, took the version: plan again.
    Rebase,
}

impl PublishResult {
    /// Returns the version of the commit that is in the replica's log.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        match self {
            Self::Published(committed) => Some(committed.record.version),
            Self::Rebase => None,
        }
    }
}

impl Committed {
    /// Reads the commit `version` of ours.
    ///
    /// # Errors
    /// It is not there or not ours; the store does not answer.
    pub async fn read(target: &TableStore, version: u64) -> Result<Self, DeltaError> {
        let commit = log::read_commit(target, version).await?;
        let commit = commit.ok_or_else(|| not_ours(target, version))?;
        let record = record_of(&commit).ok_or_else(|| not_ours(target, version))?;
        Ok(Self { record, actions: commit.actions.len(), etag: commit.etag })
    }

    /// Describes the commit `version` that was just written, and got this entity tag.
    pub(super) fn written(
        target: &TableStore,
        version: u64,
        file: &BuiltCommit,
        etag: Option<String>,
    ) -> Result<Self, DeltaError> {
        let record =
            Self::recorded(version, &file.info).ok_or_else(|| not_ours(target, version))?;
        Ok(Self { record, actions: file.actions, etag })
    }

    /// What the first line of the commit `version` records of a sync; `None` when it is not ours.
    pub(super) fn recorded(version: u64, line: &[u8]) -> Option<SyncRecord> {
        let Parsed { actions, .. } = actions::parse_commit(line).ok()?;
        actions.iter().find_map(|action| match action {
            LogAction::CommitInfo(info) => SyncRecord::parse(version, info.get()),
            _ => None,
        })
    }
}

fn not_ours(target: &TableStore, version: u64) -> DeltaError {
    let message = format!("version {version} of {} is not a commit of ours", target.uri);
    Failure::new(Reason::Internal, message).into()
}
