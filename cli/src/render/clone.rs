//! The summary of a sync: `clone`, and `job watch` at its end.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::spec::Repair;
use serde::Serialize;
use uuid::Uuid;

use super::cost::{self, SentObject};
use super::proofs::{self, ProofsObject};
use super::{CommandOutput, table, units};
use crate::client::job::{JobInfo, JobResult};

/// The JSON object of a sync that succeeded. Its keys are a stable interface.
#[derive(Debug, Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    metrics: MetricsObject,
    job_id: Uuid,
    mode: &'static str,
    source_version: i64,
    target_version: i64,
    up_to_date: bool,
    objects_copied: i64,
    objects_skipped: i64,
    bytes_read: i64,
    bytes_written: i64,
    tasks: i64,
    workers: i32,
    duration_ms: u64,
    objects_copied_by_store: i64,
    proofs: ProofsObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    repairs: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<SentObject<'a>>,
}

/// The six figures of Databricks' clone; an unknown one is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MetricsObject {
    /// Bytes of the source's files at the synced version.
    pub source_table_size: Option<i64>,
    /// Files of the source at the synced version.
    pub source_num_of_files: Option<i64>,
    /// Logical files removed from the replica.
    pub num_removed_files: Option<i64>,
    /// Logical files added to the replica.
    pub num_copied_files: Option<i64>,
    /// Bytes of the removed files.
    pub removed_files_size: Option<i64>,
    /// Bytes of the added files.
    pub copied_files_size: Option<i64>,
}

impl MetricsObject {
    /// Returns the figures of a change. When up to date, nothing was removed or copied.
    #[must_use]
    pub fn of(known: &BTreeMap<String, i64>, up_to_date: bool) -> Self {
        let source = |name: &str| known.get(name).copied();
        let change = |name: &str| source(name).or(up_to_date.then_some(0));
        Self {
            source_table_size: source("source_table_size"),
            source_num_of_files: source("source_num_of_files"),
            num_removed_files: change("num_removed_files"),
            num_copied_files: change("num_copied_files"),
            removed_files_size: change("removed_files_size"),
            copied_files_size: change("copied_files_size"),
        }
    }
}

/// Returns the answer for a job that succeeded.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(job: &JobInfo, result: &JobResult) -> Result<CommandOutput, Failure> {
    let metrics = MetricsObject::of(&result.clone_metrics, result.up_to_date);
    let text = text(job, result, &metrics);
    let object = Object {
        metrics,
        job_id: job.id,
        mode: job.spec.mode.name(),
        source_version: result.source_version,
        target_version: result.target_version,
        up_to_date: result.up_to_date,
        objects_copied: result.objects_copied,
        objects_skipped: result.objects_skipped,
        bytes_read: result.bytes_read,
        bytes_written: result.bytes_written,
        tasks: result.tasks,
        workers: result.workers,
        duration_ms: u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
        objects_copied_by_store: result.objects_copied_by_store,
        proofs: result.proofs.into(),
        repairs: repairs(job),
        sent: cost::sent_object(job.sent.as_ref()),
    };
    CommandOutput::new(text, &object)
}

/// What a repair found and did, a line for each object; `None` for a sync.
fn repairs(job: &JobInfo) -> Option<Vec<&str>> {
    let lines = || job.progress.notices.iter().filter_map(|line| line.strip_prefix("repair: "));
    (job.spec.repair != Repair::Nothing).then(|| lines().collect())
}

fn text(job: &JobInfo, result: &JobResult, metrics: &MetricsObject) -> String {
    let head = match (job.spec.repair, result.up_to_date) {
        (Repair::Nothing, true) => "already up to date: nothing copied, no commit written",
        (Repair::Nothing, false) => "synced",
        (_, true) => "nothing is damaged: nothing copied, no commit written",
        (_, false) => "repaired",
    };
    let place = |uri: &str, version: i64| format!("{uri}  (version {version})");
    let mut rows = vec![
        ("source", place(&job.spec.source.uri, result.source_version)),
        ("target", place(&job.spec.target.uri, result.target_version)),
    ];
    if let (Some(files), Some(size)) = (metrics.source_num_of_files, metrics.source_table_size) {
        rows.push(("table", format!("{}, {}", units::count(files, "file"), units::bytes(size))));
    }
    if !result.up_to_date {
        rows.push(("added", files(metrics.num_copied_files, metrics.copied_files_size)));
        rows.push(("removed", files(metrics.num_removed_files, metrics.removed_files_size)));
        rows.push(("copied", copied(result)));
        rows.extend(proofs::text(result.proofs).map(|proofs| ("proved", proofs)));
    }
    if let Some(sent) = job.sent.as_ref().filter(|_| !result.up_to_date) {
        rows.extend(sent.cost.as_ref().map(|cost| ("cost", cost::text(cost))));
    }
    rows.push(("duration", duration(result)));
    rows.push(("job", job.id.to_string()));
    format!("{head}\n{}", table::pairs(&rows))
}

/// Writes figures as `3 files, 1.2 MiB`.
pub(super) fn files(number: Option<i64>, size: Option<i64>) -> String {
    let number = number.map_or_else(|| "? files".to_owned(), |n| units::count(n, "file"));
    size.map_or(number.clone(), |size| format!("{number}, {}", units::bytes(size)))
}

fn copied(result: &JobResult) -> String {
    let objects = units::count(result.objects_copied, "object");
    let copied = format!("{objects}, {}", units::bytes(result.bytes_written));
    let mut notes = Vec::new();
    if result.objects_copied_by_store > 0 {
        notes.push(format!("{} by the store itself", result.objects_copied_by_store));
    }
    if result.objects_skipped > 0 {
        notes.push(format!("{} more were there already", result.objects_skipped));
    }
    match notes.is_empty() {
        true => copied,
        false => format!("{copied} ({})", notes.join("; ")),
    }
}

fn duration(result: &JobResult) -> String {
    let took = units::duration(result.duration);
    match units::rate(result.bytes_written, result.duration).filter(|_| result.bytes_written > 0) {
        Some(rate) => format!("{took}, {rate}"),
        None => took,
    }
}
