//! The rules of one commit against the state before it.

use std::collections::{BTreeMap, BTreeSet};

use super::state::LogState;
use crate::actions::{Add, Configuration, LogAction, Protocol, Remove};
use crate::file_key::{FileKey, LogKey};
use crate::log::Commit;
use crate::protocol::{self, READER_LISTS, WRITER_LISTS, supported};
use crate::replica::record_of;
use crate::row_ids::{ROW_TRACKING_DOMAIN, row_id_mark};

/// Checks the commit, and makes `state` the state after it.
pub(super) fn validate(root_uri: &str, state: &mut LogState, commit: &Commit) -> Vec<String> {
    let mut problems = Vec::new();
    singles(commit, &mut problems);
    table(state, commit, &mut problems);
    features(state, &mut problems);
    in_commit_time(state, commit, &mut problems);
    domains(state, commit, &mut problems);
    files(root_uri, state, commit, &mut problems);
    problems
}

/// Allows at most one protocol, metadata and commitInfo, one transaction for each application, and
/// one action for each domain.
fn singles(commit: &Commit, problems: &mut Vec<String>) {
    for (name, number) in [
        ("protocol", count(commit, |action| matches!(action, LogAction::Protocol(_)))),
        ("metaData", count(commit, |action| matches!(action, LogAction::Metadata(_)))),
        ("commitInfo", count(commit, |action| matches!(action, LogAction::CommitInfo(_)))),
    ] {
        if number > 1 {
            problems.push(format!("{number} actions {name}"));
        }
    }
    let mut names = BTreeSet::new();
    for action in &commit.actions {
        let name = match action {
            LogAction::Txn(txn) => format!("txn {}", txn.app_id),
            LogAction::DomainMetadata(domain) => format!("domainMetadata {}", domain.domain),
            _ => continue,
        };
        if !names.insert(name.clone()) {
            problems.push(format!("two actions {name}"));
        }
    }
}

fn table(state: &mut LogState, commit: &Commit, problems: &mut Vec<String>) {
    for action in &commit.actions {
        match action {
            LogAction::Protocol(protocol) => {
                if let Some(before) = &state.protocol {
                    let (before, after) = (supported(before), supported(protocol));
                    for lost in before.writer.difference(&after.writer) {
                        problems.push(format!("the protocol loses the feature {lost}"));
                    }
                }
                state.protocol = Some(protocol.clone());
            }
            LogAction::Metadata(metadata) => state.metadata = Some(metadata.clone()),
            _ => {}
        }
    }
    if state.protocol.is_none() || state.metadata.is_none() {
        problems.push("the table has no protocol or no metadata".to_owned());
    }
}

/// Requires lists that fit the versions, with every active feature, in both lists if readers must
/// know it.
fn features(state: &LogState, problems: &mut Vec<String>) {
    let (Some(protocol), Some(metadata)) = (&state.protocol, &state.metadata) else { return };
    if protocol.reader_features.is_some() != (protocol.min_reader_version >= READER_LISTS)
        || protocol.writer_features.is_some() != (protocol.min_writer_version >= WRITER_LISTS)
        || (protocol.min_reader_version >= READER_LISTS
            && protocol.min_writer_version < WRITER_LISTS)
    {
        problems.push("the protocol's lists do not fit its versions".to_owned());
    }
    for name in protocol::misplaced(protocol) {
        problems.push(format!("the feature {name} is not listed where it must be"));
    }
    let mut active = protocol::required_by_types(&metadata.schema_string);
    // Readers expect such features only in lists.
    if protocol.min_writer_version >= WRITER_LISTS {
        active.extend(protocol::annotated(&metadata.schema_string));
        let switches = protocol::switched_on(&metadata.configuration);
        active.extend(switches.into_iter().map(|switch| switch.family));
    }
    for family in active.into_iter().filter(|family| !protocol::supports_any(protocol, family)) {
        problems.push(format!("the feature {} is active but not listed", family.join(" or ")));
    }
}

fn in_commit_time(state: &mut LogState, commit: &Commit, problems: &mut Vec<String>) {
    if !is_active(state, protocol::has_in_commit_timestamps) {
        return;
    }
    let Some(LogAction::CommitInfo(info)) = commit.actions.first() else {
        problems.push("commitInfo is not the first action".to_owned());
        return;
    };
    let time_ms = serde_json::from_str::<serde_json::Value>(info.get())
        .ok()
        .and_then(|info| info.get("inCommitTimestamp")?.as_i64());
    match (time_ms, state.in_commit_ms) {
        (None, _) => problems.push("the in-commit timestamp is missing".to_owned()),
        (Some(time_ms), Some(before)) if time_ms <= before => {
            problems.push(format!("the in-commit timestamp {time_ms} is not above {before}"));
        }
        _ => {}
    }
    state.in_commit_ms = time_ms.or(state.in_commit_ms);
}

fn domains(state: &mut LogState, commit: &Commit, problems: &mut Vec<String>) {
    for action in &commit.actions {
        let LogAction::DomainMetadata(domain) = action else { continue };
        let listed = state
            .protocol
            .as_ref()
            .is_some_and(|protocol| supported(protocol).writer.contains("domainMetadata"));
        if !listed {
            problems.push(format!("the domain {} needs domainMetadata", domain.domain));
        }
        if domain.removed {
            if domain.configuration.is_empty() {
                problems.push(format!(
                    "the tombstone of the domain {} has no configuration",
                    domain.domain
                ));
            }
            if !state.domains.remove(&domain.domain) {
                problems.push(format!("the domain {} was not there to remove", domain.domain));
            }
        } else {
            state.domains.insert(domain.domain.clone());
        }
        if domain.domain == ROW_TRACKING_DOMAIN {
            match (row_id_mark(domain), state.row_id_mark) {
                (Err(error), _) => problems.push(error.message),
                (Ok(mark), Some(before)) if mark < before => {
                    problems.push(format!("the row id mark goes down from {before} to {mark}"));
                }
                (Ok(mark), _) => state.row_id_mark = Some(mark),
            }
        }
    }
}

/// The file actions of one commit by the log's spelling.
#[derive(Default)]
struct Files {
    adds: BTreeMap<LogKey, (FileKey, Add)>,
    removes: BTreeMap<LogKey, Remove>,
}

fn files(root_uri: &str, state: &mut LogState, commit: &Commit, problems: &mut Vec<String>) {
    let files = collect(root_uri, commit, problems);
    for key in files.adds.keys().filter(|key| files.removes.contains_key(key)) {
        problems.push(format!("add and remove of {}", shown(key)));
    }
    for (key, remove) in &files.removes {
        match state.live.remove(key) {
            Some((file, _)) => forget(state, &file, key),
            None => problems.push(format!("remove of {}, which is not live", shown(key))),
        }
        // Other engines may leave these out; our commits have them.
        let complete =
            remove.deletion_timestamp.is_some() && remove.extended_file_metadata == Some(true);
        if record_of(commit).is_some() && !complete {
            problems.push(format!("the remove of {} is not complete", shown(key)));
        }
    }
    for (key, (file, add)) in files.adds {
        let spellings = state.objects.entry(file.path.clone()).or_default();
        spellings.insert(key.clone());
        if let Some(other) = spellings.iter().find(|other| **other != key) {
            let how = match other.path == key.path {
                true => "another deletion vector".to_owned(),
                false => format!("the spelling {}", other.path),
            };
            problems.push(format!("add of {} while the path is live with {how}", shown(&key)));
        }
        if add.path.starts_with('/') || add.path.contains("://") || add.path.starts_with("file:") {
            problems.push(format!("the path {} is absolute", add.path));
        }
        row_ids(state, &key, &add, problems);
        state.live.insert(key, (file, add));
    }
}

fn collect(root_uri: &str, commit: &Commit, problems: &mut Vec<String>) -> Files {
    let mut files = Files::default();
    for action in &commit.actions {
        let (key, twice) = match action {
            LogAction::Add(add) => match FileKey::of_add(root_uri, add) {
                Ok(file) => {
                    let key = LogKey::of_add(add);
                    (key.clone(), files.adds.insert(key, (file, add.clone())).is_some())
                }
                Err(error) => {
                    problems.push(error.to_string());
                    continue;
                }
            },
            LogAction::Remove(remove) => {
                let key = LogKey::of_remove(remove);
                (key.clone(), files.removes.insert(key, remove.clone()).is_some())
            }
            _ => continue,
        };
        if twice {
            problems.push(format!("two {} of {}", action.name(), shown(&key)));
        }
    }
    files
}

fn is_active(state: &LogState, feature: fn(&Protocol, &Configuration) -> bool) -> bool {
    let table = state.protocol.as_ref().zip(state.metadata.as_ref());
    table.is_some_and(|(protocol, metadata)| feature(protocol, &metadata.configuration))
}

/// With row tracking, requires that every live file has a first row id, below the mark.
fn row_ids(state: &LogState, key: &LogKey, add: &Add, problems: &mut Vec<String>) {
    if !is_active(state, protocol::has_row_tracking) {
        return;
    }
    match add.base_row_id {
        None => problems.push(format!("{} has no first row id", shown(key))),
        Some(first) if state.row_id_mark.is_none_or(|mark| first > mark) => {
            problems.push(format!("the first row id of {} is above the mark", shown(key)));
        }
        Some(_) => {}
    }
}

fn forget(state: &mut LogState, file: &FileKey, key: &LogKey) {
    if let Some(spellings) = state.objects.get_mut(&file.path) {
        spellings.remove(key);
        if spellings.is_empty() {
            state.objects.remove(&file.path);
        }
    }
}

fn shown(key: &LogKey) -> String {
    match &key.dv {
        Some(dv) => format!("{} with deletion vector {dv}", key.path),
        None => key.path.clone(),
    }
}

/// Counts the actions of one kind.
fn count(commit: &Commit, kind: impl Fn(&LogAction) -> bool) -> usize {
    commit.actions.iter().filter(|action| kind(action)).count()
}
