//! The CLONE commit: one JSON file from a change set.
//!
//! Order: `commitInfo` (first, as in-commit timestamps want it), `protocol`, `metaData`, `txn`s,
//! `domainMetadata`, `remove`s, `add`s. A pure function of the change set, the sync's id and the
//! time, so the same put can be repeated with the same bytes.

use bytes::Bytes;
use deepclone_core::ids::JobId;

use crate::actions::{Action, Add, Metadata, Remove};
use crate::changes::{
    ChangeSet, CommitTime, Configuration, ENABLEMENT_TIMESTAMP, ENABLEMENT_VERSION,
};

mod info;

/// The version that the commit of this change set takes.
pub(crate) fn version(change_set: &ChangeSet) -> u64 {
    change_set.replica_version.map_or(0, |version| version + 1)
}

/// The commit's bytes at the time `now_ms` (milliseconds since 1970).
pub(crate) fn build(change_set: &ChangeSet, sync: JobId, now_ms: i64) -> Bytes {
    let time_ms = match change_set.commit_time {
        CommitTime::FileTime => now_ms,
        CommitTime::InCommit { above_ms } | CommitTime::TurnsOn { above_ms } => {
            now_ms.max(above_ms.saturating_add(1))
        }
    };
    let mut body = String::new();
    let mut line = |action: &Action| {
        body.push_str(&action.to_json());
        body.push('\n');
    };
    line(&Action::CommitInfo(info::commit_info(change_set, sync, time_ms)));
    if let Some(protocol) = &change_set.protocol {
        line(&Action::Protocol(protocol.clone()));
    }
    if let Some(metadata) = &change_set.metadata {
        line(&Action::Metadata(dated(metadata, change_set, time_ms)));
    }
    change_set.txns.iter().for_each(|txn| line(&Action::Txn(txn.clone())));
    change_set.domains.iter().for_each(|domain| line(&Action::DomainMetadata(domain.clone())));
    for add in &change_set.removes {
        line(&Action::Remove(tombstone(add, change_set.data_change, time_ms)));
    }
    change_set.adds.iter().for_each(|add| line(&Action::Add(add.clone())));
    Bytes::from(body)
}

/// The replica's own times: when it came to be, and when in-commit timestamps were turned on.
fn dated(metadata: &Metadata, change_set: &ChangeSet, time_ms: i64) -> Metadata {
    let mut configuration: Configuration = metadata.configuration.clone();
    if let CommitTime::TurnsOn { .. } = change_set.commit_time {
        configuration.insert(ENABLEMENT_VERSION.to_owned(), version(change_set).to_string());
        configuration.insert(ENABLEMENT_TIMESTAMP.to_owned(), time_ms.to_string());
    }
    Metadata {
        configuration,
        created_time: metadata.created_time.or(Some(time_ms)),
        ..metadata.clone()
    }
}

/// Complete, so that change readers and VACUUM need nothing else; the deletion is now, not when a
/// week-long sync began.
fn tombstone(add: &Add, data_change: bool, now_ms: i64) -> Remove {
    Remove {
        path: add.path.clone(),
        deletion_timestamp: Some(now_ms),
        data_change,
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        stats: add.stats.clone(),
        tags: add.tags.clone(),
        deletion_vector: add.deletion_vector.clone(),
        base_row_id: add.base_row_id,
        default_row_commit_version: add.default_row_commit_version,
        unknown: Default::default(),
    }
}
