//! Reading a table's state: from a point (newest, version, time) to a log segment, and from there
//! to a snapshot.
//!
//! A damaged checkpoint gives way to an older one only if every commit after that one is there.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;
use futures::{StreamExt, TryStreamExt, stream};

use super::replay::{Replay, ReplayedState};
use super::state::{CommitDigest, Snapshot, TableState, WithTombstones};
use super::{disputed, once, time};
use crate::actions::{LogAction, Oddities, Oddity, Parsed};
use crate::error::DeltaError;
use crate::log::{self, COMMITS_AT_ONCE_MAX, CheckpointFiles, Commit, LogEntry, LogSegment};
use crate::protocol::has_in_commit_timestamps;
use crate::room::{self, PlanRoom};

/// Reads the state of `table` at `point`.
///
/// # Errors
/// When there is no log, it is damaged, it does not hold the point, or the store does not answer.
pub async fn read(table: &TableStore, point: &SourcePoint) -> Result<Snapshot, DeltaError> {
    Ok(read_with_tombstones(table, point).await?.snapshot)
}

/// Reads the newest state of `table`, once `room` lends the memory for it.
///
/// # Errors
/// As [`read`].
pub async fn read_in_room(table: &TableStore, room: &dyn PlanRoom) -> Result<Snapshot, DeltaError> {
    let segment = log::list(table, None).await?;
    room.take(room::state(&segment)).await;
    read_found(table, &SourcePoint::Newest, Ok(segment)).await
}

/// Reads the state of `table` at `point`, and its tombstones.
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

/// Reads the state of `table` at `point`, given `newest`, the result of listing its newest version.
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

/// Reads the state that `segment` gives.
async fn read_listed(
    table: &TableStore,
    segment: Result<LogSegment, DeltaError>,
) -> Result<WithTombstones, DeltaError> {
    let segment = segment?;
    match read_segment(table, &segment).await {
        // The hint may have hidden an older checkpoint, and the log may have been cleaned up
        // between the listing and the reads. Listing all of it again covers both.
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
        // The listing proves that no commit is missing after the first start; the others are
        // checked here.
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

/// A replay in progress, with its notices.
#[derive(Default)]
struct Start {
    replay: Replay,
    oddities: Oddities,
    /// The checkpoint file that it began with.
    checkpoint: Option<String>,
    disputed: Option<String>,
}

impl Start {
    /// Records the oddities of the log file `file` with these actions.
    fn note(
        &mut self,
        file: &str,
        actions: &[LogAction],
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
    let notices = oddities.notices().chain(disputed).collect();
    let tail = Tail { last_commit, checkpoint, notices };
    let ReplayedState { table: described, files, tombstones } = state;
    let mut snapshot = tail.snapshot(table, segment, described).await?;
    snapshot.files = files;
    snapshot.has_empty_commit = oddities.has(Oddity::EmptyCommit);
    Ok(WithTombstones { snapshot, tombstones })
}

/// What is known of a version besides its state.
pub(super) struct Tail {
    /// The newest commit that was read, and its in-commit timestamp.
    pub(super) last_commit: Option<(CommitDigest, Option<i64>)>,
    /// The checkpoint file that the reading began with.
    pub(super) checkpoint: Option<String>,
    pub(super) notices: Vec<String>,
}

impl Tail {
    /// Makes the snapshot of the segment's version, without its files.
    ///
    /// # Errors
    /// When the version's own commit is needed for its time, and cannot be read.
    pub(super) async fn snapshot(
        self,
        table: &TableStore,
        segment: &LogSegment,
        TableState { protocol, metadata, txns, domains }: TableState,
    ) -> Result<Snapshot, DeltaError> {
        let ict = match has_in_commit_timestamps(&protocol, &metadata.configuration) {
            true if self.last_commit.is_none() => log::read_commit(table, segment.version)
                .await?
                .and_then(|commit| commit.in_commit_timestamp()),
            true => self.last_commit.and_then(|(_, ict)| ict),
            false => None,
        };
        Ok(Snapshot {
            version: segment.version,
            protocol,
            metadata,
            txns,
            domains,
            files: BTreeMap::new(),
            commit_ms: ict.unwrap_or_else(|| time::written_ms(segment)),
            ict,
            commit: self.last_commit.map(|(digest, _)| digest),
            commit_file: commit_file(segment),
            notices: self.notices,
            has_empty_commit: false,
            checkpoint: self.checkpoint,
        })
    }
}

/// Returns the segment's own version in its listing.
fn commit_file(segment: &LogSegment) -> Option<LogEntry> {
    let (version, entry) = segment.commits.last()?;
    (*version == segment.version).then(|| entry.clone())
}

async fn read_commit(table: &TableStore, version: u64) -> Result<Commit, DeltaError> {
    let commit = log::read_commit(table, version).await?;
    commit.ok_or_else(|| DeltaError::damaged(log::commit_path(version), "it is missing"))
}
