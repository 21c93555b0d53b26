//! The call of `ReplicaService` that reads the syncs of a replica, and a sync as it is shown,
//! converted from the wire.

use deepclone_core::failure::Failure;
use deepclone_core::limits::PAGE_SIZE_MAX;
use deepclone_core::spec::TableRef;
use deepclone_delta::history::SyncRecord;
use deepclone_delta::sync::CloneMetrics;
use deepclone_proto::v1;
use deepclone_proto::v1::read_history_response as wire;

use super::job::milliseconds;
use super::status::failure;
use super::{CoordinatorClient, count};

/// A sync, as a coordinator or this process reads it in a replica's log. Times are in milliseconds
/// since 1970.
#[derive(Clone, Debug)]
pub struct SyncInfo {
    pub target_version: u64,
    pub time_ms: i64,
    pub job_id: String,
    pub submitter: Option<String>,
    pub mode: String,
    pub source_uri: String,
    pub source_version: u64,
    pub source_time_ms: i64,
    pub partition_filter: Option<String>,
    pub metrics: Option<CloneMetrics>,
}

impl CoordinatorClient {
    /// Lets the coordinator read all syncs that a replica's log records, page by page. Returns the
    /// replica's URI, too.
    ///
    /// # Errors
    /// Why the log cannot be read, or `COORDINATOR_UNAVAILABLE`.
    pub async fn history(&mut self, target: &TableRef) -> Result<(String, Vec<SyncInfo>), Failure> {
        let mut syncs = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ReadHistoryRequest {
                target: Some(target.into()),
                page_size: i32::try_from(PAGE_SIZE_MAX).unwrap_or(i32::MAX),
                page_token,
            };
            let page = self.replicas.read_history(request).await.map_err(failure)?.into_inner();
            syncs.extend(page.syncs.into_iter().map(SyncInfo::from));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok((page.target_uri, syncs));
            }
        }
    }
}

impl From<SyncRecord> for SyncInfo {
    fn from(record: SyncRecord) -> Self {
        Self {
            target_version: record.version,
            time_ms: record.timestamp_ms,
            job_id: record.body.sync_id.to_string(),
            submitter: record.body.submitter,
            mode: record.body.mode,
            source_uri: record.source_uri,
            source_version: record.body.source_version,
            source_time_ms: record.body.source_commit_time,
            partition_filter: record.body.partition_filter,
            metrics: record.metrics,
        }
    }
}

impl From<wire::Sync> for SyncInfo {
    fn from(wire: wire::Sync) -> Self {
        let time = |time: Option<prost_types::Timestamp>| time.as_ref().map_or(0, milliseconds);
        Self {
            target_version: count(wire.target_version),
            time_ms: time(wire.time),
            job_id: wire.job_id,
            submitter: Some(wire.submitter).filter(|text| !text.is_empty()),
            mode: wire.mode,
            source_uri: wire.source_uri,
            source_version: count(wire.source_version),
            source_time_ms: time(wire.source_time),
            partition_filter: wire.partition_filter,
            metrics: wire.figures.map(metrics),
        }
    }
}

fn metrics(wire: wire::Figures) -> CloneMetrics {
    CloneMetrics {
        source_table_size: count(wire.source_table_size),
        source_num_of_files: count(wire.source_num_of_files),
        num_removed_files: count(wire.num_removed_files),
        num_copied_files: count(wire.num_copied_files),
        removed_files_size: count(wire.removed_files_size),
        copied_files_size: count(wire.copied_files_size),
    }
}
