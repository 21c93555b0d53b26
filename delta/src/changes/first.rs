//! The plan of a first sync, made while the source's checkpoint is read: of its files only what the
//! copying needs stays in memory, and what the commit says of them goes to a file.
//!
//! Whatever is unusual about the source is left to the plan that holds both states, which names it,
//! carries it or refuses it. Both make the same plan.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::ids::JobId;
use deepclone_core::limits::TABLE_BYTES_MAX;
use deepclone_core::spec::{CloneSpec, SourcePoint};
use rayon::prelude::*;

use super::build::{self, FileChanges, Request, Tables};
use super::objects;
use super::sync_plan::{SourceFigures, SyncPlan};
use super::within::{Within, check_size, owner_after};
use crate::actions::{Add, DeletionVector};
use crate::change_set::NewVector;
use crate::commit_adds::{AddLines, AddSpooler, CommitAdds};
use crate::copy_objects::{CopyObject, CopyObjects};
use crate::error::DeltaError;
use crate::file_key::FileKey;
use crate::log::{self, LogSegment};
use crate::predicate::Predicate;
use crate::replica::{CloneMetrics, identity, part};
use crate::snapshot::CommitDigest;
use crate::snapshot::piecewise::{self, LiveFiles};
use crate::{dv, io, names, paths, protocol};

/// Plans a first sync to the version of `segment`. `None` when another plan must judge the source.
pub(super) async fn plan(
    tables: Tables<'_>,
    segment: &LogSegment,
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
) -> Option<SyncPlan> {
    let is_asked_for = match spec.source_point {
        SourcePoint::Newest => true,
        SourcePoint::Version(version) => version == segment.version,
        SourcePoint::Timestamp(_) => false,
    };
    if !is_asked_for {
        return None;
    }
    match plan_streamed(tables, segment, spec, sync, within).await {
        Ok(plan) => plan,
        Err(error) => {
            tracing::info!(%error, source = tables.source.uri, "the source is read whole");
            None
        }
    }
}

async fn plan_streamed(
    tables: Tables<'_>,
    segment: &LogSegment,
    spec: &CloneSpec,
    sync: JobId,
    within: &Within<'_>,
) -> Result<Option<SyncPlan>, DeltaError> {
    let Some(found) = piecewise::read(tables.source, segment).await? else { return Ok(None) };
    let (mut wanted, files) = found.into_parts();
    protocol::check(&wanted.protocol, &wanted.metadata, &spec.allowed_features)?;
    let predicate = part::parse(spec.partition_filter.as_deref(), &wanted)?;
    let scope = identity::scope(spec.mode, predicate.as_ref(), false);
    let reader = PieceReader {
        source: tables.source.clone(),
        target: tables.target.clone(),
        predicate,
        own_key_max: names::own_key_max(tables.target),
        keeps_lines: within.publishes,
    };
    let version = wanted.version;
    let read = move || {
        let problem = |problem| DeltaError::damaged(log::commit_path(version), problem);
        reader.read(files).map_err(problem)
    };
    // The version's own commit is hashed meanwhile, where a checkpoint stood for it.
    let commit = async {
        match wanted.commit {
            Some(commit) => Ok(Some(commit)),
            None => CommitDigest::read(tables.source, version).await,
        }
    };
    let (files, commit) = futures::future::join(io::compute(read), commit).await;
    let PlannedFiles { objects, adds, figures, new_vectors } = files?;
    wanted.commit = commit?;
    names::refuse_nested(tables.target, &objects, &BTreeSet::new())?;
    let near_names = match tables.target.kind() {
        StoreKind::Local => names::near_names(&objects, std::iter::empty()),
        _ => Vec::new(),
    };
    let SourceFigures { source_table_size, source_num_of_files } = figures;
    let changes = FileChanges {
        leaves: Vec::new(),
        adds,
        data_change: true,
        is_respelled: false,
        metrics: CloneMetrics {
            source_table_size,
            source_num_of_files,
            copied_files_size: source_table_size,
            num_copied_files: source_num_of_files,
            ..CloneMetrics::default()
        },
        objects,
        near_names,
        new_vectors,
    };
    let owner = owner_after(None, within.claim);
    let (sources, submitter) = (BTreeMap::new(), within.submitter);
    let request = Request { spec, scope, sync, owner, submitter, sources, is_respelled: false };
    let change_set = build::assembled(tables, &wanted, None, &request, changes).await?;
    check_size(&change_set, within)?;
    Ok(Some(SyncPlan::Change(Box::new(change_set))))
}

/// Reads the source's live files as pieces of a plan.
struct PieceReader {
    source: TableStore,
    target: TableStore,
    predicate: Option<Predicate>,
    /// The length of keys that need no further look.
    own_key_max: usize,
    /// False when no commit will be made.
    keeps_lines: bool,
}

/// What some files make of a plan.
struct Piece {
    objects: CopyObjects,
    lines: AddLines,
    sums: Sums,
}

/// What is added up over all files.
#[derive(Default)]
struct Sums {
    /// Bytes of all live files.
    live_bytes: u64,
    figures: SourceFigures,
    /// The objects of deletion vectors, with the least size of each.
    vectors: BTreeMap<String, u64>,
    new_vectors: Vec<(FileKey, NewVector)>,
    /// The hashes of the paths of files that are not wanted.
    unwanted: Vec<u64>,
}

/// The source's live files as a plan needs them.
struct PlannedFiles {
    /// In the order of their keys.
    objects: CopyObjects,
    /// In the same order.
    adds: CommitAdds,
    figures: SourceFigures,
    new_vectors: Vec<NewVector>,
}

impl PieceReader {
    fn read(&self, files: LiveFiles) -> Result<PlannedFiles, String> {
        let text = |error: std::io::Error| format!("a temporary file cannot be written: {error}");
        let mut spooler = AddSpooler::new();
        let (mut objects, mut sums) = (CopyObjects::default(), Sums::default());
        files.each(
            |adds| self.piece(adds),
            |piece: Piece| {
                objects.append(piece.objects);
                spooler.append(piece.lines).map_err(text)?;
                sums.join(piece.sums)
            },
        )?;
        let sorted = objects.sort();
        let adds = spooler.finish(sorted.places);
        sums.unwanted.par_sort_unstable();
        let again = sorted.twice.map(|place| objects.get(place).target_path);
        refuse_twice(again, &objects, &sums.unwanted)?;
        objects::join_vectors(&mut objects, sums.vectors, |_| false);
        sums.new_vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
        let new_vectors = sums.new_vectors.into_iter().map(|(_, vector)| vector).collect();
        Ok(PlannedFiles { objects, adds, figures: sums.figures, new_vectors })
    }

    fn piece(&self, adds: Vec<Add>) -> Result<Piece, String> {
        let lines = AddLines::new(adds.len(), self.keeps_lines);
        let mut piece = Piece { objects: CopyObjects::default(), lines, sums: Sums::default() };
        for mut add in adds {
            let is_own = paths::is_own_key(&add.path);
            let decoded = match is_own && add.path.len() <= self.own_key_max {
                true => None,
                false => Some(self.key(&add)?),
            };
            let vector = self.vector(&add)?;
            let key = decoded.as_deref().unwrap_or(&add.path);
            let sums = &mut piece.sums;
            sums.live_bytes = sum(sums.live_bytes, add.size)?;
            if !self.is_wanted(&add)? {
                sums.unwanted.push(hash(key));
                continue;
            }
            sums.figures.source_table_size += add.size;
            sums.figures.source_num_of_files += 1;
            piece.objects.push(CopyObject {
                target_path: key,
                renamed_from: None,
                size: add.size,
                size_is_minimum: false,
                modified_ms: add.modification_time,
                in_use: false,
            });
            add.data_change = true;
            piece.lines.push(&add, is_own);
            if let (Some((object, least)), Some(vector)) = (vector, add.deletion_vector) {
                let known = sums.vectors.entry(object.clone()).or_insert(least);
                *known = least.max(*known);
                let dv = Some(dv::unique_id(&vector));
                let path = decoded.unwrap_or_else(|| add.path.clone());
                let new = NewVector { object, file: add.path, vector: *vector, is_copied: true };
                sums.new_vectors.push((FileKey { path, dv }, new));
            }
        }
        Ok(piece)
    }

    /// Returns the key of a file, which is one at both ends.
    fn key(&self, add: &Add) -> Result<String, String> {
        let path = &add.path;
        if paths::is_absolute(path) || paths::is_roundabout(path) {
            return Err(format!("{path} is not spelled as a key"));
        }
        let key = paths::decode(&self.source.uri, path).map_err(|error| error.to_string())?.key;
        names::keeps(&self.source, &self.target, &key)?;
        Ok(key)
    }

    /// Returns the object of a file's deletion vector, and the least size that it has.
    fn vector(&self, add: &Add) -> Result<Option<(String, u64)>, String> {
        let is_absolute = |vector: &DeletionVector| vector.storage_type == "p";
        if add.deletion_vector.as_deref().is_some_and(is_absolute) {
            return Err(format!("the deletion vector of {} is absolute", add.path));
        }
        let object = dv::object_of(&self.source.uri, add).map_err(|error| error.to_string())?;
        match &object {
            Some((key, _)) => names::keeps(&self.source, &self.target, key).map(|()| object),
            None => Ok(None),
        }
    }

    fn is_wanted(&self, add: &Add) -> Result<bool, String> {
        let Some(predicate) = &self.predicate else { return Ok(true) };
        predicate.matches(&add.partition_values).map_err(|error| error.to_string())
    }
}

impl Sums {
    fn join(&mut self, other: Self) -> Result<(), String> {
        self.live_bytes = sum(self.live_bytes, other.live_bytes)?;
        self.figures.source_table_size += other.figures.source_table_size;
        self.figures.source_num_of_files += other.figures.source_num_of_files;
        for (object, size) in other.vectors {
            let least = self.vectors.entry(object).or_insert(size);
            *least = size.max(*least);
        }
        self.new_vectors.extend(other.new_vectors);
        self.unwanted.extend(other.unwanted);
        Ok(())
    }
}

/// Adds up bytes, of which a table has no more than some.
fn sum(bytes: u64, more: u64) -> Result<u64, String> {
    let sum = bytes.checked_add(more).filter(|sum| *sum <= TABLE_BYTES_MAX);
    sum.ok_or_else(|| "its files have too many bytes".to_owned())
}

/// Refuses two live files with one object: `again` is a path that two of the objects have;
/// `unwanted` are the sorted hashes of the paths of other files.
fn refuse_twice(
    again: Option<&str>,
    objects: &CopyObjects,
    unwanted: &[u64],
) -> Result<(), String> {
    let is_unwanted = |path: &&str| unwanted.binary_search(&hash(path)).is_ok();
    let others = || match unwanted {
        [] => None,
        _ => objects.paths().find(is_unwanted),
    };
    if let Some(path) = again.or_else(others) {
        return Err(format!("{path} is live twice"));
    }
    match unwanted.array_windows().any(|[a, b]| a == b) {
        true => Err("a file is live twice".to_owned()),
        false => Ok(()),
    }
}

fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
