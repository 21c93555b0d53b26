//! Replays actions, oldest first, to a state: the newest reference to a logical file wins.
//!
//! An `add` and its `remove` match by the log's spelling of the path, as readers match them; only
//! the live files' paths are decoded, at the end.
//!
//! Where readers disagree about the state, the log is refused: one commit that adds and removes the
//! same logical file, or adds it twice with different fields (in Spark the last one wins, in the
//! kernel the first); a file whose `remove` differs from its `add` in the scheme alone (Spark
//! qualifies a path that begins with `/`, the kernel does not); one object that is live twice, with
//! different deletion vectors or under two spellings (its rows are read twice, or readers refuse).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use deepclone_core::limits::TABLE_BYTES_MAX;
use rayon::prelude::*;

use super::once;
use super::state::TableState;
use crate::actions::{Add, DomainMetadata, LogAction, Metadata, Protocol, Remove, Txn};
use crate::dv;
use crate::error::DeltaError;
use crate::file_key::{FileKey, LogKey};
use crate::paths;

/// A state that is being built.
#[derive(Default)]
pub(super) struct Replay {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    txns: BTreeMap<String, Txn>,
    domains: BTreeMap<String, DomainMetadata>,
    files: HashMap<LogKey, Tracked>,
    /// An index of `files`: the newest absolute spelling of each file, by its decoded key.
    absolute: BTreeMap<FileKey, LogKey>,
    /// The number of log files applied so far.
    log_files: u32,
}

/// A logical file with its newest action.
struct Tracked {
    file: FileState,
    /// Why readers disagree about the file. A later action that decides clears it.
    doubt: Option<Box<DeltaError>>,
    said: Said,
}

/// The newest action of a logical file. Boxed, because the nodes of a map have empty places.
enum FileState {
    Live(Box<Add>),
    Removed(Box<Remove>),
}

/// What one log file does to a logical file.
#[derive(Clone, Copy, Default)]
struct Said {
    /// The number of that log file, from 1.
    log_file: u32,
    adds: bool,
    removes: bool,
    /// It adds the file twice, with different fields.
    contradicts: bool,
}

type Live = BTreeMap<FileKey, Add>;
type Tombstones = BTreeMap<LogKey, Remove>;

/// The state at the end of a replay.
#[derive(Debug)]
pub(super) struct ReplayedState {
    pub(super) table: TableState,
    pub(super) files: Live,
    pub(super) tombstones: Tombstones,
}

impl Tracked {
    /// Returns what the log file with the number `log_file` has done to the file so far.
    fn said_by(&self, log_file: u32) -> Said {
        if self.said.log_file == log_file {
            self.said
        } else {
            Said { log_file, ..Said::default() }
        }
    }
}

impl Said {
    /// Returns why readers disagree about the file `path` after these actions of the log file
    /// `file`.
    fn doubt(self, path: &str, file: &str) -> Option<Box<DeltaError>> {
        let problem = match self {
            Self { adds: true, removes: true, .. } => format!("it both adds and removes {path}"),
            Self { contradicts: true, .. } => {
                format!("it adds {path} twice, with different fields")
            }
            _ => return None,
        };
        Some(Box::new(DeltaError::damaged(file, problem)))
    }
}

impl Replay {
    /// Starts with the table as it was, and none of its files.
    pub(super) fn of(table: TableState) -> Self {
        let TableState { protocol, metadata, txns, domains } = table;
        let (protocol, metadata) = (Some(protocol), Some(metadata));
        Self { protocol, metadata, txns, domains, ..Self::default() }
    }

    /// Returns whether each file that was named is live.
    pub(super) fn live(&self) -> BTreeMap<LogKey, bool> {
        let is_live = |tracked: &Tracked| matches!(tracked.file, FileState::Live(_));
        self.files.iter().map(|(key, tracked)| (key.clone(), is_live(tracked))).collect()
    }

    /// Returns the table, and what was done to each file: its newest `add`, or none after a
    /// `remove`. `None` when readers disagree about a file.
    pub(super) fn changes(self) -> Option<(TableState, BTreeMap<LogKey, Option<Add>>)> {
        let Self { txns, mut domains, files, .. } = self;
        let change = |(key, tracked): (LogKey, Tracked)| match (tracked.doubt, tracked.file) {
            (Some(_), _) => None,
            (None, FileState::Live(add)) => Some((key, Some(*add))),
            (None, FileState::Removed(_)) => Some((key, None)),
        };
        let files = files.into_iter().map(change).collect::<Option<_>>()?;
        domains.retain(|_, domain| !domain.removed);
        let (protocol, metadata) = (self.protocol?, self.metadata?);
        Some((TableState { protocol, metadata, txns, domains }, files))
    }

    pub(super) fn has_protocol_and_metadata(&self) -> bool {
        self.protocol.is_some() && self.metadata.is_some()
    }

    /// Applies the actions of the log file `file` of the table at `root_uri`.
    pub(super) fn apply(
        &mut self,
        root_uri: &str,
        file: &str,
        actions: impl IntoIterator<Item = LogAction>,
    ) {
        self.log_files += 1;
        for action in actions {
            match action {
                LogAction::Add(add) => self.add(root_uri, file, add),
                LogAction::Remove(remove) => self.remove(root_uri, file, remove),
                LogAction::Metadata(metadata) => self.metadata = Some(metadata),
                LogAction::Protocol(protocol) => self.protocol = Some(protocol),
                LogAction::Txn(txn) => drop(self.txns.insert(txn.app_id.clone(), txn)),
                LogAction::DomainMetadata(domain) => {
                    self.domains.insert(domain.domain.clone(), domain);
                }
                // An unknown action belongs to a feature that is refused or allowed by name.
                LogAction::CommitInfo(_) | LogAction::Cdc(_) | LogAction::Other(..) => {}
            }
        }
    }

    fn add(&mut self, root_uri: &str, file: &str, add: Add) {
        let log_file = self.log_files;
        let (key, add) = (LogKey::of_add(&add), Box::new(add));
        if let Some(decoded) = absolute(root_uri, &key) {
            self.absolute.insert(decoded, key.clone());
        }
        match self.files.entry(key) {
            Entry::Vacant(entry) => {
                let said = Said { log_file, adds: true, ..Said::default() };
                entry.insert(Tracked { file: FileState::Live(add), doubt: None, said });
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let mut said = known.said_by(log_file);
                if let (true, FileState::Live(live)) = (said.adds, &known.file) {
                    said.contradicts |= !once::is_same_add(live, &add);
                }
                said.adds = true;
                let doubt = said.doubt(&add.path, file);
                *known = Tracked { file: FileState::Live(add), doubt, said };
            }
        }
    }

    fn remove(&mut self, root_uri: &str, file: &str, remove: Remove) {
        let log_file = self.log_files;
        let (key, remove) = (LogKey::of_remove(&remove), Box::new(remove));
        self.doubt_other_scheme(root_uri, file, &key);
        match self.files.entry(key) {
            Entry::Vacant(entry) => {
                let said = Said { log_file, removes: true, ..Said::default() };
                entry.insert(Tracked { file: FileState::Removed(remove), doubt: None, said });
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let said = Said { removes: true, ..known.said_by(log_file) };
                let doubt = said.doubt(&remove.path, file);
                *known = Tracked { file: FileState::Removed(remove), doubt, said };
            }
        }
    }

    /// Applies the actions of the checkpoint `file`, whose rows have no order. Returns the files
    /// that it both adds and removes; they count as live.
    pub(super) fn apply_checkpoint(
        &mut self,
        root_uri: &str,
        file: &str,
        actions: Vec<LogAction>,
    ) -> BTreeSet<LogKey> {
        let removed = |action: &LogAction| match action {
            LogAction::Remove(remove) => Some(LogKey::of_remove(remove)),
            _ => None,
        };
        let tombstones: BTreeSet<LogKey> = actions.iter().filter_map(removed).collect();
        let paths: HashSet<&str> = tombstones.iter().map(|key| key.path.as_str()).collect();
        let added = |action: &LogAction| match action {
            LogAction::Add(add) if paths.contains(add.path.as_str()) => Some(LogKey::of_add(add)),
            _ => None,
        };
        let added = actions.iter().filter_map(added);
        let disputed: BTreeSet<LogKey> = added.filter(|key| tombstones.contains(key)).collect();
        let counts = |action: &LogAction| {
            disputed.is_empty() || removed(action).is_none_or(|key| !disputed.contains(&key))
        };
        self.apply(root_uri, file, actions.into_iter().filter(counts));
        for key in &tombstones {
            self.doubt_other_scheme(root_uri, file, key);
        }
        disputed
    }

    /// Applies the commit `file`, older than all that were passed before, to the files in
    /// `disputed`, which count as live so far. Removes from the set those that it names.
    pub(super) fn decide(
        &mut self,
        file: &str,
        actions: Vec<LogAction>,
        disputed: &mut BTreeSet<LogKey>,
    ) {
        let mut added = BTreeSet::new();
        let mut removed = BTreeMap::new();
        for action in actions {
            match action {
                LogAction::Add(add) => {
                    added.extend(Some(LogKey::of_add(&add)).filter(|key| disputed.contains(key)));
                }
                LogAction::Remove(remove) => {
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
            let Some(known) = self.files.get_mut(&key) else { continue };
            if added.contains(&key) {
                let said = Said { adds: true, removes: true, ..Said::default() };
                known.doubt = said.doubt(&key.path, file);
            } else {
                known.file = FileState::Removed(Box::new(remove));
            }
        }
    }

    /// Builds the state at the version whose commit is `file`.
    pub(super) fn finish(self, root_uri: &str, file: &str) -> Result<ReplayedState, DeltaError> {
        let Self { txns, mut domains, files: mut tracked, .. } = self;
        let protocol = self
            .protocol
            .ok_or_else(|| DeltaError::damaged(file, "no protocol up to this version"))?;
        let metadata = self
            .metadata
            .ok_or_else(|| DeltaError::damaged(file, "no metadata up to this version"))?;
        if metadata.schema_string.is_empty() {
            return Err(DeltaError::damaged(file, "the metadata in force has no schemaString"));
        }
        // The first of them by its key, so that the same log always gives the same error.
        let doubtful = tracked.iter_mut().filter(|(_, tracked)| tracked.doubt.is_some());
        let first = doubtful.min_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(doubt) = first.and_then(|(_, tracked)| tracked.doubt.take()) {
            return Err(*doubt);
        }
        let (files, tombstones) = split(root_uri, file, tracked)?;
        domains.retain(|_, domain| !domain.removed);
        let table = TableState { protocol, metadata, txns, domains };
        Ok(ReplayedState { table, files, tombstones })
    }

    /// Marks a live file whose path differs from the removed one in the scheme alone: a `remove` of
    /// `/t/a` removes `file:/t/a` in Spark and not in the kernel, and the other way round.
    fn doubt_other_scheme(&mut self, root_uri: &str, file: &str, key: &LogKey) {
        let Some(other) = absolute(root_uri, key).and_then(|file| self.absolute.get(&file)) else {
            return;
        };
        let differs = other.path.starts_with('/') != key.path.starts_with('/');
        if let (true, Some(known)) = (differs, self.files.get_mut(other))
            && let FileState::Live(live) = &known.file
        {
            let problem = format!(
                "it removes {} while {} is live: readers differ on whether the two are one path",
                key.path, live.path
            );
            known.doubt = Some(Box::new(DeltaError::damaged(file, problem)));
        }
    }
}

/// Decodes an absolute path below the table's root; `None` for every other path.
fn absolute(root_uri: &str, key: &LogKey) -> Option<FileKey> {
    if !paths::is_absolute(&key.path) {
        return None;
    }
    let path = paths::decode(root_uri, &key.path).ok()?.key;
    Some(FileKey { path, dv: key.dv.clone() })
}

/// Splits the files into the live ones, by their decoded key, and the tombstones. No live path may
/// leave the table, and no two may name one object.
fn split(
    root_uri: &str,
    file: &str,
    tracked: HashMap<LogKey, Tracked>,
) -> Result<(Live, Tombstones), DeltaError> {
    let mut adds: Vec<(FileKey, Add)> = Vec::new();
    let mut tombstones = Tombstones::new();
    let mut refused: Option<(LogKey, DeltaError)> = None;
    for (log_key, tracked) in tracked {
        let add = match tracked.file {
            FileState::Live(add) => *add,
            FileState::Removed(remove) => {
                tombstones.insert(log_key, *remove);
                continue;
            }
        };
        match file_key(root_uri, &add) {
            Ok(key) => adds.push((key, add)),
            Err(error) if refused.as_ref().is_none_or(|(known, _)| log_key < *known) => {
                refused = Some((log_key, error));
            }
            Err(_) => {}
        }
    }
    if let Some((_, error)) = refused {
        return Err(error);
    }
    adds.par_sort_unstable_by(|(a, left), (b, right)| {
        a.cmp(b).then_with(|| left.path.cmp(&right.path))
    });
    if let Some([(_, a), (_, b)]) = adds.array_windows().find(|[(a, _), (b, _)]| a == b) {
        return Err(two_spellings(file, &a.path, &b.path));
    }
    check_sizes(file, &adds)?;
    let live: Live = adds.into_iter().collect();
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
        None => Ok((live, tombstones)),
    }
}

/// Checks that the files' sizes have a sum, for every count of bytes adds some of them.
fn check_sizes(file: &str, adds: &[(FileKey, Add)]) -> Result<(), DeltaError> {
    let sum = adds.iter().try_fold(0_u64, |sum, (_, add)| sum.checked_add(add.size));
    if sum.is_some_and(|sum| sum <= TABLE_BYTES_MAX) {
        return Ok(());
    }
    let problem = format!("up to this version the files have more than {TABLE_BYTES_MAX} bytes");
    Err(DeltaError::damaged(file, problem))
}

/// Returns the key of a live file, whose deletion vector must name an object, too.
fn file_key(root_uri: &str, add: &Add) -> Result<FileKey, DeltaError> {
    let key = FileKey::of_add(root_uri, add)?;
    if let Some(vector) = &add.deletion_vector {
        dv::object_path(root_uri, vector)?;
    }
    Ok(key)
}

fn two_spellings(file: &str, a: &str, b: &str) -> DeltaError {
    let problem = format!(
        "up to this version {a:?} and {b:?} are both live and name one object: remove one of the \
         two spellings from the source"
    );
    DeltaError::damaged(file, problem)
}
