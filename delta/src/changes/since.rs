//! What the source's commits since the last sync did: whether they changed rows, and whether they
//! removed every file that left.
//!
//! A file leaves a table by a `remove`. If it was live at the last sync, is not live any more, and
//! no commit since then removes it, the log lost it, usually in a checkpoint. Where commits are
//! gone, only the checkpoint is left, and it decides.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::spec::SourcePoint;
use futures::{StreamExt, TryStreamExt, stream};

use crate::actions::{Add, LogAction};
use crate::error::DeltaError;
use crate::file_key::FileKey;
use crate::log::{self, COMMITS_AT_ONCE_MAX, Commit};
use crate::names::repaired::{self, ObjectRole};
use crate::names::{fitting, target_key};
use crate::paths;
use crate::replica::LastSync;
use crate::snapshot::{self, Snapshot};

/// Paths of the replica, with whether they are live after the commits that were read so far.
#[derive(Debug, Default)]
struct Paths {
    is_live: BTreeMap<String, bool>,
    /// The paths of files that stand for damaged ones, by the names of these: the source's commits
    /// may use one or the other.
    repaired: BTreeMap<String, String>,
}

impl Paths {
    /// Paths of the replica with the id `table` that are live.
    fn live(paths: impl Iterator<Item = String>, table: &str) -> Self {
        let is_live: BTreeMap<String, bool> = paths.map(|path| (path, true)).collect();
        let first = |path: &String| {
            let (first, _) = repaired::original(ObjectRole::DataFile, table, path)?;
            Some((first, path.clone()))
        };
        let repaired = is_live.keys().filter_map(first).collect();
        Self { is_live, repaired }
    }

    fn mark(&mut self, path: &str, is_live: bool) {
        for name in [Some(path), self.repaired.get(path).map(String::as_str)].into_iter().flatten()
        {
            if let Some(known) = self.is_live.get_mut(name) {
                *known = is_live;
            }
        }
    }

    fn keep_live(&mut self) {
        self.is_live.retain(|_, is_live| *is_live);
    }
}

/// The result of reading the commits.
#[derive(Debug)]
pub(super) struct Since {
    /// True when rows may differ: a commit changed some, or is gone.
    pub(super) data_change: bool,
    /// Files that left without a `remove`.
    pub(super) lost: Option<Lost>,
}

/// Files that left without a `remove`.
#[derive(Debug)]
pub(super) struct Lost {
    /// The path of the first.
    path: String,
    /// The number of the others.
    others: usize,
}

impl Lost {
    /// Builds the error that names the file and the log file that lost it.
    pub(super) fn error(&self, wanted: &Snapshot, last: &LastSync) -> DeltaError {
        let commit = log::commit_path(wanted.version);
        let file = wanted.checkpoint.as_deref().unwrap_or(&commit);
        let more = match self.others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let problem = format!(
            "the source lost the live file {}{more}: it was there at version {}, no commit since \
             then removes it, and at version {} it is gone; write the source's checkpoint again \
             from its commits, or clone into a new folder to take the loss over",
            self.path, last.source_version, wanted.version
        );
        DeltaError::damaged(file, problem)
    }
}

/// Reads the replica's files as our last sync left them; `None` when its log does not go back that
/// far.
pub(super) async fn synced_files(
    target: &TableStore,
    last: &LastSync,
) -> Result<Option<BTreeMap<FileKey, Add>>, DeltaError> {
    let Some(at) = last.at else { return Ok(None) };
    match snapshot::read(target, &SourcePoint::Version(at)).await {
        Ok(synced) => Ok(Some(synced.files)),
        Err(error @ DeltaError::Storage { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Keeps in `synced`, the files of version `at`, those that were live all the time up to `head`
/// under one spelling. A file that left may have been vacuumed and its key used for other bytes,
/// and a commit that is gone may have removed any file.
///
/// # Errors
/// When a commit cannot be read.
pub(super) async fn keep_unbroken(
    target: &TableStore,
    (at, head): (u64, &Snapshot),
    synced: &mut BTreeMap<FileKey, Add>,
) -> Result<(), DeltaError> {
    let spellings: BTreeSet<&str> = head.files.values().map(|add| add.path.as_str()).collect();
    synced.retain(|_, add| spellings.contains(add.path.as_str()));
    let live = synced.keys().map(|key| key.path.clone());
    let mut paths = Paths::live(live, &head.metadata.id);
    for version in at + 1..=head.version {
        match log::readable_commit(target, version).await? {
            Some(commit) => follow(&target.uri, target.kind(), &mut paths, &commit),
            None => paths.is_live.clear(),
        }
        paths.keep_live();
    }
    synced.retain(|key, _| paths.is_live.contains_key(&key.path));
    Ok(())
}

/// Lists the paths that are live in `synced`, of the replica with the id `table`, and not in the
/// source's `now`. Both maps are sorted by path, except for keys that are rewritten for the target.
pub(super) fn not_live(
    kind: StoreKind,
    (table, synced): (&str, &BTreeMap<FileKey, Add>),
    now: &BTreeMap<FileKey, Add>,
) -> BTreeSet<String> {
    let rewritten: BTreeSet<String> =
        now.keys().filter_map(|key| fitting(kind, &key.path)).collect();
    let mut paths = now.keys().map(|key| key.path.as_str()).peekable();
    let mut absent = BTreeSet::new();
    for path in synced.keys().map(|key| key.path.as_str()) {
        while paths.next_if(|other| *other < path).is_some() {}
        if paths.peek() == Some(&path) || rewritten.contains(path) {
            continue;
        }
        // The source may call it by the name of what it replaced.
        let stands_for = repaired::original(ObjectRole::DataFile, table, path);
        let is_live = stands_for.is_some_and(|(first, _)| {
            let least = FileKey { path: first, dv: None };
            let found = now.range(&least..).next();
            found.is_some_and(|(key, _)| key.path == least.path) || rewritten.contains(&least.path)
        });
        if !is_live {
            absent.insert(path.to_owned());
        }
    }
    absent
}

/// Reads the source's commits after `base` up to `upto`, for a target of this kind. `absent` are
/// the paths that were live at `base` and are not at `upto`; when `is_settled` is false, commits up
/// to `base` had no bytes then and may say more now.
///
/// # Errors
/// When a commit cannot be read.
pub(super) async fn read(
    (source, kind): (&TableStore, StoreKind),
    (base, upto): (u64, u64),
    (table, absent): (&str, BTreeSet<String>),
    is_settled: bool,
) -> Result<Since, DeltaError> {
    let mut paths = Paths::live(absent.into_iter(), table);
    let mut data_change = false;
    let mut commits = stream::iter(base + 1..=upto)
        .map(|version| log::readable_commit(source, version))
        .buffered(COMMITS_AT_ONCE_MAX);
    while let Some(commit) = commits.try_next().await? {
        let Some(commit) = commit else { return Ok(Since { data_change: true, lost: None }) };
        data_change |= commit.actions.iter().any(LogAction::changes_rows);
        follow(&source.uri, kind, &mut paths, &commit);
    }
    drop(commits);
    paths.keep_live();
    if !is_settled {
        forget_removed((source, kind), base, &mut paths).await?;
    }
    let others = paths.is_live.len().saturating_sub(1);
    let lost = paths.is_live.into_keys().next().map(|path| Lost { path, others });
    Ok(Since { data_change, lost })
}

/// Applies the commit to `paths`. A `remove` counts in any spelling of its path and with any
/// deletion vector, so that no file counts as lost by mistake.
fn follow(root_uri: &str, kind: StoreKind, paths: &mut Paths, commit: &Commit) {
    for path in removed(root_uri, kind, commit) {
        paths.mark(&path, false);
    }
    for action in &commit.actions {
        if let LogAction::Add(add) = action
            && let Ok(key) = FileKey::of_add(root_uri, add)
        {
            paths.mark(&target_key(kind, key.path), true);
        }
    }
}

/// Lists the target's keys of the files that the source's commit removes.
fn removed(root_uri: &str, kind: StoreKind, commit: &Commit) -> impl Iterator<Item = String> {
    commit.actions.iter().filter_map(move |action| match action {
        LogAction::Remove(remove) => {
            let decoded = paths::decode(root_uri, &remove.path).ok()?;
            Some(target_key(kind, decoded.key))
        }
        _ => None,
    })
}

/// Drops the paths that a commit up to `base` removes; all of them if a commit is gone.
async fn forget_removed(
    (source, kind): (&TableStore, StoreKind),
    base: u64,
    paths: &mut Paths,
) -> Result<(), DeltaError> {
    for version in (0..=base).rev() {
        if paths.is_live.is_empty() {
            break;
        }
        match log::readable_commit(source, version).await? {
            Some(commit) => {
                removed(&source.uri, kind, &commit).for_each(|path| paths.mark(&path, false));
                paths.keep_live();
            }
            None => paths.is_live.clear(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_not_live_any_more() {
        let live = |keys: &[(&str, Option<&str>)]| -> BTreeMap<FileKey, Add> {
            let json = r#"{"add":{"path":"x","size":1,"modificationTime":1,"dataChange":true}}"#;
            let LogAction::Add(add) = LogAction::from_json(json).unwrap() else { unreachable!() };
            let key = |(path, dv): &(&str, Option<&str>)| FileKey {
                path: (*path).to_owned(),
                dv: dv.map(str::to_owned),
            };
            keys.iter().map(|name| (key(name), add.clone())).collect()
        };
        let (none, dv) = (None, Some("u1"));
        for (synced, now, expect) in [
            (vec![("a", none), ("b", dv)], vec![("a", dv), ("b", none)], vec![]),
            (vec![("a", none), ("b", none), ("c", dv)], vec![("b", none)], vec!["a", "c"]),
            (vec![("b", none)], vec![("a", none), ("c", none)], vec!["b"]),
            (vec![("a", none), ("a.b", none)], vec![("a", none)], vec!["a.b"]),
            (vec![("a", none)], vec![], vec!["a"]),
            (vec![], vec![("a", none)], vec![]),
        ] {
            let found = not_live(StoreKind::S3, ("t", &live(&synced)), &live(&now));
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expect);
        }
    }
}
