//! Which objects must be at the target before the commit: those that the replica's head does not
//! reference yet.
//!
//! A changed deletion vector moves only its own object, and one object that holds many vectors is
//! moved once. A vector's object has no size in the log: it is at least as long as the furthest
//! vector in it, with its length before it and its checksum behind it.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::CopyObject;
use crate::actions::Add;
use crate::dv;
use crate::error::DeltaError;
use crate::paths::FileKey;

/// What the replica's head says of an object's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Live keys were put there from this very source: they are present.
    LiveKeys,
    /// Nothing: another source may use the same names, so every object is looked at again.
    Nothing,
}

/// A table's live map, and the URI that its absolute paths begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live<'a> {
    pub(super) uri: &'a str,
    pub(super) files: &'a BTreeMap<FileKey, Add>,
}

/// The objects that `source` (S) references and `replica` (R) does not, sorted by key.
pub(super) fn new_objects(
    replica: Live<'_>,
    source: Live<'_>,
    evidence: Evidence,
) -> Result<Vec<CopyObject>, DeltaError> {
    let mut present = BTreeSet::new();
    if evidence == Evidence::LiveKeys {
        for (key, add) in replica.files {
            present.insert(key.path.clone());
            present.extend(vector_object(replica.uri, add)?.map(|(path, _)| path));
        }
    }
    let mut objects: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for (key, add) in source.files {
        if !present.contains(&key.path) {
            objects.insert(key.path.clone(), (add.size, false));
        }
        if let Some((path, size)) = vector_object(source.uri, add)?
            && !present.contains(&path)
        {
            let (known, _) = objects.entry(path).or_insert((size, true));
            *known = size.max(*known);
        }
    }
    objects
        .into_iter()
        .map(|(path, (size, size_is_minimum))| {
            check_key(&path)?;
            Ok(CopyObject { target_path: path.clone(), source_path: path, size, size_is_minimum })
        })
        .collect()
}

/// The object that holds the file's deletion vector, and the bytes that it has at the least.
pub(crate) fn vector_object(
    root_uri: &str,
    add: &Add,
) -> Result<Option<(String, u64)>, DeltaError> {
    let Some(vector) = &add.deletion_vector else { return Ok(None) };
    Ok(dv::object_path(root_uri, vector)?.map(|path| (path, dv::object_size_min(vector))))
}

/// Every store of ours takes this key as it is, or it is refused before anything is copied.
fn check_key(path: &str) -> Result<(), Failure> {
    match object_store::path::Path::parse(path) {
        Ok(parsed) if parsed.as_ref() == path => Ok(()),
        _ => Err(Failure::new(
            Reason::UnsupportedFeature,
            format!("the path {path:?} cannot be a key of the target store"),
        )
        .with("key", path)),
    }
}
