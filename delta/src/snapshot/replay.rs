//! Actions, oldest first, to a state: the newest reference to a logical file wins.
//!
//! Two things that readers answer differently are refused where they decide the state: one commit
//! that adds and removes the same logical file (Spark lets the last one win, the kernel the first),
//! and one path that is live twice with different deletion vectors (Spark reads its rows twice,
//! the kernel refuses); the protocol calls both illegal.

use std::collections::{BTreeMap, BTreeSet};

use super::{DomainMetadata, Metadata, Protocol, Remove, Txn};
use crate::actions::{Action, Add};
use crate::dv;
use crate::error::DeltaError;
use crate::paths::FileKey;

/// A state under way.
#[derive(Default)]
pub(super) struct Replay {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    txns: BTreeMap<String, Txn>,
    domains: BTreeMap<String, DomainMetadata>,
    files: BTreeMap<FileKey, Add>,
    tombstones: BTreeMap<FileKey, Remove>,
    /// Files whose newest commit both adds and removes them, with that commit.
    undecided: BTreeMap<FileKey, String>,
    /// Live files whose path cannot be followed: forgiven if they are removed later on.
    refused: BTreeMap<FileKey, DeltaError>,
}

/// A finished state.
#[derive(Debug)]
pub(super) struct State {
    pub(super) protocol: Protocol,
    pub(super) metadata: Metadata,
    pub(super) txns: BTreeMap<String, Txn>,
    pub(super) domains: BTreeMap<String, DomainMetadata>,
    pub(super) files: BTreeMap<FileKey, Add>,
    pub(super) tombstones: BTreeMap<FileKey, Remove>,
}

impl Replay {
    pub(super) fn has_protocol_and_metadata(&self) -> bool {
        self.protocol.is_some() && self.metadata.is_some()
    }

    /// Applies the actions of the log file `file` of the table at `root_uri`.
    pub(super) fn apply(&mut self, root_uri: &str, file: &str, actions: Vec<Action>) {
        let mut added = BTreeSet::new();
        let mut removed = BTreeSet::new();
        for action in actions {
            match action {
                Action::Add(add) => {
                    let key = self.key_of_add(root_uri, &add);
                    if removed.contains(&key) {
                        self.undecided.insert(key.clone(), file.to_owned());
                    } else {
                        self.undecided.remove(&key);
                    }
                    added.insert(key.clone());
                    self.tombstones.remove(&key);
                    self.files.insert(key, add);
                }
                Action::Remove(remove) => {
                    let key = key_of_remove(root_uri, &remove);
                    if added.contains(&key) {
                        self.undecided.insert(key.clone(), file.to_owned());
                    } else {
                        self.undecided.remove(&key);
                    }
                    removed.insert(key.clone());
                    self.refused.remove(&key);
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

    /// The state, at the version whose commit is `file`.
    pub(super) fn finish(self, root_uri: &str, file: &str) -> Result<State, DeltaError> {
        let Self { mut domains, files, undecided, refused, .. } = self;
        let protocol = self
            .protocol
            .ok_or_else(|| DeltaError::damaged(file, "no protocol up to this version"))?;
        let metadata = self
            .metadata
            .ok_or_else(|| DeltaError::damaged(file, "no metadata up to this version"))?;
        if metadata.schema_string.is_empty() {
            return Err(DeltaError::damaged(file, "the metadata in force has no schemaString"));
        }
        if let Some((key, commit)) = undecided.into_iter().next() {
            let problem = format!("it both adds and removes {}", key.path);
            return Err(DeltaError::damaged(commit, problem));
        }
        if let Some((_, error)) = refused.into_iter().next() {
            return Err(error);
        }
        check_live(root_uri, file, &files)?;
        domains.retain(|_, domain| !domain.removed);
        let (txns, tombstones) = (self.txns, self.tombstones);
        Ok(State { protocol, metadata, txns, domains, files, tombstones })
    }

    fn key_of_add(&mut self, root_uri: &str, add: &Add) -> FileKey {
        match FileKey::of_add(root_uri, add) {
            Ok(key) => key,
            Err(error) => {
                let vector = add.deletion_vector.as_ref();
                let key = FileKey { path: add.path.clone(), dv: vector.map(dv::unique_id) };
                self.refused.insert(key.clone(), error);
                key
            }
        }
    }
}

/// A path that cannot be followed can only match its own spelling.
fn key_of_remove(root_uri: &str, remove: &Remove) -> FileKey {
    FileKey::of_remove(root_uri, remove).unwrap_or_else(|_| FileKey {
        path: remove.path.clone(),
        dv: remove.deletion_vector.as_ref().map(dv::unique_id),
    })
}

fn check_live(
    root_uri: &str,
    file: &str,
    files: &BTreeMap<FileKey, Add>,
) -> Result<(), DeltaError> {
    let twice = files.keys().zip(files.keys().skip(1)).find(|(a, b)| a.path == b.path);
    if let Some((key, _)) = twice {
        let problem = format!(
            "up to this version {} is live twice with different deletion vectors",
            key.path
        );
        return Err(DeltaError::damaged(file, problem));
    }
    for add in files.values() {
        if let Some(vector) = &add.deletion_vector {
            dv::object_path(root_uri, vector)?;
        }
    }
    Ok(())
}
