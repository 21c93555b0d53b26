//! What some commits do to a table, read without the table's files: for a sync that knows the state
//! before them.

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_common::store::table::TableStore;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde_json::value::RawValue;

use super::replay::Replay;
use super::state::{CommitDigest, TableState};
use super::{once, time};
use crate::actions::{Add, LogAction};
use crate::error::DeltaError;
use crate::file_key::{FileKey, LogKey};
use crate::log::{self, COMMITS_AT_ONCE_MAX, Commit, LogEntry, LogSegment, NamedCheckpoint, Names};
use crate::protocol::has_in_commit_timestamps;

/// Files, and whether each is live.
pub(crate) type LiveAt = BTreeMap<LogKey, bool>;

/// What the commits up to a version did.
#[derive(Debug)]
pub(crate) struct Onward {
    /// The table after them.
    pub(crate) table: TableState,
    /// The files that they name: the newest `add`, or none for a file that they removed.
    pub(crate) files: BTreeMap<LogKey, Option<Add>>,
    /// The files that were named up to the version that was asked for.
    pub(crate) live_at: LiveAt,
    /// True when one of them changed rows.
    pub(crate) changes_rows: bool,
    /// What identifies the last one.
    pub(crate) commit: CommitDigest,
    /// When the last one was committed, as in [`super::Snapshot`].
    pub(crate) commit_ms: i64,
    /// Its in-commit timestamp, where that is enabled.
    pub(crate) ict: Option<i64>,
}

/// Reads `commits`, which follow on a commit of the time `before_ms` that left `table`, and notes
/// which files are live at the version `stop`. `None` when one is gone, or holds what only the
/// whole state can judge.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn go_on(
    source: &TableStore,
    table: TableState,
    before_ms: i64,
    commits: &[(u64, LogEntry)],
    stop: Option<u64>,
) -> Result<Option<Onward>, DeltaError> {
    let was_timed = has_in_commit_timestamps(&table.protocol, &table.metadata.configuration);
    let mut replay = Replay::of(table);
    let mut live_at = LiveAt::new();
    let mut changes_rows = false;
    let mut last = None;
    let mut reads = std::pin::pin!(reads(source, commits));
    while let Some(commit) = reads.try_next().await? {
        let Some(commit) = commit else { return Ok(None) };
        let version = commit.version;
        changes_rows |= commit.actions.iter().any(LogAction::changes_rows);
        last = replay_usual(&mut replay, source, commit);
        if last.is_none() {
            return Ok(None);
        }
        if stop == Some(version) {
            live_at = replay.live();
        }
    }
    let Some(((commit, ict), (table, files))) = last.zip(replay.changes()) else { return Ok(None) };
    let is_timed = has_in_commit_timestamps(&table.protocol, &table.metadata.configuration);
    let ict = ict.filter(|_| is_timed);
    // The times of files alone count then, of all commits that the log still holds.
    let is_timed_anew = was_timed && ict.is_none();
    if table.metadata.schema_string.is_empty() || is_timed_anew {
        return Ok(None);
    }
    let written_ms = time::growing_after(before_ms, commits).last().map(|(_, ms)| ms);
    let commit_ms = ict.or(written_ms).unwrap_or_default();
    Ok(Some(Onward { table, files, live_at, changes_rows, commit, commit_ms, ict }))
}

/// Applies a commit; returns what identifies it, and its in-commit timestamp. `None` for one that
/// holds what only the whole state can judge.
pub(super) fn replay_usual(
    replay: &mut Replay,
    table: &TableStore,
    commit: Commit,
) -> Option<(CommitDigest, Option<i64>)> {
    let file = log::commit_path(commit.version);
    let repeated = once::describes_once(&file, &commit.actions);
    if !commit.oddities.is_empty() || !matches!(repeated, Ok(None)) {
        return None;
    }
    let last = (CommitDigest::of(&commit), commit.in_commit_timestamp());
    replay.apply(&table.uri, &file, commit.actions);
    Some(last)
}

/// Reads the commits in order; `None` for one that is gone or unreadable.
pub(super) fn reads<'a>(
    table: &'a TableStore,
    commits: &'a [(u64, LogEntry)],
) -> impl Stream<Item = Result<Option<Commit>, DeltaError>> + 'a {
    let reads = commits.iter().map(|(version, _)| log::readable_commit(table, *version));
    stream::iter(reads).buffered(COMMITS_AT_ONCE_MAX)
}

/// Files of a table's newest version, and what they were read from.
#[derive(Debug)]
pub(crate) struct LiveIn {
    pub(crate) files: BTreeMap<FileKey, Add>,
    /// The checkpoint, if there is one.
    pub(crate) checkpoint: Option<NamedCheckpoint>,
    /// The `commitInfo` of each commit after it that has one, oldest first.
    pub(crate) infos: Vec<(u64, Box<RawValue>)>,
}

/// Reads the live files of the newest version that lie in the objects `names`. `None` when the log
/// lacks a commit, or only the whole state can judge it.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn live_in(
    table: &TableStore,
    segment: &LogSegment,
    names: &Arc<Names>,
) -> Result<Option<LiveIn>, DeltaError> {
    let start = segment.checkpoints.first();
    let Ok(commits) = segment.commits_after(start.map(|found| found.version)) else {
        return Ok(None);
    };
    let mut live: BTreeMap<LogKey, Add> = BTreeMap::new();
    let (mut checkpoint, mut infos) = (None, Vec::new());
    if let Some(start) = start {
        let (adds, found) = match log::checkpoint_part::read_named(table, start, names).await {
            Ok(found) => found,
            Err(DeltaError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        live.extend(adds.into_iter().map(|add| (LogKey::of_add(&add), add)));
        checkpoint = Some(found);
    }
    let mut reads = std::pin::pin!(reads(table, commits));
    while let Some(commit) = reads.try_next().await? {
        let Some(commit) = commit else { return Ok(None) };
        for action in commit.actions {
            match action {
                LogAction::Add(add) if names.has(&table.uri, &add) => {
                    live.insert(LogKey::of_add(&add), add);
                }
                LogAction::Remove(remove) => drop(live.remove(&LogKey::of_remove(&remove))),
                LogAction::CommitInfo(info) => infos.push((commit.version, info)),
                _ => {}
            }
        }
    }
    let count = live.len();
    let keyed = live.into_values().map(|add| Ok((FileKey::of_add(&table.uri, &add)?, add)));
    let Ok(files) = keyed.collect::<Result<BTreeMap<_, _>, DeltaError>>() else { return Ok(None) };
    Ok((files.len() == count).then_some(LiveIn { files, checkpoint, infos }))
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use serde_json::json;

    use super::*;
    use crate::io;

    #[tokio::test]
    async fn of_the_newest_files_those_with_a_name_are_kept() {
        let (root, uri) = (Path::from("t"), "memory:///t".to_owned());
        let table = TableStore { store: Arc::new(InMemory::new()), root, uri, large: None };
        let add = |path: &str| {
            json!({"add": {"path": path, "partitionValues": {}, "size": 1, "modificationTime": 1,
                "dataChange": true}})
        };
        let remove = json!({"remove": {"path": "b", "dataChange": true}});
        let commits = [
            vec![json!({"commitInfo": {"operation": "WRITE"}}), add("a"), add("b"), add("c")],
            vec![remove, add("d")],
            vec![add("e"), json!({"commitInfo": {"operation": "OPTIMIZE"}})],
        ];
        for (version, actions) in commits.iter().enumerate() {
            let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
            let bytes = bytes::Bytes::from(lines.join("\n"));
            io::put(&table, &log::commit_path(version as u64), bytes.into()).await.unwrap();
        }
        let segment = log::list(&table, None).await.unwrap();
        let data = ["a", "b", "d"].map(str::to_owned).into();
        let names = Arc::new(Names { data, ..Names::default() });
        let found = live_in(&table, &segment, &names).await.unwrap().unwrap();
        let files: Vec<&str> = found.files.keys().map(|key| key.path.as_str()).collect();
        assert_eq!((files, found.checkpoint), (vec!["a", "d"], None));
        let infos: Vec<_> = found.infos.iter().map(|(at, info)| (*at, info.get())).collect();
        let info = |operation| format!(r#"{{"operation":"{operation}"}}"#);
        assert_eq!(infos, [(0, &*info("WRITE")), (2, &*info("OPTIMIZE"))]);
    }
}
