//! Actions, oldest first, to a state: the newest reference to a logical file wins.
//!
//! An `add` and its `remove` match by the log's spelling of the path, as readers match them; only
//! the live files' paths are decoded, at the end.
//!
//! What readers answer differently is refused where it decides the state: one commit that adds and
//! removes the same logical file, or adds it twice with different fields (Spark lets the last one
//! win, the kernel the first); a file whose
//! `remove` differs from its `add` in the scheme alone (Spark qualifies a path that begins with
//! `/`, the kernel does not); one object that is live twice, with different deletion vectors or
//! under two spellings (its rows are read twice, or readers refuse).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{DomainMetadata, Metadata, Protocol, Remove, Txn, once};
use crate::actions::{Action, Add};
use crate::dv;
use crate::error::DeltaError;
use crate::paths::{self, FileKey, LogKey};

/// A state under way.
#[derive(Default)]
pub(super) struct Replay {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    txns: BTreeMap<String, Txn>,
    domains: BTreeMap<String, DomainMetadata>,
    files: BTreeMap<LogKey, Add>,
    tombstones: BTreeMap<LogKey, Remove>,
    /// Files that readers do not agree about, with the error that says why: forgiven if a later
    /// action decides.
    undecided: BTreeMap<LogKey, DeltaError>,
    /// The newest absolute spelling of each file, by what it decodes to.
    absolute: BTreeMap<FileKey, LogKey>,
}

/// Two things that one log file says of one logical file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clash {
    AddAndRemove,
    TwoAdds,
}

/// A finished state.
#[derive(Debug)]
pub(super) struct State {
    pub(super) protocol: Protocol,
    pub(super) metadata: Metadata,
    pub(super) txns: BTreeMap<String, Txn>,
    pub(super) domains: BTreeMap<String, DomainMetadata>,
    pub(super) files: BTreeMap<FileKey, Add>,
    pub(super) tombstones: BTreeMap<LogKey, Remove>,
}

impl Replay {
    pub(super) fn has_protocol_and_metadata(&self) -> bool {
        self.protocol.is_some() && self.metadata.is_some()
    }

    /// Applies the actions of the log file `file` of the table at `root_uri`.
    pub(super) fn apply(
        &mut self,
        root_uri: &str,
        file: &str,
        actions: impl IntoIterator<Item = Action>,
    ) {
        let mut added = BTreeSet::new();
        let mut removed = BTreeSet::new();
        let mut twice = BTreeSet::new();
        for action in actions {
            match action {
                Action::Add(add) => {
                    let key = LogKey::of_add(&add);
                    if added.contains(&key)
                        && self.files.get(&key).is_some_and(|known| !once::is_same_add(known, &add))
                    {
                        twice.insert(key.clone());
                    }
                    let clash = match (removed.contains(&key), twice.contains(&key)) {
                        (true, _) => Some(Clash::AddAndRemove),
                        (false, true) => Some(Clash::TwoAdds),
                        (false, false) => None,
                    };
                    self.settle(&key, clash, file);
                    self.note_absolute(root_uri, &key);
                    added.insert(key.clone());
                    self.tombstones.remove(&key);
                    self.files.insert(key, add);
                }
                Action::Remove(remove) => {
                    let key = LogKey::of_remove(&remove);
                    self.settle(&key, added.contains(&key).then_some(Clash::AddAndRemove), file);
                    self.doubt_other_scheme(root_uri, file, &key);
                    removed.insert(key.clone());
                    self.files.remove(&key);
                    self.tombstones.insert(key, remove);
                }
                Action::Metadata(metadata) => self.metadata = Some(metadata),
                Action::Protocol(protocol) => self.protocol = Some(protocol),
                Action::Txn(txn) => drop(self.txns.insert(txn.app_id.clone(), txn)),
                Action::DomainMetadata(domain) => {
                    self.domains.insert(domain.domain.clone(), domain);
                }
                // An action that we do not know belongs to a feature that is refused or allowed
                // by name.
                Action::CommitInfo(_) | Action::Cdc(_) | Action::Other(..) => {}
            }
        }
    }

    /// Applies the actions of the checkpoint `file`, whose rows have no order. Returns the files
    /// that it both adds and removes; they count as live.
    pub(super) fn apply_checkpoint(
        &mut self,
        root_uri: &str,
        file: &str,
        actions: Vec<Action>,
    ) -> BTreeSet<LogKey> {
        let removed = |action: &Action| match action {
            Action::Remove(remove) => Some(LogKey::of_remove(remove)),
            _ => None,
        };
        let tombstones: BTreeSet<LogKey> = actions.iter().filter_map(removed).collect();
        let paths: HashSet<&str> = tombstones.iter().map(|key| key.path.as_str()).collect();
        let added = |action: &Action| match action {
            Action::Add(add) if paths.contains(add.path.as_str()) => Some(LogKey::of_add(add)),
            _ => None,
        };
        let added = actions.iter().filter_map(added);
        let disputed: BTreeSet<LogKey> = added.filter(|key| tombstones.contains(key)).collect();
        let counts = |action: &Action| {
            disputed.is_empty() || removed(action).is_none_or(|key| !disputed.contains(&key))
        };
        self.apply(root_uri, file, actions.into_iter().filter(counts));
        for key in &tombstones {
            self.doubt_other_scheme(root_uri, file, key);
        }
        disputed
    }

    /// Lets the commit `file`, newer than all that were asked before, decide about the files in
    /// `disputed`, which count as live; those that it decides about leave the set.
    pub(super) fn decide(
        &mut self,
        file: &str,
        actions: Vec<Action>,
        disputed: &mut BTreeSet<LogKey>,
    ) {
        let mut added = BTreeSet::new();
        let mut removed = BTreeMap::new();
        for action in actions {
            match action {
                Action::Add(add) => {
                    added.extend(Some(LogKey::of_add(&add)).filter(|key| disputed.contains(key)));
                }
                Action::Remove(remove) => {
                    let key = LogKey::of_remove(&remove);
                    if disputed.contains(&key) {
                        removed.insert(key, remove);
                    }
                }
                _ => {}
            }
        }
        disputed.retain(|key| !added.contains(key) && !removed.contains_key(key));
        for (key, remove) in removed {
            if added.contains(&key) {
                self.settle(&key, Some(Clash::AddAndRemove), file);
            } else {
                self.files.remove(&key);
                self.tombstones.insert(key, remove);
            }
        }
    }

    /// The state, at the version whose commit is `file`.
    pub(super) fn finish(self, root_uri: &str, file: &str) -> Result<State, DeltaError> {
        let Self { mut domains, files, undecided, .. } = self;
        let protocol = self
            .protocol
            .ok_or_else(|| DeltaError::damaged(file, "no protocol up to this version"))?;
        let metadata = self
            .metadata
            .ok_or_else(|| DeltaError::damaged(file, "no metadata up to this version"))?;
        if metadata.schema_string.is_empty() {
            return Err(DeltaError::damaged(file, "the metadata in force has no schemaString"));
        }
        if let Some((_, error)) = undecided.into_iter().next() {
            return Err(error);
        }
        let files = decoded(root_uri, file, files)?;
        domains.retain(|_, domain| !domain.removed);
        let (txns, tombstones) = (self.txns, self.tombstones);
        Ok(State { protocol, metadata, txns, domains, files, tombstones })
    }

    /// Notes whether the log file `file` says two things of `key`.
    fn settle(&mut self, key: &LogKey, clash: Option<Clash>, file: &str) {
        let problem = match clash {
            Some(Clash::AddAndRemove) => format!("it both adds and removes {}", key.path),
            Some(Clash::TwoAdds) => format!("it adds {} twice, with different fields", key.path),
            None => {
                self.undecided.remove(key);
                return;
            }
        };
        self.undecided.insert(key.clone(), DeltaError::damaged(file, problem));
    }

    fn note_absolute(&mut self, root_uri: &str, key: &LogKey) {
        if let Some(file) = absolute(root_uri, key) {
            self.absolute.insert(file, key.clone());
        }
    }

    /// A `remove` of `/t/a` takes `file:/t/a` away in Spark and not in the kernel, and the other
    /// way round.
    fn doubt_other_scheme(&mut self, root_uri: &str, file: &str, key: &LogKey) {
        let Some(other) = absolute(root_uri, key).and_then(|file| self.absolute.get(&file)) else {
            return;
        };
        let differs = other.path.starts_with('/') != key.path.starts_with('/');
        if differs && self.files.contains_key(other) {
            let problem = format!(
                "it removes {} while {} is live: readers differ on whether the two are one path",
                key.path, other.path
            );
            self.undecided.insert(other.clone(), DeltaError::damaged(file, problem));
        }
    }
}

/// What an absolute path below the table's root decodes to.
fn absolute(root_uri: &str, key: &LogKey) -> Option<FileKey> {
    if !paths::is_absolute(&key.path) {
        return None;
    }
    let path = paths::decode(root_uri, &key.path).ok()?.key;
    Some(FileKey { path, dv: key.dv.clone() })
}

/// The live files by what they are read from; none of their paths may leave the table, and no two
/// may be one object.
fn decoded(
    root_uri: &str,
    file: &str,
    files: BTreeMap<LogKey, Add>,
) -> Result<BTreeMap<FileKey, Add>, DeltaError> {
    let mut live: BTreeMap<FileKey, Add> = BTreeMap::new();
    for add in files.into_values() {
        let key = FileKey::of_add(root_uri, &add)?;
        if let Some(vector) = &add.deletion_vector {
            dv::object_path(root_uri, vector)?;
        }
        let spelling = add.path.clone();
        if let Some(other) = live.insert(key, add) {
            return Err(two_spellings(file, &other.path, &spelling));
        }
    }
    let twice = live.iter().zip(live.iter().skip(1)).find(|(a, b)| a.0.path == b.0.path);
    match twice {
        Some(((_, a), (_, b))) if a.path != b.path => Err(two_spellings(file, &a.path, &b.path)),
        Some(((key, _), _)) => {
            let problem = format!(
                "up to this version {} is live twice with different deletion vectors",
                key.path
            );
            Err(DeltaError::damaged(file, problem))
        }
        None => Ok(live),
    }
}

fn two_spellings(file: &str, a: &str, b: &str) -> DeltaError {
    let problem = format!(
        "up to this version {a:?} and {b:?} are both live and name one object: remove one of the \
         two spellings from the source"
    );
    DeltaError::damaged(file, problem)
}
