//! The state of a table whose live files are read piece by piece and never held: for a plan that
//! needs each of them once.
//!
//! What is unusual about a log is left to [`super::read`], which reads it whole and can judge it.

use std::collections::{BTreeMap, HashSet};

use deepclone_common::store::table::TableStore;
use futures::TryStreamExt;

use super::read::Tail;
use super::replay::Replay;
use super::state::Snapshot;
use super::{once, onward};
use crate::actions::Add;
use crate::error::DeltaError;
use crate::file_key::LogKey;
use crate::log::windows::{CheckpointFile, hash};
use crate::log::{self, LogSegment, checkpoint};

/// A table's state at one version, with its live files still in the log.
pub(crate) struct Piecewise {
    /// The state without its files.
    pub(crate) snapshot: Snapshot,
    files: LiveFiles,
}

/// The live files of a version, in its log.
pub(crate) struct LiveFiles {
    checkpoint: Vec<CheckpointFile>,
    /// Those that it holds as JSON.
    as_json: Vec<Add>,
    /// The hashes of the files that the checkpoint has tombstones of.
    removed: HashSet<u64>,
    /// What the commits after it did: the newest `add` of a file, or none after a `remove`.
    changes: BTreeMap<LogKey, Option<Add>>,
}

/// Reads the state that `segment` gives, from its newest checkpoint on. `None` when there is none,
/// or the log has something that only the whole state can judge.
///
/// # Errors
/// When the store does not answer, or a file of the log is damaged.
pub(crate) async fn read(
    table: &TableStore,
    segment: &LogSegment,
) -> Result<Option<Piecewise>, DeltaError> {
    let Some(start) = segment.checkpoints.first() else { return Ok(None) };
    let Ok(commits) = segment.commits_after(Some(start.version)) else { return Ok(None) };
    let opened = checkpoint::open(table, start).await?;
    let file = log::log_path(start.files.first().map_or("", |entry| &entry.name));
    let others = opened.others.parsed;
    if !others.oddities.is_empty()
        || !matches!(once::describes_once(&file, &others.actions), Ok(None))
    {
        return Ok(None);
    }
    let mut replay = Replay::default();
    replay.apply(&table.uri, &file, others.actions);
    let mut last_commit = None;
    let mut reads = std::pin::pin!(onward::reads(table, commits));
    while let Some(commit) = reads.try_next().await? {
        let Some(commit) = commit else { return Ok(None) };
        last_commit = onward::replay_usual(&mut replay, table, commit);
        if last_commit.is_none() {
            return Ok(None);
        }
    }
    let Some((state, changes)) = replay.changes() else { return Ok(None) };
    if state.metadata.schema_string.is_empty() {
        return Ok(None);
    }
    let tail = Tail { last_commit, checkpoint: Some(file), notices: Vec::new() };
    let snapshot = tail.snapshot(table, segment, state).await?;
    let files = LiveFiles {
        checkpoint: opened.files,
        as_json: opened.adds,
        removed: opened.others.removed,
        changes,
    };
    Ok(Some(Piecewise { snapshot, files }))
}

impl LiveFiles {
    /// Reads the files of a version piece by piece. `convert` gets some of them, on any thread;
    /// `take` gets what it made of them, in order.
    ///
    /// # Errors
    /// What is unusual or wrong about the log, or what one of the two says.
    pub(crate) fn each<T: Send>(
        self,
        convert: impl Fn(Vec<Add>) -> Result<T, String> + Sync,
        mut take: impl FnMut(T) -> Result<(), String> + Send,
    ) -> Result<(), String> {
        let Self { checkpoint, as_json, removed, changes } = self;
        let changed: HashSet<&str> = changes.keys().map(|key| key.path.as_str()).collect();
        // Those that the commits say nothing of.
        let live = |adds: Vec<Add>| {
            let disputed =
                |add: &&Add| !removed.is_empty() && removed.contains(&hash(&LogKey::of_add(add)));
            if let Some(add) = adds.iter().find(disputed) {
                return Err(format!("it adds and removes {}", add.path));
            }
            let is_changed = |add: &Add| {
                changed.contains(add.path.as_str()) && changes.contains_key(&LogKey::of_add(add))
            };
            convert(adds.into_iter().filter(|add| !is_changed(add)).collect())
        };
        for file in checkpoint {
            file.files(live, &mut take)?;
        }
        take(live(as_json)?)?;
        take(convert(changes.into_values().flatten().collect())?)
    }
}

impl Piecewise {
    /// Returns the state, and its files.
    pub(crate) fn into_parts(self) -> (Snapshot, LiveFiles) {
        (self.snapshot, self.files)
    }
}
