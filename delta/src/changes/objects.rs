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
use crate::copy_objects::{CopyObject, CopyObjects};
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

/// Lists the objects of `source` (S) that are not proven to be at `replica` (R), sorted by key;
/// those that are `missing` are not.
pub(super) fn new_objects(
    replica: Live<'_>,
    source: Live<'_>,
    proven: &Proven,
    missing: &BTreeSet<String>,
) -> Result<CopyObjects, DeltaError> {
    let in_use = replica.keys()?;
    let last_sync = match proven {
        Proven::LastSync(files) => Live { uri: replica.uri, files }.keys()?,
        Proven::Head | Proven::Nothing => BTreeSet::new(),
    };
    let is_proven = |key: &str| match proven {
        _ if missing.contains(key) => false,
        Proven::Head => in_use.contains(key),
        Proven::LastSync(_) => in_use.contains(key) && last_sync.contains(key),
        Proven::Nothing => false,
    };
    let known: BTreeMap<&str, &Add> =
        replica.files.iter().map(|(key, add)| (key.path.as_str(), add)).collect();
    // The files are sorted by path, and no two of them have one.
    let mut objects = CopyObjects::default();
    let mut vectors: BTreeMap<String, u64> = BTreeMap::new();
    for (key, add) in source.files {
        let replaced = known.get(key.path.as_str()).is_some_and(|known| is_replaced(known, add));
        if replaced || !is_proven(&key.path) {
            objects.push(CopyObject {
                target_path: &key.path,
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
    join_vectors(&mut objects, vectors, |path| in_use.contains(path));
    Ok(objects)
}

/// Adds the objects of deletion vectors, with the least size of each, in the order of the keys. One
/// that is a data file, too, is as long as both need.
pub(super) fn join_vectors(
    objects: &mut CopyObjects,
    vectors: BTreeMap<String, u64>,
    is_in_use: impl Fn(&str) -> bool,
) {
    let mut more = CopyObjects::default();
    for (path, size) in vectors {
        match objects.find(&path) {
            Some(place) => objects.raise(place, size),
            None => more.push(CopyObject {
                target_path: &path,
                renamed_from: None,
                size,
                size_is_minimum: true,
                modified_ms: 0,
                in_use: is_in_use(&path),
            }),
        }
    }
    if !more.is_empty() {
        objects.append(more);
        objects.sort();
    }
}

/// Gives each object its source's key, where `sources` has another one, and refuses a key that is
/// too long for the target.
///
/// # Errors
/// TARGET_UNSUITABLE naming the key and the bound.
pub(super) fn located(
    target: &TableStore,
    sources: &BTreeMap<String, String>,
    mut objects: CopyObjects,
) -> Result<CopyObjects, Failure> {
    for (key, source) in sources {
        if let Some(place) = objects.find(key) {
            objects.rename(place, source.clone());
        }
    }
    objects.paths().try_for_each(|key| refuse_too_long(target, key))?;
    Ok(objects)
}
