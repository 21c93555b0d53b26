//! What must never be seen at a target, looked for at every change of it.
//!
//! * A commit of ours shows exactly the version of the source that it names: its files, and for
//!   each of them the source's bytes (I6, I7).
//! * Nothing of ours overwrites an object, or removes one that a reader needs (I3).
//! * No sync has two commits.
//! * A repair leaves nothing damaged that was so when it was asked for.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::evidence::prior_age_max_ms;
use serde_json::Value;

use crate::clouds::{By, Change, Clouds, NORTH, SOUTH};
use crate::damage::Damage;
use crate::faults::Role;
use crate::reader::{self, View, objects};
use crate::source::{FileName, Ledger, Live, Version};

/// What is known of the targets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replicas {
    /// The objects that a reader of the newest version needs, where that version is ours.
    needed: BTreeMap<String, BTreeSet<String>>,
    /// When a coordinator last saw an object at the target.
    seen_ms: BTreeMap<String, i64>,
    /// When somebody else removed one.
    removed_ms: BTreeMap<String, i64>,
    /// The commit of each sync: target and version.
    pub(crate) published: BTreeMap<String, (String, u64)>,
    /// Commits of ours that were checked.
    pub(crate) checked: u64,
    /// What was damaged, and is not mended.
    pub(crate) damage: Damage,
    /// When readers of the newest version needed an object no more, and how long it is kept for
    /// those of the versions before.
    kept_for_readers: BTreeMap<String, (i64, i64)>,
    /// Vacuums keep every version within the retention.
    pub(crate) keeps_time_travel: bool,
}

/// Looks at every change of a target since the last time.
pub(crate) fn settle(clouds: &mut Clouds, replicas: &mut Replicas, ledger: &Ledger) {
    for change in std::mem::take(&mut clouds.changes) {
        let commit = reader::parse_commit_key(&change.key);
        replicas.note(clouds, &change, commit.is_some());
        if let Some((target, version)) = commit.filter(|_| change.is_there) {
            replicas.committed(clouds, ledger, target, version, change.by);
        }
    }
}

impl Replicas {
    /// A process saw an object of a bucket.
    pub(crate) fn looked_at(&mut self, role: Role, (bucket, key): (&str, &str), now_ms: i64) {
        if bucket == SOUTH && role == Role::Coordinator {
            self.seen_ms.insert(key.to_owned(), now_ms);
        }
    }

    fn note(&mut self, clouds: &mut Clouds, change: &Change, is_commit: bool) {
        let Change { key, by, was_there, is_there } = change;
        let is_data = !key.contains("/_delta_log/") && !key.contains("/_deepclone/");
        match (by, is_there) {
            (By::Us, true) if *was_there && (is_data || is_commit) => {
                clouds.violate(format!("{key} was overwritten"));
            }
            (By::Us, false) => {
                let is_needed = self.needed.values().any(|keys| keys.contains(key));
                if is_needed || is_commit {
                    clouds.violate(format!("{key} was removed, and readers need it"));
                }
                if self.keeps_time_travel
                    && let Some((since, kept)) = self.kept_for_readers.remove(key)
                    && clouds.now_ms - since < kept
                {
                    let ms = clouds.now_ms - since;
                    let why = "and readers of a version within the retention need it";
                    clouds.violate(format!("{key} was removed after {ms} ms, {why}"));
                }
                self.damage.mended(key);
            }
            (By::Damage, _) => self.damage.done(key, clouds.now_ms),
            (By::Others, false) => {
                self.removed_ms.insert(key.clone(), clouds.now_ms);
            }
            (By::Us | By::Others, true) => {
                self.removed_ms.remove(key);
                self.kept_for_readers.remove(key);
                self.damage.mended(key);
            }
        }
    }

    fn committed(
        &mut self,
        clouds: &mut Clouds,
        ledger: &Ledger,
        target: &str,
        version: u64,
        by: By,
    ) {
        let view = match reader::read(clouds, target, version) {
            Ok(view) => view,
            Err(why) => {
                return clouds.violate(format!("the log of {target} cannot be read: {why}"));
            }
        };
        let Some(record) = view.record.clone() else {
            self.needed.remove(target);
            if by == By::Us {
                clouds.violate(format!("version {version} of {target} has no record"));
            }
            return;
        };
        self.checked += 1;
        let sync = record["syncId"].as_str().unwrap_or_default().to_owned();
        let place = (target.to_owned(), version);
        if let Some(earlier) = self.published.insert(sync.clone(), place) {
            clouds.violate(format!("{sync} has two commits: {earlier:?}, and version {version}"));
        }
        for why in self.differences(clouds, ledger, target, &view, &record) {
            clouds.violate(format!("version {version} of {target}, of {sync}: {why}"));
        }
        let needed: BTreeSet<_> = view.live.keys().flat_map(|name| objects(target, name)).collect();
        self.kept_for_readers.retain(|key, _| !needed.contains(key));
        let before = self.needed.insert(target.to_owned(), needed.clone()).unwrap_or_default();
        let left = before.into_iter().filter(|key| !needed.contains(key));
        let since = (clouds.now_ms, view.retention_ms());
        self.kept_for_readers.extend(left.map(|key| (key, since)));
    }

    /// In what a commit of ours differs from the version of the source that it names.
    fn differences(
        &self,
        clouds: &Clouds,
        ledger: &Ledger,
        target: &str,
        view: &View,
        record: &Value,
    ) -> Vec<String> {
        let table = record["sourceId"].as_str().unwrap_or_default().to_owned();
        let number = record["sourceVersion"].as_u64().unwrap_or(u64::MAX);
        let Some(expected) = ledger.versions.get(&(table.clone(), number)) else {
            return vec![format!("there never was a version {number} of {table}")];
        };
        let source = table.split('-').next().unwrap_or_default();
        let of = format!("version {number} of {table}");
        let shown = match view.live_at_source() {
            Ok(shown) => shown,
            Err(why) => return vec![why],
        };
        let strange = shown.keys().filter(|name| !expected.contains_key(*name));
        let mut why: Vec<_> = strange.map(|name| format!("{name:?} is not in {of}")).collect();
        for (name, live) in expected {
            match shown.get(name) {
                None => why.push(format!("{name:?} of {of} is missing")),
                Some((_, add)) if add["size"] != live.size => {
                    why.push(format!("{name:?} has another size: {add}"));
                }
                Some((_, add)) if add["modificationTime"] != live.modified_ms => {
                    why.push(format!("{name:?} has another time: {add}"));
                }
                Some((at_target, _)) => {
                    let file = ((source, name), (target, *at_target), live);
                    why.extend(self.file_differs(clouds, ledger, view, file));
                }
            }
        }
        why
    }

    fn file_differs(
        &self,
        clouds: &Clouds,
        ledger: &Ledger,
        view: &View,
        (source, target, live): ((&str, &FileName), (&str, &FileName), &Live),
    ) -> Option<String> {
        let keys = objects(target.0, target.1).into_iter().zip(objects(source.0, source.1));
        for (is_vector, (key, at_source)) in keys.enumerate() {
            if self.damage.is_damaged(&key) {
                // Syncs look at logs, and not at what they published.
                continue;
            }
            let Some(object) = clouds.get(SOUTH, &key) else {
                if self.is_excused(view, &key) {
                    continue;
                }
                return Some(format!("{key} is not there"));
            };
            let (bytes, least) = (&object.bytes, live.generation);
            let is_right = match is_vector {
                0 => {
                    ledger.generation_of(&at_source, least, bytes).is_some()
                        && bytes.len() as u64 == live.size
                }
                _ => ledger.vector_files.get(&at_source) == Some(bytes),
            };
            if !is_right {
                let bytes = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
                return Some(format!("{key} holds {bytes}, not {at_source}#{least}"));
            }
        }
        None
    }

    /// A VACUUM of the replica came between the look at an object and the commit, and no earlier
    /// than the evidence may be old.
    fn is_excused(&self, view: &View, key: &str) -> bool {
        match (self.seen_ms.get(key), self.removed_ms.get(key)) {
            (Some(seen), Some(removed)) => {
                seen <= removed && removed - seen < prior_age_max_ms(view.retention_ms())
            }
            _ => false,
        }
    }
}

/// In what the newest version of a replica that a last, calm sync left differs from the source.
pub(crate) fn at_the_end(clouds: &Clouds, target: &str, version: &Version) -> Vec<String> {
    let Some(head) = reader::head(clouds, target) else {
        return vec![format!("{target} has no log")];
    };
    let view = match reader::read(clouds, target, head) {
        Ok(view) => view,
        Err(why) => return vec![why],
    };
    let names: Vec<_> = view.live.keys().map(reader::at_source).collect();
    let expected: Vec<_> = version.keys().cloned().collect();
    if names == expected {
        return Vec::new();
    }
    vec![format!("{target} ends with {names:?}, and the source has {expected:?}")]
}

/// Returns whether an object that a replica's newest version refers to is gone, and `version` has
/// one of its name.
pub(crate) fn lacks_of_head(clouds: &Clouds, target: &str, version: &Version) -> bool {
    let head = reader::head(clouds, target);
    let view = head.and_then(|head| reader::read(clouds, target, head).ok()).unwrap_or_default();
    let needed = view.live.keys().flat_map(|name| objects(target, name));
    let gone: BTreeSet<String> = needed.filter(|key| clouds.get(SOUTH, key).is_none()).collect();
    let mut wanted = version.keys().flat_map(|name| objects(target, name));
    wanted.any(|key| gone.contains(&key))
}

/// A key of the target holds other bytes than the source's newest version: a conflict is no lie.
pub(crate) fn has_conflict(clouds: &Clouds, source: &str, target: &str, version: &Version) -> bool {
    let head = reader::head(clouds, target);
    let view = head.and_then(|head| reader::read(clouds, target, head).ok()).unwrap_or_default();
    let shown = view.live_at_source().unwrap_or_default();
    version.iter().any(|(name, live)| {
        // A file that was repaired keeps the name that it got.
        let at_target = shown.get(name).map_or(name, |(at_target, _)| *at_target);
        // The log tells of another length though the object is gone.
        let data_file = objects(target, at_target).into_iter().next();
        let mut live_there = view
            .live
            .iter()
            .filter(|(other, _)| objects(target, other).into_iter().next() == data_file);
        let has_other_length = live_there.any(|(_, add)| add["size"] != live.size);
        let keys = objects(target, at_target).into_iter().zip(objects(source, name)).enumerate();
        let mut keys = keys.into_iter();
        has_other_length
            || keys.any(|(is_vector, (at_target, at_source))| {
                clouds.get(SOUTH, &at_target).is_some_and(|object| {
                    let held = clouds.get(NORTH, &at_source).map(|object| &object.bytes);
                    let has_length = is_vector > 0 || object.bytes.len() as u64 == live.size;
                    held != Some(&object.bytes) || !has_length
                })
            })
    })
}
