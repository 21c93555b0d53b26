//! The answer of `plan` and `clone --dry-run`: what a sync would copy.

use deepclone_core::failure::Failure;
use deepclone_core::spec::CloneSpec;
use serde::Serialize;

use super::clone::{MetricsObject, files};
use super::cost::{self, CostObject};
use super::{CommandOutput, table, units};
use crate::client::job::Change;

#[derive(Debug, Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    metrics: MetricsObject,
    source: &'a str,
    target: &'a str,
    mode: &'static str,
    source_version: i64,
    target_version: Option<i64>,
    up_to_date: bool,
    objects: i64,
    bytes: i64,
    tasks: i32,
    source_requests: i64,
    target_requests: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<CostObject<'a>>,
    notices: &'a [String],
}

/// Returns the answer for a sync that would be accepted.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(spec: &CloneSpec, change: &Change) -> Result<CommandOutput, Failure> {
    let metrics = MetricsObject::of(&change.clone_metrics, change.up_to_date);
    let text = text(spec, change, &metrics);
    let object = Object {
        metrics,
        source: &spec.source.uri,
        target: &spec.target.uri,
        mode: spec.mode.name(),
        source_version: change.source_version,
        target_version: change.target_version,
        up_to_date: change.up_to_date,
        objects: change.progress.objects_total,
        bytes: change.progress.bytes_total,
        tasks: change.progress.tasks_total,
        source_requests: change.source_requests,
        target_requests: change.target_requests,
        cost: cost::object(change.cost.as_ref()),
        notices: &change.progress.notices,
    };
    CommandOutput::new(text, &object)
}

fn text(spec: &CloneSpec, change: &Change, metrics: &MetricsObject) -> String {
    let head = match change.up_to_date {
        true => "already up to date: a sync would do nothing",
        false => "a sync would move (nothing was moved now)",
    };
    let source = format!("{}  (version {})", spec.source.uri, change.source_version);
    let target = match change.target_version {
        Some(version) => format!("{}  (version {version})", spec.target.uri),
        None => format!("{}  (new)", spec.target.uri),
    };
    let mut rows = vec![("source", source), ("target", target)];
    if !change.up_to_date {
        let objects = units::count(change.progress.objects_total, "object");
        let bytes = units::bytes(change.progress.bytes_total);
        rows.push(("add", files(metrics.num_copied_files, metrics.copied_files_size)));
        rows.push(("remove", files(metrics.num_removed_files, metrics.removed_files_size)));
        rows.push(("copy", format!("{objects}, {bytes}")));
        let requests = (change.source_requests, change.target_requests);
        let requests = format!("{} to the source, {} to the target", requests.0, requests.1);
        rows.push(("requests", requests));
        rows.extend(change.cost.as_ref().map(|cost| ("cost", cost::text(cost))));
    }
    format!("{head}\n{}", table::pairs(&rows))
}
