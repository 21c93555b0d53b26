//! When a version was committed, and which version was the newest at a time.
//!
//! With in-commit timestamps the commit holds its time. Before they were enabled, and without them,
//! it is the modification time of the file, raised as Spark does to at least a millisecond more
//! than that of the version before.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#in-commit-timestamps>

use deepclone_common::store::table::TableStore;

use super::state::Snapshot;
use crate::error::DeltaError;
use crate::log::{self, LogEntry, LogSegment};
use crate::properties;

/// Returns when the segment's version was written, by its files' modification times.
pub(super) fn written_ms(segment: &LogSegment) -> i64 {
    match growing(segment).last() {
        Some((version, written_ms)) if version == segment.version => written_ms,
        // Only the checkpoint is left.
        _ => segment
            .checkpoints
            .first()
            .and_then(|checkpoint| checkpoint.files.first())
            .map_or(0, |entry| entry.modified_ms),
    }
}

/// Finds the newest version of the table that was committed at or before `at_ms`.
pub(super) async fn version_at(
    table: &TableStore,
    newest: &Snapshot,
    at_ms: i64,
) -> Result<u64, DeltaError> {
    let Held { oldest, at } = held_at(table, newest, at_ms).await?;
    at.ok_or_else(|| {
        let at = chrono::DateTime::from_timestamp_millis(at_ms)
            .map_or_else(|| at_ms.to_string(), |at| at.to_rfc3339());
        DeltaError::Invalid(format!(
            "the timestamp {at} is before the oldest version, {oldest}, that the log of {} holds",
            table.uri
        ))
    })
}

/// Finds the newest version of the table that was committed at or before `at_ms`, or the oldest
/// one that the log still gives.
///
/// # Errors
/// When the log cannot be listed, or a commit that tells its time cannot be read.
pub(crate) async fn version_at_or_oldest(
    table: &TableStore,
    newest: &Snapshot,
    at_ms: i64,
) -> Result<u64, DeltaError> {
    let Held { oldest, at } = held_at(table, newest, at_ms).await?;
    Ok(at.unwrap_or(oldest))
}

/// What a log holds at a time.
struct Held {
    /// The oldest version that it gives.
    oldest: u64,
    /// The newest version at that time; `None` when the log does not go back so far.
    at: Option<u64>,
}

async fn held_at(table: &TableStore, newest: &Snapshot, at_ms: i64) -> Result<Held, DeltaError> {
    if at_ms >= newest.commit_ms {
        return Ok(Held { oldest: newest.version, at: Some(newest.version) });
    }
    let segment = log::list_whole(table, Some(newest.version)).await?;
    let oldest = oldest_version(&segment);
    let at = match in_commit_from(newest, at_ms) {
        Some(Era::InCommit(first)) => {
            in_commit_at(table, first.max(oldest), newest.version, at_ms).await?
        }
        Some(Era::Before(first)) => written_at(&segment, oldest, first, at_ms),
        None => written_at(&segment, oldest, newest.version + 1, at_ms),
    };
    Ok(Held { oldest, at })
}

/// Which times decide the version of a point in time.
enum Era {
    /// In-commit timestamps, from this version on.
    InCommit(u64),
    /// The files' own times, for the versions before this one.
    Before(u64),
}

/// Returns the era of `at_ms`; `None` when the table has no in-commit timestamps.
fn in_commit_from(newest: &Snapshot, at_ms: i64) -> Option<Era> {
    newest.ict?;
    Some(match properties::in_commit_enablement(&newest.metadata.configuration) {
        Some((version, enabled_ms)) if at_ms < enabled_ms => Era::Before(version),
        Some((version, _)) => Era::InCommit(version),
        None => Era::InCommit(0),
    })
}

/// Finds the newest version in `first..=last` whose in-commit timestamp is not after `at_ms`, by
/// binary search: the timestamps grow.
async fn in_commit_at(
    table: &TableStore,
    first: u64,
    last: u64,
    at_ms: i64,
) -> Result<Option<u64>, DeltaError> {
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let path = log::commit_path(middle);
        let commit = log::read_commit(table, middle)
            .await?
            .ok_or_else(|| DeltaError::damaged(&path, "it is missing"))?;
        let ict = commit
            .in_commit_timestamp()
            .ok_or_else(|| DeltaError::damaged(&path, "it has no in-commit timestamp"))?;
        if ict <= at_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low.checked_sub(1).filter(|version| *version >= first))
}

/// Returns the newest version in `oldest..before` whose file was written at or before `at_ms`.
fn written_at(segment: &LogSegment, oldest: u64, before: u64, at_ms: i64) -> Option<u64> {
    growing(segment)
        .filter(|(version, written_ms)| (oldest..before).contains(version) && *written_ms <= at_ms)
        .map(|(version, _)| version)
        .last()
}

/// Returns the oldest version that the segment's files can give.
fn oldest_version(segment: &LogSegment) -> u64 {
    match segment.commits.first() {
        Some((0, _)) => 0,
        _ => segment.checkpoints.last().map_or(segment.version, |found| found.version),
    }
}

/// Lists the segment's commits with times that grow.
fn growing(segment: &LogSegment) -> impl Iterator<Item = (u64, i64)> + '_ {
    growing_after(i64::MIN, &segment.commits)
}

/// Lists the commits with times that grow, from the time of the commit before them on.
pub(super) fn growing_after(
    mut previous_ms: i64,
    commits: &[(u64, LogEntry)],
) -> impl Iterator<Item = (u64, i64)> + '_ {
    commits.iter().map(move |(version, entry)| {
        previous_ms = entry.modified_ms.max(previous_ms.saturating_add(1));
        (*version, previous_ms)
    })
}
