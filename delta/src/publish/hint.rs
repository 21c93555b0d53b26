//! The two hints beside the commits: `_last_checkpoint`, and our own `_deepclone/replica.json`.
//! Neither is ever trusted alone.

use bytes::Bytes;
use deepclone_common::store::table::TableStore;
use serde::{Deserialize, Serialize};

use crate::changes::record::SyncRecord;
use crate::error::DeltaError;
use crate::io;
use crate::log;

const REPLICA_HINT: &str = "_deepclone/replica.json";
const LAST_CHECKPOINT: &str = "_delta_log/_last_checkpoint";
const LAST_CHECKPOINT_CHECKSUM: &str = "_delta_log/._last_checkpoint.crc";

/// Whose replica this is, for the day when the log lost our markers.
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
    /// The source's table id.
    pub(crate) source_id: String,
    /// The source's version.
    pub(crate) source_version: u64,
    /// SHA-256 of the source commit's JSON file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_commit_sha256: Option<String>,
    /// The replica's version.
    pub(crate) version: u64,
    /// The partition predicate, as it was given.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub(crate) partition_filter: Option<String>,
}

/// Reads our hint; a damaged one is as good as none.
pub(crate) async fn read(target: &TableStore) -> Result<Option<ReplicaHint>, DeltaError> {
    let fetched = io::get(target, REPLICA_HINT).await?;
    Ok(fetched.and_then(|fetched| serde_json::from_slice(&fetched.bytes).ok()))
}

/// Writes our hint: after the commit that it tells of.
pub(super) async fn write(target: &TableStore, record: &SyncRecord) -> Result<(), DeltaError> {
    let hint = ReplicaHint {
        table_id: record.body.table_id.clone(),
        lineage: record.body.lineage.clone(),
        scope: record.body.scope.clone(),
        source: record.source_uri.clone(),
        source_id: record.body.source_id.clone(),
        source_version: record.body.source_version,
        source_commit_sha256: record.body.source_commit_sha256.clone(),
        version: record.version,
        partition_filter: record.body.partition_filter.clone(),
    };
    put_json(target, REPLICA_HINT, &hint).await
}

/// `_last_checkpoint` as readers want it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastCheckpoint {
    /// The checkpoint's version.
    pub(crate) version: u64,
    /// Its actions.
    pub(crate) size: u64,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size_in_bytes: Option<u64>,
    /// Its live files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) num_of_add_files: Option<u64>,
}

/// Points readers at a checkpoint that is there whole; backwards only from one that is not.
pub(super) async fn point_at(target: &TableStore, last: &LastCheckpoint) -> Result<(), DeltaError> {
    if let Some(known) = last_checkpoint(target).await?
        && known >= last.version
        && log::has_checkpoint_from(target, known).await?
    {
        return Ok(());
    }
    if target.uri.starts_with("file:") {
        // Hadoop keeps a checksum beside each local file: another engine's would not fit ours.
        io::delete(target, LAST_CHECKPOINT_CHECKSUM).await?;
    }
    put_json(target, LAST_CHECKPOINT, last).await
}

/// The version of the checkpoint that readers are pointed at.
pub(super) async fn last_checkpoint(target: &TableStore) -> Result<Option<u64>, DeltaError> {
    log::hint(target).await
}

async fn put_json(
    target: &TableStore,
    name: &str,
    value: &impl Serialize,
) -> Result<(), DeltaError> {
    let json = serde_json::to_vec(value)
        .map_err(|error| DeltaError::damaged(name, format!("cannot be written: {error}")))?;
    io::put(target, name, Bytes::from(json).into()).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    const CHECKPOINT: &str = "_delta_log/00000000000000000003.checkpoint.parquet";

    #[tokio::test]
    async fn a_local_hint_sheds_another_engines_checksum() {
        for (uri, stays) in [("file:///t", false), ("s3://bucket/t", true)] {
            let table = TableStore {
                store: Arc::new(InMemory::new()),
                root: Path::default(),
                uri: uri.to_owned(),
            };
            io::put(&table, LAST_CHECKPOINT, Bytes::from_static(b"{\"version\":3}").into())
                .await
                .unwrap();
            let checksum = Bytes::from_static(b"crc");
            io::put(&table, LAST_CHECKPOINT_CHECKSUM, checksum.into()).await.unwrap();
            io::put(&table, CHECKPOINT, Bytes::from_static(b"x").into()).await.unwrap();
            for (version, expect) in [(2, 3), (4, 4), (3, 3)] {
                let last = LastCheckpoint {
                    version,
                    size: 1,
                    size_in_bytes: None,
                    num_of_add_files: None,
                };
                point_at(&table, &last).await.unwrap();
                assert_eq!(last_checkpoint(&table).await.unwrap(), Some(expect));
            }
            let there = io::get(&table, LAST_CHECKPOINT_CHECKSUM).await.unwrap();
            assert_eq!(there.is_some(), stays, "{uri}");
        }
    }
}
