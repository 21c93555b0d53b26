//! What a log says of each object of its table: needed, or removed at a time.
//!
//! An object is needed when a version that is kept reads it: the newest one, every one that was the
//! newest at some time within the retention, and those of commits that arrive meanwhile. A version
//! between two reads only what the newest one reads or what a later commit removed. So all that the
//! commits after the oldest kept version name is needed, and no older state has to be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Deserialize;

use crate::actions::{DeletionVector, LogAction, Remove};
use crate::snapshot::WithTombstones;
use crate::{dv, paths};

/// What the log says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Referenced {
    /// When it was removed, in milliseconds since 1970; `None` for an object that is needed.
    pub removed_ms: Option<i64>,
    /// It holds deletion vectors.
    pub is_vector: bool,
}

/// The objects that a log names, by their keys relative to the table's folder.
#[derive(Clone, Debug, Default)]
pub struct References {
    objects: HashMap<String, Referenced>,
}

impl References {
    /// Returns what the log says of the object; `None` when nothing.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<Referenced> {
        self.objects.get(key).copied()
    }

    /// Returns whether a version that is kept reads the object.
    #[must_use]
    pub fn needs(&self, key: &str) -> bool {
        self.of(key).is_some_and(|found| found.removed_ms.is_none())
    }

    /// Notes an object that is needed.
    pub fn need(&mut self, key: &str, is_vector: bool) {
        self.note(key, Referenced { removed_ms: None, is_vector });
    }

    /// Notes the newest version of the table at `root_uri`. Its tombstones of after `since_ms` are
    /// of files that are needed.
    pub fn note_state(&mut self, root_uri: &str, state: &WithTombstones, since_ms: i64) {
        for (key, add) in &state.snapshot.files {
            self.need(&key.path, false);
            self.note_vector(root_uri, add.deletion_vector.as_deref(), None);
        }
        for remove in state.tombstones.values() {
            // A tombstone without a time is as old as can be.
            let at_ms = remove.deletion_timestamp.unwrap_or(0);
            self.note_remove(root_uri, remove, (at_ms <= since_ms).then_some(at_ms));
        }
    }

    /// Notes all that a commit names as needed.
    pub fn note_commit(&mut self, root_uri: &str, actions: &[LogAction]) {
        for action in actions {
            match action {
                LogAction::Add(add) => {
                    self.note_path(root_uri, &add.path, None);
                    self.note_vector(root_uri, add.deletion_vector.as_deref(), None);
                }
                LogAction::Remove(remove) => self.note_remove(root_uri, remove, None),
                LogAction::Cdc(raw) => {
                    if let Ok(file) = serde_json::from_str::<ChangeFile>(raw.get()) {
                        self.note_path(root_uri, &file.path, None);
                    }
                }
                _ => {}
            }
        }
    }

    fn note_remove(&mut self, root_uri: &str, remove: &Remove, removed_ms: Option<i64>) {
        self.note_path(root_uri, &remove.path, removed_ms);
        self.note_vector(root_uri, remove.deletion_vector.as_deref(), removed_ms);
    }

    /// Notes the object of a path. One that names no object of the table is nothing to keep.
    fn note_path(&mut self, root_uri: &str, path: &str, removed_ms: Option<i64>) {
        if let Ok(decoded) = paths::decode(root_uri, path) {
            self.note(&decoded.key, Referenced { removed_ms, is_vector: false });
        }
    }

    fn note_vector(
        &mut self,
        root_uri: &str,
        vector: Option<&DeletionVector>,
        removed_ms: Option<i64>,
    ) {
        let object = vector.map(|vector| dv::object_path(root_uri, vector));
        if let Some(Ok(Some(key))) = object {
            self.note(&key, Referenced { removed_ms, is_vector: true });
        }
    }

    /// Notes one reference. What is needed stays so; of two removals the later one counts.
    fn note(&mut self, key: &str, new: Referenced) {
        match self.objects.entry(key.to_owned()) {
            Entry::Vacant(entry) => drop(entry.insert(new)),
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let later = known.removed_ms.zip(new.removed_ms).map(|(a, b)| a.max(b));
                *known =
                    Referenced { removed_ms: later, is_vector: known.is_vector || new.is_vector };
            }
        }
    }
}

/// The part of a `cdc` action that is read.
#[derive(Deserialize)]
struct ChangeFile {
    path: String,
}
