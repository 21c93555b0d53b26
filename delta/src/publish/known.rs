//! What a sync knows of both tables once its commit is written, for the plan of the next one.

use super::commit;
use super::committed::Committed;
use crate::change_set::{ChangeSet, CommitTime};
use crate::replica::synced::Synced;
use crate::snapshot::TableState;

/// Returns what the next sync may build on; `None` when a commit of the source may still change, a
/// store gives no entity tags, the replica spells a path in its own way, so that the source's
/// commits may name it otherwise, or the commit is of another change set.
pub(super) fn synced(change_set: &ChangeSet, committed: &Committed) -> Option<Synced> {
    let record = &committed.record;
    record.body.source_commit_sha256.as_ref()?;
    let files = (change_set.source_commit.clone()?, committed.etag.clone()?);
    let time_ms = record.timestamp_ms;
    let ict = (change_set.commit_time != CommitTime::FileTime).then_some(time_ms);
    let replica = table_after(change_set, time_ms)?;
    let source = change_set.source_table.clone();
    let is_known = change_set.is_of(record) && !change_set.is_respelled;
    is_known.then(|| Synced::new(record.clone(), files, ict, source, replica))
}

/// Returns the replica without its files, after the commit of the time `time_ms`.
pub(super) fn table_after(change_set: &ChangeSet, time_ms: i64) -> Option<TableState> {
    let head = change_set.head_table.as_ref();
    let protocol = change_set.protocol.clone().or_else(|| Some(head?.protocol.clone()))?;
    let described = change_set.metadata.as_ref();
    let described = described.map(|metadata| commit::dated(metadata, change_set, time_ms));
    let metadata = described.or_else(|| Some(head?.metadata.clone()))?;
    let mut txns = head.map(|head| head.txns.clone()).unwrap_or_default();
    txns.extend(change_set.txns.iter().map(|txn| (txn.app_id.clone(), txn.clone())));
    let mut domains = head.map(|head| head.domains.clone()).unwrap_or_default();
    domains.extend(change_set.domains.iter().map(|known| (known.domain.clone(), known.clone())));
    domains.retain(|_, domain| !domain.removed);
    Some(TableState { protocol, metadata, txns, domains })
}
