//! What is read of a checkpoint without the rest of it: the live files of certain objects, the
//! number of all live files, the names of the sidecars.
//!
//! A file that names sidecars is small by its nature, and is read whole. Of the other files only
//! the footer is read, or the rows that are wanted.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use deepclone_common::store::table::TableStore;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::checkpoint::{self, SidecarFile};
use super::named::{self, NamedRows, Names};
use super::names::log_path;
use super::segment::CheckpointFiles;
use crate::actions::{Add, LogAction};
use crate::error::DeltaError;
use crate::file_key::LogKey;
use crate::io;

/// Files of one checkpoint that are looked at at once.
const FILES_AT_ONCE_MAX: usize = 8;

/// A checkpoint of which some live files were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedCheckpoint {
    /// The version that it holds.
    pub(crate) version: u64,
    /// The number of all its live files, where that is known.
    pub(crate) files: Option<u64>,
    /// True when this code wrote it.
    pub(crate) is_ours: bool,
}

/// Reads the live files of `checkpoint` that lie in the objects `names`.
///
/// # Errors
/// When a file of it is missing or cannot be read; the file is named.
pub(crate) async fn read_named(
    table: &TableStore,
    checkpoint: &CheckpointFiles,
    names: &Arc<Names>,
) -> Result<(Vec<Add>, NamedCheckpoint), DeltaError> {
    let known = NamedCheckpoint { version: checkpoint.version, files: Some(0), is_ours: true };
    let mut found = Found { adds: Vec::new(), known };
    let mut sidecars = Vec::new();
    for entry in &checkpoint.files {
        let path = log_path(&entry.name);
        let rows = match path.ends_with(".json") {
            true => None,
            false => named::read(table, &path, entry.size, names).await?,
        };
        match rows {
            Some(rows) => found.take(rows),
            None => {
                let mut top = Top::read(table, checkpoint, path).await?;
                sidecars.append(&mut top.sidecars);
                found.known.is_ours &= top.is_ours;
                found.known.files = added(found.known.files, top.files());
                found.adds.append(&mut top.adds);
            }
        }
    }
    let reads = sidecars.into_iter().map(|sidecar| read_sidecar(table, sidecar, names));
    let mut reads = stream::iter(reads).buffered(FILES_AT_ONCE_MAX);
    while let Some(rows) = reads.try_next().await? {
        found.take(rows);
    }
    let Found { mut adds, known } = found;
    adds.retain(|add| names.has(&table.uri, add));
    Ok((adds, known))
}

/// What was found so far.
struct Found {
    adds: Vec<Add>,
    known: NamedCheckpoint,
}

impl Found {
    fn take(&mut self, rows: NamedRows) {
        self.known.files = added(self.known.files, rows.files);
        self.known.is_ours &= rows.is_ours;
        self.adds.extend(rows.parsed.actions.into_iter().filter_map(|mut action| {
            checkpoint::drop_parsed_of(&mut action);
            match action {
                LogAction::Add(add) => Some(add),
                _ => None,
            }
        }));
    }
}

/// Counts the live files of `checkpoint` by the footers of its files; `None` where these do not
/// tell.
///
/// # Errors
/// As [`read_named`].
pub(crate) async fn count_files(
    table: &TableStore,
    checkpoint: &CheckpointFiles,
) -> Result<Option<u64>, DeltaError> {
    let (mut count, mut sidecars) = (Some(0), Vec::new());
    for entry in &checkpoint.files {
        let path = log_path(&entry.name);
        let mut top = None;
        if path.ends_with(".json") {
            top = Some(path);
        } else {
            let counted = named::count(table, &path, entry.size).await?;
            match counted.may_name_sidecars {
                true => top = Some(path),
                false => count = added(count, counted.files),
            }
        }
        if let Some(path) = top {
            let mut top = Top::read(table, checkpoint, path).await?;
            count = added(count, top.files());
            sidecars.append(&mut top.sidecars);
        }
    }
    let counts = sidecars.into_iter().map(|sidecar| count_sidecar(table, sidecar));
    let mut counts = stream::iter(counts).buffered(FILES_AT_ONCE_MAX);
    while let Some(files) = counts.try_next().await? {
        count = added(count, files);
    }
    Ok(count)
}

fn added(count: Option<u64>, more: Option<u64>) -> Option<u64> {
    count?.checked_add(more?)
}

/// Lists the sidecars that `checkpoint` names, relative to the table's folder.
///
/// # Errors
/// As [`read_named`].
pub(crate) async fn sidecars_of(
    table: &TableStore,
    checkpoint: &CheckpointFiles,
) -> Result<BTreeSet<String>, DeltaError> {
    let mut named = BTreeSet::new();
    for entry in &checkpoint.files {
        let path = log_path(&entry.name);
        let may_name = path.ends_with(".json")
            || named::count(table, &path, entry.size).await?.may_name_sidecars;
        if may_name {
            let top = Top::read(table, checkpoint, path).await?;
            named.extend(top.sidecars.into_iter().map(|sidecar| sidecar.path));
        }
    }
    Ok(named)
}

/// A file of a checkpoint that may name sidecars.
struct Top {
    /// The live files that it holds itself.
    adds: Vec<Add>,
    sidecars: Vec<SidecarFile>,
    /// The keys of the tombstones that it holds itself.
    removed: HashSet<LogKey>,
    /// True when this code wrote it.
    is_ours: bool,
}

impl Top {
    async fn read(
        table: &TableStore,
        checkpoint: &CheckpointFiles,
        path: String,
    ) -> Result<Self, DeltaError> {
        let (adds, sidecars, removed) = Default::default();
        let mut top = Self { adds, sidecars, removed, is_ours: false };
        for action in checkpoint::read_file(table, path).await?.actions {
            match action {
                LogAction::Add(add) => top.adds.push(add),
                LogAction::Remove(remove) => drop(top.removed.insert(LogKey::of_remove(&remove))),
                LogAction::Other(name, raw) if name == "sidecar" => {
                    top.sidecars.push(checkpoint::sidecar(table, checkpoint, raw.get())?);
                }
                LogAction::Other(name, raw) if name == "checkpointMetadata" => {
                    checkpoint::check_version(checkpoint, raw.get())?;
                    top.is_ours |= is_ours(&raw);
                }
                _ => {}
            }
        }
        Ok(top)
    }

    /// The number of its live files; `None` where it removes one of them, too.
    fn files(&self) -> Option<u64> {
        let disputed =
            |add: &Add| !self.removed.is_empty() && self.removed.contains(&LogKey::of_add(add));
        (!self.adds.iter().any(disputed)).then_some(self.adds.len() as u64)
    }
}

/// Returns whether a `checkpointMetadata` has the tag of ours.
fn is_ours(metadata: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Tagged {
        tags: serde_json::Map<String, serde_json::Value>,
    }
    let tagged: Result<Tagged, _> = serde_json::from_str(metadata.get());
    tagged.is_ok_and(|tagged| tagged.tags.contains_key(named::PLAIN_PATHS))
}

async fn read_sidecar(
    table: &TableStore,
    sidecar: SidecarFile,
    names: &Arc<Names>,
) -> Result<NamedRows, DeltaError> {
    let size = told_size(&sidecar)?;
    match named::read(table, &sidecar.path, size, names).await {
        Ok(Some(rows)) => Ok(rows),
        Ok(None) => Err(DeltaError::damaged(&sidecar.path, "a sidecar of it names sidecars")),
        Err(error) => Err(judged(table, &sidecar, size, error).await),
    }
}

async fn count_sidecar(
    table: &TableStore,
    sidecar: SidecarFile,
) -> Result<Option<u64>, DeltaError> {
    let size = told_size(&sidecar)?;
    match named::count(table, &sidecar.path, size).await {
        Ok(counted) => Ok(counted.files.filter(|_| !counted.may_name_sidecars)),
        Err(error) => Err(judged(table, &sidecar, size, error).await),
    }
}

fn told_size(sidecar: &SidecarFile) -> Result<u64, DeltaError> {
    let size = sidecar.size.filter(|size| *size > 0);
    size.ok_or_else(|| {
        DeltaError::damaged(&sidecar.path, "its checkpoint does not tell its length")
    })
}

/// Returns why a sidecar was not read: a range that it does not have is the fault of the checkpoint
/// that tells another length, and not of the store.
async fn judged(
    table: &TableStore,
    sidecar: &SidecarFile,
    size: u64,
    error: DeltaError,
) -> DeltaError {
    match io::describe(table, &sidecar.path).await {
        Ok(Some(there)) if there.size != size => {
            let problem = format!("it has {} bytes, and its checkpoint says {size}", there.size);
            DeltaError::damaged(&sidecar.path, problem)
        }
        _ => error,
    }
}
