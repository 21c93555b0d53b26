//! Which files of a replica's log go: those behind a checkpoint from which every version that is
//! kept can be read. Commits, checkpoints, checksums and compactions go by their versions; sidecars
//! go once they are old and no checkpoint that is left names them; files of other names stay.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#metadata-cleanup>

use std::collections::BTreeSet;

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;

use super::options::VacuumedObject;
use super::rules::DeletedKind;
use crate::error::DeltaError;
use crate::io;
use crate::log::{self, CheckpointFiles, LogSegment};
use crate::paths::{LOG_FOLDER, SIDECAR_FOLDER};
use crate::snapshot;

/// What a clean-up of a log goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogAges {
    /// The oldest version that is kept.
    pub(super) oldest_kept: u64,
    /// A checkpoint that is younger takes no other files' place.
    pub(super) before_ms: i64,
    /// A sidecar that is younger may belong to a checkpoint that is being written.
    pub(super) sidecars_before_ms: i64,
}

/// Finds the files of the log that go, the oldest version first, then sidecars: none is needed by a
/// version that is kept.
pub(super) async fn behind(
    target: &TableStore,
    ages: LogAges,
) -> Result<Vec<VacuumedObject>, DeltaError> {
    let segment = log::list_whole(target, None).await?;
    let mut version = start(&segment, ages.oldest_kept, ages.before_ms);
    if let Some(found) = version
        && !is_read_from(target, &segment, found).await?
    {
        version = None;
    }
    let all = io::list(target, LOG_FOLDER, None).await?;
    let listed = all.into_iter().map(|(name, meta)| VacuumedObject {
        key: log::log_path(&name),
        size: meta.size,
        modified_ms: meta.last_modified.timestamp_millis(),
        kind: DeletedKind::Log,
    });
    let (mut gone, mut sidecars) = (Vec::new(), Vec::new());
    for object in listed {
        let name = object.key.strip_prefix(LOG_FOLDER).unwrap_or_default();
        if version.is_some_and(|version| goes(name.trim_start_matches('/'), version)) {
            gone.push(object);
        } else if is_old_sidecar(&object, ages.sidecars_before_ms) {
            sidecars.push(object);
        }
    }
    if !sidecars.is_empty() {
        let left = segment.checkpoints.iter().filter(|found| version <= Some(found.version));
        match named_by(target, left).await {
            Ok(named) => {
                sidecars.retain(|sidecar| !named.contains(&sidecar.key));
                gone.append(&mut sidecars);
            }
            // What it names cannot be told.
            Err(DeltaError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    gone.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(gone)
}

fn is_old_sidecar(object: &VacuumedObject, before_ms: i64) -> bool {
    let name = object.key.strip_prefix(SIDECAR_FOLDER).and_then(|name| name.strip_prefix('/'));
    let is_sidecar = name.is_some_and(|name| !name.starts_with('.') && name.ends_with(".parquet"));
    is_sidecar && object.modified_ms <= before_ms
}

/// Lists the sidecars that these checkpoints name, by key.
async fn named_by(
    target: &TableStore,
    checkpoints: impl Iterator<Item = &CheckpointFiles>,
) -> Result<BTreeSet<String>, DeltaError> {
    let mut named = BTreeSet::new();
    for checkpoint in checkpoints {
        named.append(&mut log::checkpoint_part::sidecars_of(target, checkpoint).await?);
    }
    Ok(named)
}

/// Returns the version of the newest checkpoint that is old enough, and from which the newest
/// version and all those that are kept can be read. Its own commit must be there, for its time.
fn start(segment: &LogSegment, oldest_kept: u64, before_ms: i64) -> Option<u64> {
    let fits = |found: &&CheckpointFiles| {
        found.version <= oldest_kept
            && found.files.iter().all(|file| file.modified_ms <= before_ms)
            && segment.commits_after(Some(found.version)).is_ok()
            && segment.commits.iter().any(|(version, _)| *version == found.version)
    };
    segment.checkpoints.iter().find(fits).map(|found| found.version)
}

/// Returns whether the checkpoint of `version` itself can be read.
async fn is_read_from(
    target: &TableStore,
    segment: &LogSegment,
    version: u64,
) -> Result<bool, DeltaError> {
    let read = snapshot::read(target, &SourcePoint::Version(version)).await?;
    let mut files = segment.checkpoints.iter().filter(|found| found.version == version);
    let first = |found: &CheckpointFiles| found.files.first().map(|file| file.name.clone());
    Ok(files.any(|found| first(found).map(|name| log::log_path(&name)) == read.checkpoint))
}

/// Returns whether the file of the log is of versions below `version` alone.
fn goes(name: &str, version: u64) -> bool {
    let mut parts = name.split('.');
    let number = |part: Option<&str>| {
        let digits = part.filter(|part| part.len() == 20)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    // A compaction is named by its first and its last version.
    match (number(parts.next()), number(parts.next())) {
        (Some(_), Some(last)) => last < version,
        (Some(only), None) => only < version,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogEntry;

    fn entry(name: &str, modified_ms: i64) -> LogEntry {
        LogEntry { name: name.to_owned(), size: 1, modified_ms, etag: None }
    }

    /// Commits of these versions, and checkpoints, each as old as its version.
    fn segment(commits: &[u64], checkpoints: &[u64]) -> LogSegment {
        let at = |version: u64| i64::try_from(version).unwrap();
        let checkpoints = checkpoints.iter().rev().map(|version| CheckpointFiles {
            version: *version,
            files: vec![entry("c", at(*version))],
        });
        LogSegment {
            version: *commits.last().unwrap(),
            checkpoints: checkpoints.collect(),
            commits: commits.iter().map(|version| (*version, entry("x", at(*version)))).collect(),
        }
    }

    #[test]
    fn the_log_begins_with_the_newest_checkpoint_that_serves_all_that_is_kept() {
        for (commits, checkpoints, oldest_kept, before_ms, expect) in [
            (&[0, 1, 2, 3, 4][..], &[1, 3][..], 4, 10, Some(3)),
            (&[0, 1, 2, 3, 4], &[1, 3], 2, 10, Some(1)),
            (&[0, 1, 2, 3, 4], &[1, 3], 3, 10, Some(3)),
            (&[0, 1, 2, 3, 4], &[1, 3], 0, 10, None),
            // Too young.
            (&[0, 1, 2, 3, 4], &[1, 3], 4, 2, Some(1)),
            (&[0, 1, 2, 3, 4], &[1, 3], 4, 0, None),
            (&[0, 1, 2, 3, 4], &[], 4, 10, None),
            // A clean-up was here before.
            (&[3, 4], &[3], 4, 10, Some(3)),
            (&[4], &[3], 4, 10, None),
            (&[3, 4], &[1, 3], 2, 10, None),
        ] {
            let found = start(&segment(commits, checkpoints), oldest_kept, before_ms);
            assert_eq!(found, expect, "{commits:?} {checkpoints:?} {oldest_kept} {before_ms}");
        }
    }

    #[test]
    fn files_go_by_their_versions() {
        let v = |version: u64| format!("{version:020}");
        for (name, expect) in [
            (format!("{}.json", v(9)), true),
            (format!("{}.json", v(10)), false),
            (format!("{}.checkpoint.parquet", v(9)), true),
            (format!("{}.checkpoint.parquet", v(10)), false),
            (format!("{}.checkpoint.0000000001.0000000002.parquet", v(9)), true),
            (format!("{}.crc", v(9)), true),
            (format!("{}.{}.compacted.json", v(2), v(9)), true),
            (format!("{}.{}.compacted.json", v(2), v(10)), false),
            (format!(".{}.json.crc", v(9)), false),
            ("_last_checkpoint".to_owned(), false),
            ("_sidecars/x.parquet".to_owned(), false),
            ("9.json".to_owned(), false),
            (format!("_staged_commits/{}.x.json", v(1)), false),
        ] {
            assert_eq!(goes(&name, 10), expect, "{name}");
        }
    }
}
