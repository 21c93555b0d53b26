//! The CLONE commit: one JSON file from a change set.
//!
//! Order: `commitInfo` (first, as in-commit timestamps need it), `protocol`, `metaData`, `txn`s,
//! `domainMetadata`, `remove`s, `add`s. A pure function of the change set and the time, so that a
//! put can be repeated with the same bytes.

use std::io;

use bytes::Bytes;
use deepclone_core::failure::Failure;
use deepclone_core::limits::LOG_FILE_BYTES_MAX;
use deepclone_core::reason::Reason;
use rayon::prelude::*;

use crate::actions::{Add, Configuration, LogAction, Metadata, Remove};
use crate::change_set::{ChangeSet, CommitTime};
use crate::error::DeltaError;
use crate::io::Body;
use crate::properties::{ENABLEMENT_TIMESTAMP, ENABLEMENT_VERSION};
use crate::spool::{Spool, lost};

mod info;

/// The size limit of a commit: what is read of one, so that each sync can read those before it.
pub(crate) const BYTES_MAX: u64 = LOG_FILE_BYTES_MAX;
/// Bytes of lines that are written at once.
const WRITE_BYTES: usize = 1 << 20;

/// A commit to be written.
#[derive(Debug)]
pub(crate) struct BuiltCommit {
    pub(crate) body: Body,
    /// Its first line, the `commitInfo`.
    pub(crate) info: Bytes,
    /// The number of its actions.
    pub(crate) actions: usize,
}

/// Builds the commit at the time `now_ms` (milliseconds since 1970).
///
/// # Errors
/// A temporary file with a part of it cannot be read.
pub(crate) fn build(change_set: &ChangeSet, now_ms: i64) -> Result<BuiltCommit, DeltaError> {
    let commit = CloneCommit::new(change_set, now_ms);
    let unread = |error: io::Error| lost("a commit", &error);
    let mut head = Spool::new();
    let mut lines = String::new();
    let table = commit.table_actions();
    let info = table.first().map(LogAction::to_json).unwrap_or_default();
    let actions = table.len() + change_set.removes.len() + change_set.adds.len();
    let removes = change_set.removes.iter().map(|add| commit.remove(add));
    for action in table.into_iter().chain(removes) {
        lines.push_str(&action.to_json());
        lines.push('\n');
        if lines.len() >= WRITE_BYTES {
            head.append_anywhere(lines.as_bytes()).map_err(unread)?;
            lines.clear();
        }
    }
    head.append_anywhere(lines.as_bytes()).map_err(unread)?;
    let adds = change_set.adds.write(&mut head)?;
    let spools = [Some(head), adds].into_iter().flatten().collect();
    Ok(BuiltCommit { body: Body::new(spools), info: Bytes::from(info), actions })
}

/// Counts the bytes that [`build`] makes, line by line and without holding them. Until the year
/// 2286 times have as many digits as at planning.
pub(crate) fn size(change_set: &ChangeSet, now_ms: i64) -> u64 {
    let commit = CloneCommit::new(change_set, now_ms);
    let line = |action: LogAction| action.to_json().len() as u64 + 1;
    let table: u64 = commit.table_actions().into_iter().map(line).sum();
    let removes: u64 = change_set.removes.par_iter().map(|add| line(commit.remove(add))).sum();
    table + removes + change_set.adds.bytes()
}

/// Refuses a commit of more than `bytes_max` bytes.
///
/// # Errors
/// UNIMPLEMENTED with the size.
pub(crate) fn check_size(bytes: u64, bytes_max: u64) -> Result<(), Failure> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(Failure::new(
        Reason::Unimplemented,
        format!(
            "the replica's commit would have {bytes} bytes, more than one commit may have \
             ({bytes_max}): clone a part of the table with --where"
        ),
    )
    .with("bytes", bytes.to_string()))
}

/// A change set with the time of its commit.
struct CloneCommit<'a> {
    change_set: &'a ChangeSet,
    time_ms: i64,
}

impl<'a> CloneCommit<'a> {
    fn new(change_set: &'a ChangeSet, now_ms: i64) -> Self {
        let time_ms = match change_set.commit_time {
            CommitTime::FileTime => now_ms,
            CommitTime::InCommit { above_ms } | CommitTime::TurnsOn { above_ms } => {
                now_ms.max(above_ms.saturating_add(1))
            }
        };
        Self { change_set, time_ms }
    }

    /// Builds all actions but those of files.
    fn table_actions(&self) -> Vec<LogAction> {
        let Self { change_set, time_ms } = *self;
        let mut actions = vec![LogAction::CommitInfo(info::commit_info(change_set, time_ms))];
        actions.extend(change_set.protocol.clone().map(LogAction::Protocol));
        let metadata = change_set.metadata.as_ref();
        actions
            .extend(metadata.map(|known| LogAction::Metadata(dated(known, change_set, time_ms))));
        actions.extend(change_set.txns.iter().cloned().map(LogAction::Txn));
        actions.extend(change_set.domains.iter().cloned().map(LogAction::DomainMetadata));
        actions
    }

    fn remove(&self, add: &Add) -> LogAction {
        LogAction::Remove(tombstone(add, self.change_set.data_change, self.time_ms))
    }
}

/// Sets the replica's own times: its creation, and when in-commit timestamps were turned on.
pub(super) fn dated(metadata: &Metadata, change_set: &ChangeSet, time_ms: i64) -> Metadata {
    let mut configuration: Configuration = metadata.configuration.clone();
    if let CommitTime::TurnsOn { .. } = change_set.commit_time {
        configuration.insert(ENABLEMENT_VERSION.to_owned(), change_set.version().to_string());
        configuration.insert(ENABLEMENT_TIMESTAMP.to_owned(), time_ms.to_string());
    }
    Metadata {
        configuration,
        created_time: metadata.created_time.or(Some(time_ms)),
        ..metadata.clone()
    }
}

/// Builds a complete tombstone, so that change readers and VACUUM need nothing else. The deletion
/// happens now, not when a week-long sync began.
fn tombstone(add: &Add, data_change: bool, now_ms: i64) -> Remove {
    Remove {
        path: add.path.clone(),
        deletion_timestamp: Some(now_ms),
        data_change,
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        stats: add.stats.clone(),
        tags: add.tags.clone(),
        deletion_vector: add.deletion_vector.clone(),
        base_row_id: add.base_row_id,
        default_row_commit_version: add.default_row_commit_version,
        unknown: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_is_too_large_is_refused_with_its_size() {
        assert!(check_size(BYTES_MAX, BYTES_MAX).is_ok());
        let failure = check_size(BYTES_MAX + 1, BYTES_MAX).unwrap_err();
        assert_eq!(failure.reason, Reason::Unimplemented);
        assert!(failure.message.contains("8589934593 bytes"), "{failure}");
    }
}
