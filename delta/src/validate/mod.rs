//! The strict validator of a Delta log: a test tool that replays every commit we make.
//!
//! Readers disagree about logs that break these rules (one keeps a row that another loses), so no
//! test may leave one behind. [`validate_log`] is pure: commits in, violations out, each one line
//! that begins with the version. [`validate_table`] reads a table's log from version 0 on (or
//! from the oldest commit, with the checkpoint before it as the base) and checks its objects too.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#additional-requirements-for-writers>

use std::collections::{BTreeMap, BTreeSet};

use deepclone_common::table_store::TableStore;

use crate::actions::{Action, Metadata, Protocol};
use crate::error::DeltaError;
use crate::log::{self, Commit};
use crate::paths::{FileKey, LogKey};

mod commit;
mod objects;
#[cfg(test)]
mod tests;

pub(crate) use objects::sizes as object_sizes;

/// What the commits so far amount to.
#[derive(Clone, Debug, Default)]
pub struct LogState {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    /// Live files by the log's spelling, each with the object that it is read from.
    pub(crate) live: BTreeMap<LogKey, (FileKey, crate::actions::Add)>,
    /// Objects that are live, with the spellings and vectors under which they are.
    pub(crate) objects: BTreeMap<String, BTreeSet<LogKey>>,
    pub(crate) row_id_mark: Option<i64>,
    pub(crate) domains: BTreeSet<String>,
    pub(crate) in_commit_ms: Option<i64>,
}

/// One thing that a commit must not do: `version 3: …`.
pub type Violation = String;

/// Replays `commits`, in order of version, from an empty table at `root_uri`.
#[must_use]
pub fn validate_log(root_uri: &str, commits: &[Commit]) -> Vec<Violation> {
    let mut state = LogState::default();
    commits.iter().flat_map(|commit| validate_commit(root_uri, &mut state, commit)).collect()
}

/// Applies one commit to `state` and says what is wrong with it.
pub fn validate_commit(root_uri: &str, state: &mut LogState, commit: &Commit) -> Vec<Violation> {
    let problems = commit::validate(root_uri, state, commit);
    problems.into_iter().map(|problem| format!("version {}: {problem}", commit.version)).collect()
}

/// Replays a table's whole log, which must begin at version 0, and looks at every live object.
///
/// # Errors
/// When the log or the folder cannot be read.
pub async fn validate_table(table: &TableStore) -> Result<Vec<Violation>, DeltaError> {
    let Some(head) = log::head(table).await? else {
        return Err(DeltaError::NotATable { uri: table.uri.clone() });
    };
    let mut state = LogState::default();
    let mut violations = Vec::new();
    for version in 0..=head {
        match log::read_commit(table, version).await? {
            Some(commit) => violations.extend(validate_commit(&table.uri, &mut state, &commit)),
            None => violations.push(format!("version {version}: the commit is missing")),
        }
    }
    violations.extend(objects::validate(table, &state).await?);
    Ok(violations)
}

/// The actions of one kind.
pub(crate) fn count(commit: &Commit, kind: impl Fn(&Action) -> bool) -> usize {
    commit.actions.iter().filter(|action| kind(action)).count()
}
