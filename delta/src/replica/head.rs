//! Whose table is at the target, and whether another writer changed it since our last sync.
//!
//! The marker names our last sync; if it is lost, our newest CLONE commit in the log does; if that
//! is gone too, `_deepclone/replica.json` may still name the table. Any other table was never ours
//! and is refused, whatever it holds. The planner decides about commits above our last sync that a
//! clean-up of the log removed.

use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ownership::ReplicaOwner;
use deepclone_core::reason::Reason;
use deepclone_core::spec::DivergencePolicy;

use super::hint::{self, ReplicaHint};
use super::marker::{Marker, live_marker};
use super::record::SyncRecord;
use crate::actions::LogAction;
use crate::error::DeltaError;
use crate::log::{self, Commit};
use crate::snapshot::Snapshot;

/// Our last sync, as far as the target records it.
#[derive(Clone, Debug)]
pub(crate) struct LastSync {
    /// The lineage that the replica follows.
    pub(crate) lineage: String,
    /// The scope of that sync.
    pub(crate) scope: String,
    /// The source's version of that sync.
    pub(crate) source_version: u64,
    /// The replica's version of that sync; `None` when its log does not record it.
    pub(crate) at: Option<u64>,
    /// The record in the log; `None` when its commit is gone.
    pub(crate) record: Option<SyncRecord>,
    /// The hint beside the log, when the record is gone.
    pub(crate) hint: Option<ReplicaHint>,
    /// True when there are commits of another writer above it, which the policy allows to
    /// overwrite.
    pub(crate) diverged: bool,
    /// The first version above it whose commit is gone.
    pub(crate) gone: Option<u64>,
    /// Notices for the operator.
    pub(crate) notices: Vec<String>,
}

impl LastSync {
    /// Returns false when the source's log had commits without bytes, which may have been filled
    /// in.
    pub(crate) fn is_settled(&self) -> bool {
        let record = self.record.as_ref().map(|record| &record.body.source_commit_sha256);
        let hint = self.hint.as_ref().map(|hint| &hint.source_commit_sha256);
        record.or(hint).is_none_or(Option::is_some)
    }

    /// Returns the replication that the replica belongs to, as far as the target records it.
    pub(crate) fn owner(&self) -> Option<&ReplicaOwner> {
        let record = self.record.as_ref().map(|record| &record.body.owner);
        let hint = self.hint.as_ref().map(|hint| &hint.owner);
        record.or(hint)?.as_ref()
    }
}

/// Finds our last sync from the target's head, and checks the commits above it.
///
/// # Errors
/// TARGET_NOT_OURS, and TARGET_DIVERGED when the policy is to fail.
pub(crate) async fn last_sync(
    target: &TableStore,
    replica: &Snapshot,
    policy: DivergencePolicy,
) -> Result<LastSync, DeltaError> {
    if let Some(marker) = live_marker(&replica.txns) {
        let at = marker.at;
        let mut last = marked(marker, record_at(target, at).await?);
        if last.record.is_none() {
            last.hint = hint::read(target).await?.filter(|hint| hint.version == at);
        }
        return judge_newer(target, replica, at, policy, last).await;
    }
    if let Some(record) = newest_record(target, replica.version).await? {
        let at = record.version;
        let marker = Marker {
            lineage: record.body.lineage.clone(),
            scope: record.body.scope.clone(),
            source_version: record.body.source_version,
            at,
        };
        let last = marked(marker, Some(record));
        return judge_newer(target, replica, at, policy, last).await;
    }
    match hint::read(target).await?.filter(|hint| hint.table_id == replica.metadata.id) {
        Some(hint) => by_hint(target, hint, policy),
        None => Err(never_ours(target)),
    }
}

/// Reads the record of the sync that made the commit `version`; `None` when the file is gone or not
/// ours.
pub(crate) async fn record_at(
    target: &TableStore,
    version: u64,
) -> Result<Option<SyncRecord>, DeltaError> {
    Ok(log::read_commit(target, version).await?.as_ref().and_then(record_of))
}

/// Returns the record in the commit.
pub(crate) fn record_of(commit: &Commit) -> Option<SyncRecord> {
    commit.actions.iter().find_map(|action| match action {
        LogAction::CommitInfo(info) => SyncRecord::parse(commit.version, info.get()),
        _ => None,
    })
}

/// Returns whether the commit changes nothing, as those of VACUUM at its start and end. One without
/// bytes may still be filled in.
pub(crate) fn is_harmless(commit: &Commit) -> bool {
    !commit.is_empty()
        && commit.actions.iter().all(|action| matches!(action, LogAction::CommitInfo(_)))
}

/// Returns the operation that a commit names.
pub(crate) fn operation(commit: &Commit) -> String {
    if commit.is_empty() {
        return "a commit of no bytes".to_owned();
    }
    let named = commit.actions.iter().find_map(|action| match action {
        LogAction::CommitInfo(info) => {
            let info: serde_json::Value = serde_json::from_str(info.get()).ok()?;
            Some(info.get("operation")?.as_str()?.to_owned())
        }
        _ => None,
    });
    named.unwrap_or_else(|| "an unnamed operation".to_owned())
}

/// Builds the failure of a commit of another writer at `version`.
pub(crate) fn diverged(target: &TableStore, version: u64, operation: &str) -> Failure {
    Failure::new(
        Reason::TargetDiverged,
        format!(
            "the replica {} was changed by somebody else: version {version} is {operation}; \
             use --on-divergence overwrite to make it the source's state again",
            target.uri
        ),
    )
    .with("version", version.to_string())
    .with("operation", operation)
}

fn marked(marker: Marker, record: Option<SyncRecord>) -> LastSync {
    // After a RESTORE or in a copied folder, the commit may record another sync.
    let record = record.filter(|record| {
        record.body.lineage == marker.lineage
            && record.body.scope == marker.scope
            && record.body.source_version == marker.source_version
    });
    LastSync {
        lineage: marker.lineage,
        scope: marker.scope,
        source_version: marker.source_version,
        at: Some(marker.at),
        record,
        hint: None,
        diverged: false,
        gone: None,
        notices: Vec::new(),
    }
}

async fn judge_newer(
    target: &TableStore,
    replica: &Snapshot,
    at: u64,
    policy: DivergencePolicy,
    mut last: LastSync,
) -> Result<LastSync, DeltaError> {
    for version in at.saturating_add(1)..=replica.version {
        let commit = log::read_commit(target, version).await?;
        let operation = match &commit {
            Some(commit) if is_harmless(commit) => continue,
            Some(commit) => operation(commit),
            None => {
                last.gone.get_or_insert(version);
                continue;
            }
        };
        refuse_or_note(target, &mut last, policy, version, &operation)?;
    }
    Ok(last)
}

/// Refuses a commit of another writer at `version`, or notes that it will be overwritten.
pub(crate) fn refuse_or_note(
    target: &TableStore,
    last: &mut LastSync,
    policy: DivergencePolicy,
    version: u64,
    operation: &str,
) -> Result<(), DeltaError> {
    if policy == DivergencePolicy::Fail {
        return Err(diverged(target, version, operation).into());
    }
    last.diverged = true;
    last.notices
        .push(format!("the replica's version {version} ({operation}) is not ours: overwritten"));
    Ok(())
}

/// Finds our newest CLONE commit at or below `head`, as far as the log goes back.
async fn newest_record(target: &TableStore, head: u64) -> Result<Option<SyncRecord>, DeltaError> {
    for version in (0..=head).rev() {
        let Some(commit) = log::read_commit(target, version).await? else { return Ok(None) };
        if let Some(record) = record_of(&commit) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn by_hint(
    target: &TableStore,
    hint: ReplicaHint,
    policy: DivergencePolicy,
) -> Result<LastSync, DeltaError> {
    if policy == DivergencePolicy::Fail {
        return Err(Failure::new(
            Reason::TargetDiverged,
            format!(
                "the replica {} lost its record of the last sync: somebody else rewrote its \
                 log; use --on-divergence overwrite to make it the source's state again",
                target.uri
            ),
        )
        .into());
    }
    Ok(LastSync {
        lineage: hint.lineage.clone(),
        scope: hint.scope.clone(),
        source_version: hint.source_version,
        at: None,
        record: None,
        notices: vec!["the replica lost its record of the last sync: overwritten".to_owned()],
        hint: Some(hint),
        diverged: true,
        gone: None,
    })
}

fn never_ours(target: &TableStore) -> DeltaError {
    Failure::new(
        Reason::TargetNotOurs,
        format!(
            "{} holds a delta table that deepclone never wrote: choose another target folder",
            target.uri
        ),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::*;
    use crate::replica::RecordBody;

    #[test]
    fn a_record_counts_if_it_is_of_the_sync_that_the_marker_names() {
        let text = |text: &str| text.to_owned();
        for (lineage, scope, source_version, counts) in [
            ("l", "s", 7, true),
            ("m", "s", 7, false),
            ("l", "t", 7, false),
            ("l", "s", 8, false),
            ("m", "t", 7, false),
            ("m", "s", 8, false),
            ("l", "t", 8, false),
        ] {
            let body = RecordBody {
                sync_id: Uuid::nil(),
                mode: text("clone"),
                table_id: text("i"),
                checkpoint_interval: 10,
                lineage: text(lineage),
                scope: text(scope),
                settings: text(""),
                source_id: text("l"),
                source_version,
                source_commit_sha256: None,
                source_commit_time: 0,
                owner: None,
                submitter: None,
                partition_filter: None,
                earlier: BTreeMap::new(),
            };
            let source_uri = text("s3://b/t");
            let record =
                SyncRecord { version: 3, timestamp_ms: 0, source_uri, body, metrics: None };
            let marker = Marker { lineage: text("l"), scope: text("s"), source_version: 7, at: 3 };
            let last = marked(marker, Some(record));
            assert_eq!(last.record.is_some(), counts, "{lineage} {scope} {source_version}");
        }
    }
}
