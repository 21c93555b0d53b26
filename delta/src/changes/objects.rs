//! Which objects must be at the target before the commit: those that the replica's head does not
//! reference yet, and those of it that are not known to hold the source's bytes (I6).
//!
//! A changed deletion vector moves only its own object, and one object that holds many vectors is
//! moved once. A vector's object has no size in the log: it is at least as long as the furthest
//! vector in it, with its length before it and its checksum behind it.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;

use super::equality::is_replaced;
use crate::actions::Add;
use crate::change_set::CopyObject;
use crate::dv;
use crate::error::DeltaError;
use crate::file_key::FileKey;
use crate::names::refuse_too_long;

/// Which live files of the replica's head are known to hold the source's bytes.
#[derive(Clone, Debug)]
pub(super) enum Proven {
    /// All: no other writer changed the replica, and this source is the one that was synced.
    Head,
    /// Those that were live ever since our last sync: another writer changed the replica.
    LastSync(BTreeMap<FileKey, Add>),
    /// None: another source may use the same names.
    Nothing,
}

/// A table's live map, and the URI of its folder for absolute paths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live<'a> {
    pub(super) uri: &'a str,
    pub(super) files: &'a BTreeMap<FileKey, Add>,
}

impl Live<'_> {
    /// Returns the keys of all objects.
    fn keys(&self) -> Result<BTreeSet<String>, DeltaError> {
        let mut keys = BTreeSet::new();
        for (key, add) in self.files {
            keys.insert(key.path.clone());
            keys.extend(dv::object_of(self.uri, add)?.map(|(path, _)| path));
        }
        Ok(keys)
    }
}

/// Lists the objects of `source` (S) that are not proven to be at `replica` (R), sorted by key.
pub(super) fn new_objects(
    replica: Live<'_>,
    source: Live<'_>,
    proven: &Proven,
) -> Result<Vec<CopyObject>, DeltaError> {
    let in_use = replica.keys()?;
    let last_sync = match proven {
        Proven::LastSync(files) => Live { uri: replica.uri, files }.keys()?,
        Proven::Head | Proven::Nothing => BTreeSet::new(),
    };
    let is_proven = |key: &str| match proven {
        Proven::Head => in_use.contains(key),
        Proven::LastSync(_) => in_use.contains(key) && last_sync.contains(key),
        Proven::Nothing => false,
    };
    let known: BTreeMap<&str, &Add> =
        replica.files.iter().map(|(key, add)| (key.path.as_str(), add)).collect();
    // The files are sorted by path, and no two of them have one.
    let mut objects: Vec<CopyObject> = Vec::new();
    let mut vectors: BTreeMap<String, u64> = BTreeMap::new();
    for (key, add) in source.files {
        let replaced = known.get(key.path.as_str()).is_some_and(|known| is_replaced(known, add));
        if replaced || !is_proven(&key.path) {
            objects.push(CopyObject {
                target_path: key.path.clone(),
                renamed_from: None,
                size: add.size,
                size_is_minimum: false,
                modified_ms: add.modification_time,
                in_use: in_use.contains(&key.path),
            });
        }
        if let Some((path, size)) = dv::object_of(source.uri, add)?
            && !is_proven(&path)
        {
            let least = vectors.entry(path).or_insert(size);
            *least = size.max(*least);
        }
    }
    join_vectors(&mut objects, vectors, &in_use);
    Ok(objects)
}

/// Adds the objects of deletion vectors, with the least size of each, in the order of the keys. One
/// that is a data file, too, is as long as both need.
fn join_vectors(
    objects: &mut Vec<CopyObject>,
    mut vectors: BTreeMap<String, u64>,
    in_use: &BTreeSet<String>,
) {
    if vectors.is_empty() {
        return;
    }
    for object in objects.iter_mut() {
        if let Some(least) = vectors.remove(&object.target_path) {
            object.size = object.size.max(least);
        }
    }
    objects.extend(vectors.into_iter().map(|(path, size)| CopyObject {
        in_use: in_use.contains(&path),
        target_path: path,
        renamed_from: None,
        size,
        size_is_minimum: true,
        modified_ms: 0,
    }));
    objects.sort_unstable_by(|a, b| a.target_path.cmp(&b.target_path));
}

/// Gives each object its source's key, where `sources` has another one, and refuses a key that is
/// too long for the target.
///
/// # Errors
/// TARGET_UNSUITABLE naming the key and the bound.
pub(super) fn located(
    target: &TableStore,
    sources: &BTreeMap<String, String>,
    mut objects: Vec<CopyObject>,
) -> Result<Vec<CopyObject>, Failure> {
    for object in &mut objects {
        if let Some(source) = sources.get(&object.target_path) {
            object.renamed_from = Some(source.clone());
        }
        refuse_too_long(target, &object.target_path)?;
    }
    Ok(objects)
}
