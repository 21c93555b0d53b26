//! The answer of `history`: the syncs recorded in a replica's log.

use deepclone_common::store::redact::redact;
use deepclone_core::failure::Failure;
use deepclone_delta::history::SyncRecord;
use serde::Serialize;
use uuid::Uuid;

use super::{CommandOutput, table, units};

#[derive(Debug, Serialize)]
struct Object<'a> {
    target: &'a str,
    syncs: Vec<Sync<'a>>,
}

#[derive(Debug, Serialize)]
struct Sync<'a> {
    target_version: u64,
    time: Option<String>,
    job_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<&'a str>,
    mode: &'a str,
    source: String,
    source_version: u64,
    source_time: Option<String>,
    #[serde(rename = "where")]
    partition_filter: Option<&'a str>,
    source_table_size: Option<u64>,
    source_num_of_files: Option<u64>,
    num_removed_files: Option<u64>,
    num_copied_files: Option<u64>,
    removed_files_size: Option<u64>,
    copied_files_size: Option<u64>,
}

/// Returns the answer for the syncs of a replica, the newest first.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(target_uri: &str, records: &[SyncRecord]) -> Result<CommandOutput, Failure> {
    let rows: Vec<_> = records.iter().map(row).collect();
    let headings =
        [">VERSION", "TIME", ">SOURCE VERSION", "SOURCE TIME", ">ADDED", ">REMOVED", "JOB"];
    let text = match rows.is_empty() {
        true => format!("no sync is recorded in the log of {target_uri}"),
        false => table::grid(headings, &rows),
    };
    CommandOutput::new(
        text,
        &Object { target: target_uri, syncs: records.iter().map(sync).collect() },
    )
}

fn sync(record: &SyncRecord) -> Sync<'_> {
    let body = &record.body;
    let metrics = record.metrics.as_ref();
    Sync {
        target_version: record.version,
        time: units::time(record.timestamp_ms),
        job_id: body.sync_id,
        submitter: body.submitter.as_deref(),
        mode: &body.mode,
        source: redact(&record.source_uri),
        source_version: body.source_version,
        source_time: units::time(body.source_commit_time),
        partition_filter: body.partition_filter.as_deref(),
        source_table_size: metrics.map(|m| m.source_table_size),
        source_num_of_files: metrics.map(|m| m.source_num_of_files),
        num_removed_files: metrics.map(|m| m.num_removed_files),
        num_copied_files: metrics.map(|m| m.num_copied_files),
        removed_files_size: metrics.map(|m| m.removed_files_size),
        copied_files_size: metrics.map(|m| m.copied_files_size),
    }
}

fn row(record: &SyncRecord) -> [String; 7] {
    let figure = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let metrics = record.metrics.as_ref();
    [
        record.version.to_string(),
        units::time(record.timestamp_ms).unwrap_or_default(),
        record.body.source_version.to_string(),
        units::time(record.body.source_commit_time).unwrap_or_default(),
        figure(metrics.map(|m| m.num_copied_files)),
        figure(metrics.map(|m| m.num_removed_files)),
        record.body.sync_id.to_string(),
    ]
}
