//! What a replica is: the table, where it comes from, and to whom it belongs, as its log says it.

use deepclone_common::connections::Side;
use deepclone_common::store::table::TableStore;
use deepclone_core::ownership::ReplicaOwner;
use deepclone_core::spec::{DivergencePolicy, SourcePoint};

use crate::actions::Metadata;
use crate::error::DeltaError;
use crate::protocol::supported;
use crate::replica::{SyncRecord, last_sync};
use crate::snapshot;
use crate::verify::KeptVerdict;

/// A replica at its newest version.
#[derive(Debug)]
pub struct Description {
    /// The replica's newest version, and when it was committed in milliseconds since 1970.
    pub version: u64,
    pub commit_ms: i64,
    pub metadata: Metadata,
    /// Every feature that readers or writers need, by name.
    pub features: Vec<String>,
    /// Live files, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// The source's table id at the first sync.
    pub lineage: String,
    /// The source's version that it holds.
    pub source_version: u64,
    /// The last sync; `None` when its commit was cleaned up.
    pub last_sync: Option<SyncRecord>,
    /// The replication that it belongs to.
    pub owner: Option<ReplicaOwner>,
    /// The last verdict of `verify` that was recorded.
    pub verdict: Option<KeptVerdict>,
    /// What another writer did since, one line each.
    pub notices: Vec<String>,
}

/// Reads what the replica at `target` is.
///
/// # Errors
/// NOT_A_DELTA_TABLE, TARGET_NOT_OURS, a damaged log, a storage error.
pub async fn describe(target: &TableStore) -> Result<Description, DeltaError> {
    let replica = snapshot::read(target, &SourcePoint::Newest).await;
    let replica = replica.map_err(|error| error.of(Side::Target))?;
    let last = last_sync(target, &replica, DivergencePolicy::Overwrite).await?;
    let owner = last.owner().cloned();
    Ok(Description {
        version: replica.version,
        commit_ms: replica.commit_ms,
        features: supported(&replica.protocol).writer.into_iter().collect(),
        files: replica.files.len() as u64,
        bytes: replica.files.values().map(|add| add.size).sum(),
        metadata: replica.metadata,
        lineage: last.lineage,
        source_version: last.source_version,
        last_sync: last.record,
        owner,
        verdict: KeptVerdict::read(target).await?,
        notices: last.notices,
    })
}
