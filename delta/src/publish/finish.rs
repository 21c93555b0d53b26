//! After the commit: the checkpoint, then the hints. The replica is complete without any of them.

use std::borrow::Cow;

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;

use super::checkpoint::{self, CheckpointOf, CheckpointState};
use super::committed::Committed;
use super::known;
use super::last_checkpoint;
use crate::change_set::ChangeSet;
use crate::error::DeltaError;
use crate::log;
use crate::properties::Maintenance;
use crate::replica::{hint, synced};
use crate::snapshot::{self, TableState, WithTombstones};

/// A commit with more actions gets its checkpoint at once, so that readers need not parse it again.
const LARGE_COMMIT_ACTIONS: usize = 50_000;

/// What exists beside the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FinishReport {
    /// True when a checkpoint of this version exists.
    pub checkpoint: bool,
}

/// Writes what is due after a commit of ours: a checkpoint, our own hint, and, where the change set
/// is still at hand, what this sync knew. None of them needs another.
///
/// # Errors
/// Any of a store. The caller logs it and goes on.
pub async fn finish(
    target: &TableStore,
    committed: &Committed,
    change_set: Option<&ChangeSet>,
) -> Result<FinishReport, DeltaError> {
    let hint = hint::write(target, &committed.record);
    let synced = async {
        match change_set.and_then(|change_set| known::synced(change_set, committed)) {
            Some(synced) => synced::write(target, &synced).await,
            None => Ok(()),
        }
    };
    let checkpoint = due_checkpoint(target, committed, change_set);
    let (checkpoint, hint, synced) = futures::future::join3(checkpoint, hint, synced).await;
    let finished = FinishReport { checkpoint: checkpoint? };
    hint.and(synced)?;
    Ok(finished)
}

/// Writes a checkpoint if one is due; returns true when it exists.
async fn due_checkpoint(
    target: &TableStore,
    committed: &Committed,
    change_set: Option<&ChangeSet>,
) -> Result<bool, DeltaError> {
    let Committed { record, actions, .. } = committed;
    let due = is_due(target, record.version, record.body.checkpoint_interval).await?;
    if !due && *actions <= LARGE_COMMIT_ACTIONS {
        return Ok(false);
    }
    let state = match change_set.and_then(|change_set| first_state(change_set, committed)) {
        Some(state) => state,
        None => state_at(target, record.version, record.timestamp_ms).await?,
    };
    let (version, at_ms) = (record.version, record.timestamp_ms);
    let of = CheckpointOf { version, sync: record.body.sync_id, at_ms };
    let Some(last) = checkpoint::write(target, of, &state).await? else { return Ok(false) };
    last_checkpoint::point_at(target, &last).await?;
    Ok(true)
}

/// Returns whether a checkpoint is due, counted from the last one: with VACUUM's commits between
/// ours, our versions may never be multiples of the interval.
async fn is_due(target: &TableStore, version: u64, interval: u64) -> Result<bool, DeltaError> {
    let Some(last) = last_checkpoint::version(target).await? else {
        return Ok(version >= interval);
    };
    // Readers refuse a table whose hint names a checkpoint that is not there.
    if !log::has_checkpoint_from(target, last).await? {
        return Ok(true);
    }
    // A hint ahead of the log is ignored.
    let since = if last <= version { version - last } else { version };
    Ok(since >= interval)
}

/// Returns the rows of the checkpoint of a replica's first version, which its change set holds, so
/// that a commit that may be large is not read back. `None` for any other.
fn first_state<'a>(
    change_set: &'a ChangeSet,
    committed: &Committed,
) -> Option<CheckpointState<'a>> {
    let record = &committed.record;
    if change_set.replica_version.is_some() || !change_set.is_of(record) {
        return None;
    }
    let now_ms = record.timestamp_ms;
    let TableState { protocol, metadata, txns, domains } = known::table_after(change_set, now_ms)?;
    let maintenance = Maintenance::of(&metadata.configuration);
    Some(CheckpointState {
        protocol,
        metadata,
        txns: txns.into_values().filter(|txn| maintenance.keeps_txn(txn, now_ms)).collect(),
        domains: domains.into_values().collect(),
        removes: Vec::new(),
        adds: Cow::Borrowed(&change_set.adds),
    })
}

/// Reads the rows of the checkpoint of `version`. `now_ms`, the commit's own time, decides what is
/// expired, so that the result does not depend on when this runs.
async fn state_at(
    target: &TableStore,
    version: u64,
    now_ms: i64,
) -> Result<CheckpointState<'static>, DeltaError> {
    let WithTombstones { snapshot, tombstones } =
        snapshot::read_with_tombstones(target, &SourcePoint::Version(version)).await?;
    let maintenance = Maintenance::of(&snapshot.metadata.configuration);
    let (txns, removes) = (snapshot.txns.into_values(), tombstones.into_values());
    Ok(CheckpointState {
        protocol: snapshot.protocol,
        metadata: snapshot.metadata,
        txns: txns.filter(|txn| maintenance.keeps_txn(txn, now_ms)).collect(),
        domains: snapshot.domains.into_values().collect(),
        removes: removes.filter(|remove| maintenance.keeps_remove(remove, now_ms)).collect(),
        adds: Cow::Owned(snapshot.files.into_values().collect::<Vec<_>>().into()),
    })
}
