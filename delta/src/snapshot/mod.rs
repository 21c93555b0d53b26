//! The state of a table at one version: a checkpoint and the commits after it, replayed.
//!
//! Flow: a point (newest, version, time) → a log segment → actions, oldest first → a [`Snapshot`].
//! A damaged checkpoint gives way to an older one only if every commit after that one is there.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#action-reconciliation>

mod disputed;
mod once;
mod replay;
mod time;

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;
use futures::{StreamExt, TryStreamExt, stream};

use crate::actions::{
    Action, Add, DomainMetadata, Metadata, Oddities, Oddity, Parsed, Protocol, Remove, Txn,
};
use crate::error::DeltaError;
use crate::features::has_in_commit_timestamps;
use crate::log::{self, CheckpointFiles, Commit, LogEntry, LogSegment};
use crate::paths::{FileKey, LogKey};
use replay::Replay;

/// Commits that are fetched at once.
const COMMITS_AT_ONCE_MAX: usize = 16;

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

/// The state of `table` at `point`.
///
/// # Errors
/// No log, a damaged one, a point that it does not hold, or a store that does not answer.
pub async fn read(table: &TableStore, point: &SourcePoint) -> Result<Snapshot, DeltaError> {
    Ok(read_with_tombstones(table, point).await?.snapshot)
}

/// The state of `table` at `point`, and its tombstones.
///
/// # Errors
/// As [`read`].
pub async fn read_with_tombstones(
    table: &TableStore,
    point: &SourcePoint,
) -> Result<WithTombstones, DeltaError> {
    match point {
        SourcePoint::Newest => read_version(table, None).await,
        SourcePoint::Version(version) => read_version(table, Some(*version)).await,
        SourcePoint::Timestamp(at_ms) => {
            let newest = read_version(table, None).await?.snapshot;
            read_at(table, &newest, *at_ms).await
        }
    }
}

/// The state of `table` at `point`, where its newest version was looked for already and `newest`
/// is what came of it.
///
/// # Errors
/// As [`read`].
pub(crate) async fn read_found(
    table: &TableStore,
    point: &SourcePoint,
    newest: Result<LogSegment, DeltaError>,
) -> Result<Snapshot, DeltaError> {
    let found = match (point, newest) {
        (SourcePoint::Newest, newest) => read_listed(table, newest).await?,
        (SourcePoint::Version(version), Ok(newest)) if newest.version == *version => {
            read_listed(table, Ok(newest)).await?
        }
        (SourcePoint::Version(version), _) => read_version(table, Some(*version)).await?,
        (SourcePoint::Timestamp(at_ms), newest) => {
            let newest = read_listed(table, newest).await?.snapshot;
            read_at(table, &newest, *at_ms).await?
        }
    };
    Ok(found.snapshot)
}

async fn read_at(
    table: &TableStore,
    newest: &Snapshot,
    at_ms: i64,
) -> Result<WithTombstones, DeltaError> {
    let version = time::version_at(table, newest, at_ms).await?;
    read_version(table, Some(version)).await
}

async fn read_version(
    table: &TableStore,
    version: Option<u64>,
) -> Result<WithTombstones, DeltaError> {
    read_listed(table, log::list(table, version).await).await
}

/// The state that `segment` gives.
async fn read_listed(
    table: &TableStore,
    segment: Result<LogSegment, DeltaError>,
) -> Result<WithTombstones, DeltaError> {
    let segment = segment?;
    match read_segment(table, &segment).await {
        // The hint may have hidden an older checkpoint, and the log may have been cleaned between
        // the listing and the reads: a second look at all of it settles both.
        Err(DeltaError::Damaged { .. }) => {
            let segment = log::list_whole(table, Some(segment.version)).await?;
            read_segment(table, &segment).await
        }
        settled => settled,
    }
}

async fn read_segment(
    table: &TableStore,
    segment: &LogSegment,
) -> Result<WithTombstones, DeltaError> {
    let mut damage = None;
    let starts = segment.checkpoints.iter().map(Some).chain([None]);
    for start in starts {
        // The listing proves that the commits after the first start are whole; for the others
        // this decides.
        let Ok(commits) = segment.commits_after(start.map(|found| found.version)) else {
            continue;
        };
        let start = match start {
            Some(checkpoint) => start_at(table, checkpoint).await,
            None => Ok(Start::default()),
        };
        match start {
            Ok(start) => return go_on(table, segment, start, commits).await,
            Err(error @ DeltaError::Damaged { .. }) => {
                tracing::warn!(%error, table = table.uri, "a checkpoint is damaged");
                damage.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(damage.unwrap_or_else(|| DeltaError::NotATable { uri: table.uri.clone() }))
}

/// A replay under way, and what is to be told of it.
#[derive(Default)]
struct Start {
    replay: Replay,
    oddities: Oddities,
    /// The checkpoint that it began with.
    checkpoint: Option<String>,
    disputed: Option<String>,
}

impl Start {
    /// Notes what is odd about the log file `file`, whose actions are these.
    fn note(
        &mut self,
        file: &str,
        actions: &[Action],
        oddities: BTreeSet<Oddity>,
    ) -> Result<(), DeltaError> {
        let repeated = once::describes_once(file, actions)?;
        for oddity in oddities.into_iter().chain(repeated) {
            self.oddities.note(file, oddity);
        }
        Ok(())
    }
}

async fn start_at(table: &TableStore, checkpoint: &CheckpointFiles) -> Result<Start, DeltaError> {
    let Parsed { actions, oddities } = log::checkpoint::read(table, checkpoint).await?;
    let file = log::log_path(checkpoint.files.first().map_or("", |entry| &entry.name));
    let mut start = Start::default();
    start.note(&file, &actions, oddities)?;
    let disputed = start.replay.apply_checkpoint(&table.uri, &file, actions);
    if !start.replay.has_protocol_and_metadata() {
        return Err(DeltaError::damaged(file, "it holds no protocol or no metadata"));
    }
    let named = (checkpoint.version, file.as_str());
    start.disputed = disputed::settle(table, named, &mut start.replay, disputed).await?;
    start.checkpoint = Some(file);
    Ok(start)
}

async fn go_on(
    table: &TableStore,
    segment: &LogSegment,
    mut start: Start,
    commits: &[(u64, LogEntry)],
) -> Result<WithTombstones, DeltaError> {
    let mut last_commit = None;
    let versions: Vec<u64> = commits.iter().map(|(version, _)| *version).collect();
    let mut reads = stream::iter(versions)
        .map(|version| read_commit(table, version))
        .buffered(COMMITS_AT_ONCE_MAX);
    while let Some(commit) = reads.try_next().await? {
        let digest = CommitDigest::of(&commit);
        let Commit { version, actions, oddities, .. } = commit;
        last_commit = Some((digest, log::in_commit_timestamp(&actions)));
        let file = log::commit_path(version);
        start.note(&file, &actions, oddities)?;
        start.replay.apply(&table.uri, &file, actions);
    }
    drop(reads);
    let Start { replay, oddities, checkpoint, disputed } = start;
    let state = replay.finish(&table.uri, &log::commit_path(segment.version))?;
    let ict = match has_in_commit_timestamps(&state.protocol, &state.metadata.configuration) {
        true if commits.is_empty() => log::read_commit(table, segment.version)
            .await?
            .and_then(|commit| commit.in_commit_timestamp()),
        true => last_commit.and_then(|(_, ict)| ict),
        false => None,
    };
    let written_ms = time::written_ms(segment);
    Ok(WithTombstones {
        snapshot: Snapshot {
            version: segment.version,
            protocol: state.protocol,
            metadata: state.metadata,
            txns: state.txns,
            domains: state.domains,
            files: state.files,
            commit_ms: ict.unwrap_or(written_ms),
            ict,
            commit: last_commit.map(|(digest, _)| digest),
            notices: oddities.notices().chain(disputed).collect(),
            has_empty_commit: oddities.has(Oddity::EmptyCommit),
            checkpoint,
        },
        tombstones: state.tombstones,
    })
}

async fn read_commit(table: &TableStore, version: u64) -> Result<Commit, DeltaError> {
    let commit = log::read_commit(table, version).await?;
    commit.ok_or_else(|| DeltaError::damaged(log::commit_path(version), "it is missing"))
}

#[cfg(test)]
mod tests;
