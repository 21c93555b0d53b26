//! The memory that reading a table takes, judged by the lengths of its log's files before they are
//! read: who makes several plans at once asks for it, so that large ones wait for each other.

use std::fmt;

use futures::future::BoxFuture;

use crate::log::{CheckpointFiles, LogEntry, LogSegment};

/// Bytes of memory for a byte of a checkpoint, where all live files are held: 1.2 KiB for each
/// file, of which checkpoints with few statistics have 60 bytes. Those with many have 200 and more.
const STATE_PER_CHECKPOINT_BYTE: u64 = 20;
/// The same for commits, which have some 350 bytes for each file, and are held as text, too.
const STATE_PER_COMMIT_BYTE: u64 = 6;
/// Bytes of memory for a byte of a checkpoint that is planned from while it is read: some 150 for
/// each file.
const FLOWING_PER_CHECKPOINT_BYTE: u64 = 3;

/// Lends memory to a plan before it takes it.
pub trait PlanRoom: fmt::Debug + Sync {
    /// Waits until the plan may hold about so many bytes, instead of what it was lent before. A
    /// plan that would take more than there is waits until it is alone.
    fn take(&self, bytes: u64) -> BoxFuture<'_, ()>;
}

/// The memory of some commits whose actions are held.
pub(crate) fn commits<'a>(commits: impl IntoIterator<Item = &'a (u64, LogEntry)>) -> u64 {
    length(commits).saturating_mul(STATE_PER_COMMIT_BYTE)
}

/// The memory of the whole state of a table.
pub(crate) fn state(segment: &LogSegment) -> u64 {
    read(segment, STATE_PER_CHECKPOINT_BYTE)
}

/// The memory of a first plan, which holds no state.
pub(crate) fn flowing(segment: &LogSegment) -> u64 {
    read(segment, FLOWING_PER_CHECKPOINT_BYTE)
}

/// The bytes that are read of a log.
pub(crate) fn read_bytes(segment: &LogSegment) -> u64 {
    let (checkpoint, commits) = lengths(segment);
    checkpoint.saturating_add(commits)
}

fn read(segment: &LogSegment, per_checkpoint_byte: u64) -> u64 {
    let (checkpoint, commits) = lengths(segment);
    let commits = commits.saturating_mul(STATE_PER_COMMIT_BYTE);
    checkpoint.saturating_mul(per_checkpoint_byte).saturating_add(commits)
}

/// What is read of a log is its newest checkpoint, and the commits after it.
fn lengths(segment: &LogSegment) -> (u64, u64) {
    let newest = segment.checkpoints.first();
    let newer = |(version, _): &&(u64, LogEntry)| newest.is_none_or(|at| *version > at.version);
    let files = newest.map_or(&[][..], |CheckpointFiles { files, .. }| files);
    let bytes = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
    (bytes, length(segment.commits.iter().filter(newer)))
}

fn length<'a>(commits: impl IntoIterator<Item = &'a (u64, LogEntry)>) -> u64 {
    commits.into_iter().map(|(_, entry)| entry.size).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(size: u64) -> LogEntry {
        LogEntry { name: String::new(), size, modified_ms: 0, etag: None }
    }

    #[test]
    fn a_table_takes_what_its_newest_checkpoint_and_newer_commits_say() {
        let commits = vec![(1, entry(1_000)), (2, entry(10)), (3, entry(20))];
        let checkpoint = |version, sizes: &[u64]| CheckpointFiles {
            version,
            files: sizes.iter().copied().map(entry).collect(),
        };
        let cases = [
            (vec![], (6_180, 6_180)),
            (vec![checkpoint(2, &[100, 1]), checkpoint(1, &[9_999])], (2_020 + 120, 303 + 120)),
            (vec![checkpoint(3, &[u64::MAX, 1])], (u64::MAX, u64::MAX)),
        ];
        for (checkpoints, expected) in cases {
            let segment = LogSegment { version: 3, checkpoints, commits: commits.clone() };
            assert_eq!((state(&segment), flowing(&segment)), expected, "{segment:?}");
            // Of the newest checkpoint, and of the commits after it.
            let last = segment.checkpoints.first().map_or(1_030, |newest| match newest.version {
                2 => 101 + 20,
                _ => u64::MAX,
            });
            assert_eq!(read_bytes(&segment), last, "{segment:?}");
        }
    }
}
