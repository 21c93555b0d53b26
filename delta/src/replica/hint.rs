//! Our own hint beside the log, `_deepclone/replica.json`. It is never trusted alone.

use deepclone_common::store::table::TableStore;
use deepclone_core::ownership::ReplicaOwner;
use serde::{Deserialize, Serialize};

use super::record::SyncRecord;
use crate::error::DeltaError;
use crate::io;

pub(crate) const REPLICA_HINT: &str = "_deepclone/replica.json";

/// Whose replica this is, for a log that lost our markers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicaHint {
    /// The replica's table id.
    pub(crate) table_id: String,
    /// The source's table id at the first sync.
    pub(crate) lineage: String,
    /// Hash of what part of the source is kept.
    pub(crate) scope: String,
    /// The source's URI, without credentials.
    pub(crate) source: String,
    /// The table id of the source.
    pub(crate) source_id: String,
    /// The version of the source.
    pub(crate) source_version: u64,
    /// SHA-256 of the source commit's JSON file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_commit_sha256: Option<String>,
    /// The version of the replica.
    pub(crate) version: u64,
    /// The replication that the replica belongs to.
    #[serde(default, rename = "replication", skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<ReplicaOwner>,
    /// The partition predicate, as it was given.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub(crate) partition_filter: Option<String>,
}

/// Reads our hint; a damaged one counts as none.
pub(crate) async fn read(target: &TableStore) -> Result<Option<ReplicaHint>, DeltaError> {
    let fetched = io::get_hint(target, REPLICA_HINT).await?;
    Ok(fetched.and_then(|fetched| serde_json::from_slice(&fetched.bytes).ok()))
}

/// Writes our hint, after the commit that it names.
pub(crate) async fn write(target: &TableStore, record: &SyncRecord) -> Result<(), DeltaError> {
    let hint = ReplicaHint {
        table_id: record.body.table_id.clone(),
        lineage: record.body.lineage.clone(),
        scope: record.body.scope.clone(),
        source: record.source_uri.clone(),
        source_id: record.body.source_id.clone(),
        source_version: record.body.source_version,
        source_commit_sha256: record.body.source_commit_sha256.clone(),
        version: record.version,
        owner: record.body.owner.clone(),
        partition_filter: record.body.partition_filter.clone(),
    };
    io::put_json(target, REPLICA_HINT, &hint).await
}
