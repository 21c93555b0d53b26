//! The keys that the replica's objects have: the source's, unless the target's store cannot hold
//! one. Such a key is rewritten, and with it the path of its `add`, its deletion vector's prefix
//! and every later `remove`; or, where no form of it fits, refused.
//!
//! A rewritten key is a function of the source's key and the kind of the target's store alone, so
//! that every sync finds it again.

use std::collections::BTreeMap;

use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use sha2::{Digest as _, Sha256};

use super::relocate::relative;
use super::repaired::{self, ObjectRole};
use crate::actions::Add;
use crate::dv;
use crate::error::DeltaError;
use crate::file_key::FileKey;
use crate::hash::hex;
use crate::paths::encode;
use crate::snapshot::Snapshot;

/// The most bytes of a name on a local disk, on Linux and macOS.
const LOCAL_SEGMENT_BYTES_MAX: usize = 255;
/// The most bytes of a whole path on a local disk, without the terminating byte.
const LOCAL_PATH_BYTES_MAX: usize = 4_095;
/// The most bytes of a key in S3 and GCS, and characters of one in Azure.
const KEY_LENGTH_MAX: usize = 1_024;
/// The most characters of a key in a message; its details hold the whole key.
const KEY_CHARS_SHOWN_MAX: usize = 400;
/// Characters at the end of a deletion vector's path that encode the name of its object.
const VECTOR_ID_CHARACTERS: usize = 20;

/// The source's live files with the replica's paths.
#[derive(Clone, Debug)]
pub(crate) struct Replicated {
    pub(crate) files: BTreeMap<FileKey, Add>,
    /// The source's keys of the objects that have another one at the target.
    pub(crate) sources: BTreeMap<String, String>,
    /// True when a path or a vector is spelled in another way than at the source.
    pub(crate) is_respelled: bool,
    /// True when the target cannot hold a key of the source.
    pub(crate) is_rewritten: bool,
}

/// Returns `files` of `source` with the paths that they have at `target`.
///
/// # Errors
/// A deletion vector that cannot be made relative, a key that cannot be read at the source, or two
/// that would be one at the target.
pub(crate) fn replicated(
    source: &TableStore,
    target: &TableStore,
    files: BTreeMap<FileKey, Add>,
) -> Result<Replicated, DeltaError> {
    let (files, mut is_respelled) = relative(&source.uri, files)?;
    let kind = target.kind();
    let mut sources = BTreeMap::new();
    let mut renamed = Vec::new();
    for (key, add) in &files {
        refuse_unreadable(source, &key.path)?;
        let vector = dv::object_of(&source.uri, add)?.map(|(path, _)| path);
        let new_path = fitting(kind, &key.path);
        let new_vector = vector.as_deref().and_then(|path| fitting(kind, path));
        if new_path.is_none() && new_vector.is_none() {
            continue;
        }
        renamed.push((key.clone(), new_path.clone(), new_vector.clone()));
        let paths = [new_path.zip(Some(key.path.clone())), new_vector.zip(vector)];
        for (new, old) in paths.into_iter().flatten() {
            let other = sources.insert(new.clone(), old.clone()).filter(|other| *other != old);
            if other.is_some() {
                return Err(met(target, &new).into());
            }
        }
    }
    refuse_met(source, target, &files, &sources)?;
    is_respelled |= !renamed.is_empty();
    let mut files = files;
    let is_rewritten = !sources.is_empty();
    for (key, new_path, new_vector) in renamed {
        if let Some(add) = files.remove(&key) {
            let (key, add) = rename(key, add, new_path, new_vector.as_deref());
            if files.insert(key.clone(), add).is_some() {
                return Err(met(target, &key.path).into());
            }
        }
    }
    Ok(Replicated { files, sources, is_respelled, is_rewritten })
}

impl Replicated {
    /// Gives the objects that stand beside damaged ones at `replica` the keys that they have there.
    ///
    /// # Errors
    /// A deletion vector that names no object.
    pub(crate) fn with_repaired(
        mut self,
        target: &TableStore,
        replica: &Snapshot,
    ) -> Result<Self, DeltaError> {
        let table = &replica.metadata.id;
        let mut firsts = BTreeMap::new();
        for (key, add) in &replica.files {
            let mut note = |role, path: &str| {
                if let Some((first, _)) = repaired::original(role, table, path) {
                    firsts.insert(path.to_owned(), first);
                }
            };
            note(ObjectRole::DataFile, &key.path);
            if let Some((vector, _)) = dv::object_of(&target.uri, add)? {
                note(ObjectRole::Vectors, &vector);
            }
        }
        if firsts.is_empty() {
            return Ok(self);
        }
        // What the source has itself is its own.
        for (key, add) in &self.files {
            firsts.remove(&key.path);
            if let Some((vector, _)) = dv::object_of(&target.uri, add)? {
                firsts.remove(&vector);
            }
        }
        let moved = firsts.into_iter().map(|(path, first)| (first, path)).collect();
        self.rename(target, &moved)?;
        Ok(self)
    }

    /// Gives objects other keys, by the ones that they have.
    ///
    /// # Errors
    /// A deletion vector that names no object; two files that would have one key.
    pub(crate) fn rename(
        &mut self,
        target: &TableStore,
        moved: &BTreeMap<String, String>,
    ) -> Result<(), DeltaError> {
        let mut renamed = Vec::new();
        for (key, add) in &self.files {
            let vector = dv::object_of(&target.uri, add)?.map(|(path, _)| path);
            let new_path = moved.get(&key.path).cloned();
            let new_vector = vector.as_ref().and_then(|path| moved.get(path)).cloned();
            if new_path.is_none() && new_vector.is_none() {
                continue;
            }
            for (new, old) in
                [new_path.clone().zip(Some(key.path.clone())), new_vector.clone().zip(vector)]
                    .into_iter()
                    .flatten()
            {
                let source = self.sources.get(&old).cloned().unwrap_or(old);
                self.sources.insert(new, source);
            }
            renamed.push((key.clone(), new_path, new_vector));
        }
        self.is_respelled |= !renamed.is_empty();
        for (key, new_path, new_vector) in renamed {
            if let Some(add) = self.files.remove(&key) {
                let (key, add) = rename(key, add, new_path, new_vector.as_deref());
                if self.files.insert(key.clone(), add).is_some() {
                    return Err(met(target, &key.path).into());
                }
            }
        }
        for old in moved.keys() {
            self.sources.remove(old);
        }
        Ok(())
    }
}

/// Returns how long keys may be that surely are the same at both ends, where `is_own_key` holds.
pub(crate) fn own_key_max(target: &TableStore) -> usize {
    match target.kind() {
        // It drops points at the end of a segment.
        StoreKind::Azure => 0,
        _ => LOCAL_SEGMENT_BYTES_MAX.saturating_sub(target.root.as_ref().len() + 1),
    }
}

/// Tells that an object of the source has the same key at the target.
///
/// # Errors
/// Why it has not, or cannot be read or written.
pub(crate) fn keeps(source: &TableStore, target: &TableStore, key: &str) -> Result<(), String> {
    refuse_unreadable(source, key).map_err(|failure| failure.message)?;
    if fitting(target.kind(), key).is_some() {
        return Err(format!("{key} has another name at the target"));
    }
    too_long(target, key).map_or(Ok(()), Err)
}

/// Refuses a key that is too long for the target.
///
/// # Errors
/// TARGET_UNSUITABLE naming the key and the bound.
pub(crate) fn refuse_too_long(target: &TableStore, key: &str) -> Result<(), Failure> {
    let Some(why) = too_long(target, key) else { return Ok(()) };
    let mut shown: String = key.chars().take(KEY_CHARS_SHOWN_MAX).collect();
    if shown.len() < key.len() {
        shown.push('…');
    }
    let message = format!(
        "the target {} cannot hold the key {shown:?}: {why}: use another target",
        target.uri
    );
    Err(Failure::new(Reason::TargetUnsuitable, message).with("key", key))
}

fn rename(
    key: FileKey,
    mut add: Add,
    new_path: Option<String>,
    new_vector: Option<&str>,
) -> (FileKey, Add) {
    let mut path = key.path;
    if let Some(new) = new_path {
        add.path = encode(&new);
        path = new;
    }
    if let (Some(new), Some(vector)) = (new_vector, add.deletion_vector.as_deref_mut()) {
        let at = vector.path_or_inline.len().saturating_sub(VECTOR_ID_CHARACTERS);
        let prefix = new.rsplit_once('/').map_or("", |(prefix, _)| prefix);
        let id = vector.path_or_inline.split_off(at);
        vector.path_or_inline = format!("{prefix}{id}");
    }
    let dv = add.deletion_vector.as_deref().map(dv::unique_id);
    (FileKey { path, dv }, add)
}

/// Returns the target's key of the object that has `key` at the source.
pub(crate) fn target_key(kind: StoreKind, key: String) -> String {
    fitting(kind, &key).unwrap_or(key)
}

/// Returns the key that replaces `key` in a store of this kind; `None` if the store can hold `key`.
pub(crate) fn fitting(kind: StoreKind, key: &str) -> Option<String> {
    let last = key.matches('/').count();
    let is_held = |(at, segment)| stem(kind, segment, at == last).is_none();
    if key.split('/').enumerate().all(is_held) {
        return None;
    }
    let segments: Vec<String> = key
        .split('/')
        .enumerate()
        .map(|(at, segment)| match stem(kind, segment, at == last) {
            Some(stem) => {
                let digest = hex(&Sha256::digest(segment)[..8]);
                format!("{stem}-{digest}")
            }
            None => segment.to_owned(),
        })
        .collect();
    Some(segments.join("/"))
}

/// Returns what is kept of a segment that a store of this kind cannot hold; `None` if it can.
fn stem(kind: StoreKind, segment: &str, is_last: bool) -> Option<&str> {
    match kind {
        // No client of ours can write such a key.
        _ if segment.is_empty() => Some("empty"),
        // Azure drops dots at the end of a segment, and reads a backslash as a slash.
        StoreKind::Azure if segment.ends_with(['.', '\\']) => {
            Some(segment.trim_end_matches(['.', '\\']))
        }
        // The client stages files under such names, and lists none of them.
        StoreKind::Local if is_last && is_staging_name(segment) => segment.split('#').next(),
        _ => None,
    }
}

/// Returns whether the client of local files takes the name for a staged file, such as `x#1`.
fn is_staging_name(name: &str) -> bool {
    name.split_once('#').is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn refuse_unreadable(source: &TableStore, key: &str) -> Result<(), Failure> {
    let name = key.rsplit('/').next().unwrap_or(key);
    if source.kind() == StoreKind::Local && is_staging_name(name) {
        let message = format!(
            "the file {key:?} of the source cannot be read: a local name that ends in # and digits \
             is one of a file that is being written: rename it and commit it again"
        );
        return Err(Failure::new(Reason::UnsupportedFeature, message).with("key", key));
    }
    Ok(())
}

/// Refuses an object of the source whose own key is the rewritten one of another; `files` has the
/// source's keys still. Two logical files with the same object, such as one with a deletion vector
/// and one without, have different keys in that map.
fn refuse_met(
    source: &TableStore,
    target: &TableStore,
    files: &BTreeMap<FileKey, Add>,
    sources: &BTreeMap<String, String>,
) -> Result<(), DeltaError> {
    if sources.is_empty() {
        return Ok(());
    }
    for (key, add) in files {
        let vector = dv::object_of(&source.uri, add)?.map(|(path, _)| path);
        for path in [Some(key.path.clone()), vector].into_iter().flatten() {
            if sources.contains_key(&path) && fitting(target.kind(), &path).is_none() {
                return Err(met(target, &path).into());
            }
        }
    }
    Ok(())
}

fn met(target: &TableStore, key: &str) -> Failure {
    let message = format!(
        "two objects of the source would have the key {key:?} at the target {}: rename one of them \
         at the source",
        target.uri
    );
    Failure::new(Reason::TargetUnsuitable, message).with("key", key)
}

/// Returns why a key is too long for the target; `None` if it is not.
fn too_long(target: &TableStore, key: &str) -> Option<String> {
    let root = target.root.as_ref();
    let whole = if root.is_empty() { key.to_owned() } else { format!("{root}/{key}") };
    let (length, most, unit) = match target.kind() {
        StoreKind::Local => {
            let longest = key.split('/').map(str::len).max().unwrap_or(0);
            if longest > LOCAL_SEGMENT_BYTES_MAX {
                return Some(format!(
                    "a name of it has {longest} bytes, and file systems take \
                     {LOCAL_SEGMENT_BYTES_MAX}"
                ));
            }
            (whole.len() + 1, LOCAL_PATH_BYTES_MAX, "bytes")
        }
        StoreKind::S3 | StoreKind::Gcs => (whole.len(), KEY_LENGTH_MAX, "bytes"),
        StoreKind::Azure => (whole.chars().count(), KEY_LENGTH_MAX, "characters"),
        StoreKind::Other => return None,
    };
    (length > most).then(|| {
        format!("with the table's folder it has {length} {unit}, and the store takes {most}")
    })
}

#[cfg(test)]
mod tests;
