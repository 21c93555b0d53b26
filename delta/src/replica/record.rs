//! What a sync of ours records in its commit's `commitInfo`: the nested object `deepclone`.
//!
//! The object identifies the sync and the source commit that it synced. The six figures are in
//! `operationMetrics` and the source's URI in `operationParameters`, where other engines expect
//! them.

use std::collections::BTreeMap;

use deepclone_core::ids::JobId;
use deepclone_core::ownership::{OwnerClaim, ReplicaOwner};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::metrics::{self, CloneMetrics};

/// The most syncs that a record names beside its own: some 1.5 KiB of each commit. A client that
/// asks again does so within minutes.
const EARLIER_MAX: usize = 32;

/// One sync as the replica's log records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncRecord {
    /// The version of the replica.
    pub version: u64,
    /// When the commit was made: milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The source's URI, without credentials.
    pub source_uri: String,
    /// What identifies the sync.
    pub body: RecordBody,
    /// The six figures; `None` when the commit lacks one.
    pub metrics: Option<CloneMetrics>,
}

/// The object `deepclone` of a `commitInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordBody {
    /// The id of the sync, which is that of its job.
    pub sync_id: Uuid,
    /// The mode, which is `clone`.
    pub mode: String,
    /// The replica's table id.
    pub table_id: String,
    /// Versions from one checkpoint of the replica to the next.
    pub checkpoint_interval: u64,
    /// The source's table id at the first sync.
    pub lineage: String,
    /// Hash of what part of the source is kept.
    pub scope: String,
    /// Hash of the table properties that were set over the source's.
    pub settings: String,
    /// The table id of the source.
    pub source_id: String,
    /// The version of the source.
    pub source_version: u64,
    /// SHA-256 of the source commit's JSON file, in hex; `None` when the file was gone, or when a
    /// commit that was read had no bytes and may be filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_commit_sha256: Option<String>,
    /// The source commit's time: milliseconds since 1970.
    pub source_commit_time: i64,
    /// The replication that the replica belongs to; `None` when no replication ever synced it.
    #[serde(default, rename = "replication", skip_serializing_if = "Option::is_none")]
    pub owner: Option<ReplicaOwner>,
    /// Who asked for the sync; `None` where that was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitter: Option<String>,
    /// The partition predicate, as it was given.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub partition_filter: Option<String>,
    /// The ids of the syncs before this one by the replica's version, the newest of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earlier: BTreeMap<u64, Uuid>,
}

impl SyncRecord {
    /// Parses the record in the `commitInfo` of the commit `version`; `None` when it is not one of
    /// ours.
    #[must_use]
    pub fn parse(version: u64, commit_info: &str) -> Option<Self> {
        let info: RecordedInfo = serde_json::from_str(commit_info).ok()?;
        let body = info.deepclone?;
        Some(Self {
            version,
            timestamp_ms: info.in_commit_timestamp.or(info.timestamp).unwrap_or_default(),
            source_uri: info.operation_parameters.source.unwrap_or_default(),
            metrics: info.operation_metrics.as_ref().and_then(metrics::parse),
            body,
        })
    }

    /// Returns the sync's id.
    #[must_use]
    pub fn sync(&self) -> JobId {
        JobId(self.body.sync_id)
    }

    /// Returns what the record of the next sync names: the newest syncs before that one.
    pub(crate) fn earlier_of_next(&self) -> BTreeMap<u64, Uuid> {
        let mut earlier = self.body.earlier.clone();
        earlier.insert(self.version, self.body.sync_id);
        while earlier.len() > EARLIER_MAX {
            earlier.pop_first();
        }
        earlier
    }

    /// Returns whether it is the record of this sync under this claim: two coordinators may give
    /// their syncs the same id.
    pub(crate) fn is_of(&self, sync: JobId, claim: Option<&OwnerClaim>) -> bool {
        self.sync() == sync && claim.is_none_or(|claim| claim.has(self.body.owner.as_ref()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedInfo {
    timestamp: Option<i64>,
    in_commit_timestamp: Option<i64>,
    #[serde(default)]
    operation_parameters: OperationParameters,
    operation_metrics: Option<BTreeMap<String, serde_json::Value>>,
    deepclone: Option<RecordBody>,
}

#[derive(Default, Deserialize)]
struct OperationParameters {
    source: Option<String>,
}
