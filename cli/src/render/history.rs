//! The answer of `history`: the syncs recorded in a replica's log.

use deepclone_common::store::redact::redact;
use deepclone_core::failure::Failure;
use serde::Serialize;

use super::{CommandOutput, table, units};
use crate::client::history::SyncInfo;

#[derive(Debug, Serialize)]
struct Object<'a> {
    target: &'a str,
    syncs: Vec<Sync<'a>>,
}

#[derive(Debug, Serialize)]
struct Sync<'a> {
    target_version: u64,
    time: Option<String>,
    job_id: &'a str,
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
pub fn answer(target_uri: &str, syncs: &[SyncInfo]) -> Result<CommandOutput, Failure> {
    let rows: Vec<_> = syncs.iter().map(row).collect();
    let headings =
        [">VERSION", "TIME", ">SOURCE VERSION", "SOURCE TIME", ">ADDED", ">REMOVED", "JOB"];
    let text = match rows.is_empty() {
        true => format!("no sync is recorded in the log of {target_uri}"),
        false => table::grid(headings, &rows),
    };
    CommandOutput::new(
        text,
        &Object { target: target_uri, syncs: syncs.iter().map(sync).collect() },
    )
}

fn sync(sync: &SyncInfo) -> Sync<'_> {
    let metrics = sync.metrics.as_ref();
    Sync {
        target_version: sync.target_version,
        time: units::time(sync.time_ms),
        job_id: &sync.job_id,
        submitter: sync.submitter.as_deref(),
        mode: &sync.mode,
        source: redact(&sync.source_uri),
        source_version: sync.source_version,
        source_time: units::time(sync.source_time_ms),
        partition_filter: sync.partition_filter.as_deref(),
        source_table_size: metrics.map(|m| m.source_table_size),
        source_num_of_files: metrics.map(|m| m.source_num_of_files),
        num_removed_files: metrics.map(|m| m.num_removed_files),
        num_copied_files: metrics.map(|m| m.num_copied_files),
        removed_files_size: metrics.map(|m| m.removed_files_size),
        copied_files_size: metrics.map(|m| m.copied_files_size),
    }
}

fn row(sync: &SyncInfo) -> [String; 7] {
    let figure = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let metrics = sync.metrics.as_ref();
    [
        sync.target_version.to_string(),
        units::time(sync.time_ms).unwrap_or_default(),
        sync.source_version.to_string(),
        units::time(sync.source_time_ms).unwrap_or_default(),
        figure(metrics.map(|m| m.num_copied_files)),
        figure(metrics.map(|m| m.num_removed_files)),
        sync.job_id.clone(),
    ]
}
