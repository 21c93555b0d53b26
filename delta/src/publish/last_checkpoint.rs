//! The hint `_last_checkpoint`, which points readers at a checkpoint.

use deepclone_common::store::table::TableStore;
use serde::{Deserialize, Serialize};

use crate::error::DeltaError;
use crate::{io, log};

const LAST_CHECKPOINT: &str = "_delta_log/_last_checkpoint";
const LAST_CHECKPOINT_CHECKSUM: &str = "_delta_log/._last_checkpoint.crc";

/// The content of `_last_checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastCheckpoint {
    /// The version of the checkpoint.
    pub(crate) version: u64,
    /// The number of its actions.
    pub(crate) size: u64,
    /// Its length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size_in_bytes: Option<u64>,
    /// The number of its live files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) num_of_add_files: Option<u64>,
    /// The file of a V2 checkpoint that names its sidecars; Spark's own field, which needs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) v2_checkpoint: Option<TopFile>,
}

/// The file of a V2 checkpoint that readers begin with; its time in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopFile {
    /// Its name in the log's folder.
    pub(crate) path: String,
    pub(crate) size_in_bytes: u64,
    pub(crate) modification_time: i64,
}

/// Points readers at a whole checkpoint. An existing newer one stays; a hint at a missing one is
/// replaced.
pub(super) async fn point_at(target: &TableStore, last: &LastCheckpoint) -> Result<(), DeltaError> {
    if let Some(known) = version(target).await?
        && known >= last.version
        && log::has_checkpoint_from(target, known).await?
    {
        return Ok(());
    }
    if target.uri.starts_with("file:") {
        // Hadoop keeps a checksum beside each local file; another engine's would not match our
        // file.
        io::delete(target, LAST_CHECKPOINT_CHECKSUM).await?;
    }
    io::put_json(target, LAST_CHECKPOINT, last).await
}

/// Reads the version of the checkpoint that the hint names.
pub(super) async fn version(target: &TableStore) -> Result<Option<u64>, DeltaError> {
    log::hint(target).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
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
                large: None,
            };
            io::put(&table, LAST_CHECKPOINT, Bytes::from_static(b"{\"version\":3}").into())
                .await
                .unwrap();
            let checksum = Bytes::from_static(b"crc");
            io::put(&table, LAST_CHECKPOINT_CHECKSUM, checksum.into()).await.unwrap();
            io::put(&table, CHECKPOINT, Bytes::from_static(b"x").into()).await.unwrap();
            for (at, expect) in [(2, 3), (4, 4), (3, 3)] {
                let last = LastCheckpoint {
                    version: at,
                    size: 1,
                    size_in_bytes: None,
                    num_of_add_files: None,
                    v2_checkpoint: None,
                };
                point_at(&table, &last).await.unwrap();
                assert_eq!(version(&table).await.unwrap(), Some(expect));
            }
            let there = io::get_hint(&table, LAST_CHECKPOINT_CHECKSUM).await.unwrap();
            assert_eq!(there.is_some(), stays, "{uri}");
        }
    }
}
