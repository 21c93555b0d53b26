//! The strict validator of a Delta log: a test tool that replays every commit of ours.
//!
//! Readers disagree about logs that break these rules (one keeps a row that another loses), so no
//! test may leave one behind. [`validate_log`] is pure: commits in, violations out, each one line
//! that begins with the version. [`validate_table`] reads a table's log from version 0 on (or from
//! the oldest checkpoint that all later commits follow) and checks its objects too.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#additional-requirements-for-writers>

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;

use crate::error::DeltaError;
use crate::log::{self, Commit};
use crate::snapshot;

mod commit;
mod objects;
mod state;
#[cfg(test)]
mod tests;

pub use state::LogState;

/// Replays `commits`, in order of version, from an empty table at `root_uri`, and returns the rules
/// that they break.
#[must_use]
pub fn validate_log(root_uri: &str, commits: &[Commit]) -> Vec<String> {
    let mut state = LogState::default();
    commits.iter().flat_map(|commit| validate_commit(root_uri, &mut state, commit)).collect()
}

/// Applies one commit to `state` and returns the rules that it breaks.
pub fn validate_commit(root_uri: &str, state: &mut LogState, commit: &Commit) -> Vec<String> {
    let problems = commit::validate(root_uri, state, commit);
    problems.into_iter().map(|problem| format!("version {}: {problem}", commit.version)).collect()
}

/// Replays a table's log and checks every live object: from version 0 on, or, after a clean-up,
/// from the oldest checkpoint that all later commits follow.
///
/// # Errors
/// When the log or the folder cannot be read.
pub async fn validate_table(table: &TableStore) -> Result<Vec<String>, DeltaError> {
    let segment = log::list_whole(table, None).await?;
    let oldest = segment.commits.first().map_or(segment.version, |(version, _)| *version);
    let starts = segment.checkpoints.iter().map(|checkpoint| checkpoint.version);
    let base = starts.filter(|version| version + 1 >= oldest).min().filter(|_| oldest > 0);
    let mut state = match base {
        Some(base) => LogState::of(snapshot::read(table, &SourcePoint::Version(base)).await?)?,
        None => LogState::default(),
    };
    let mut violations = Vec::new();
    for version in base.map_or(0, |base| base + 1)..=segment.version {
        match log::read_commit(table, version).await? {
            Some(commit) => violations.extend(validate_commit(&table.uri, &mut state, &commit)),
            None => violations.push(format!("version {version}: the commit is missing")),
        }
    }
    violations.extend(objects::validate(table, &state).await?);
    Ok(violations)
}
