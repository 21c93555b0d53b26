//! The answer of `vacuum`: what was deleted, or would be, by kind.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use deepclone_delta::vacuum::{DeletedKind, VacuumReport, VacuumedObject};
use serde::Serialize;

use super::{CommandOutput, table, units};

/// The most keys that the text of a dry run lists.
const SHOWN_MAX: usize = 20;
/// The most keys of the JSON object.
const LISTED_MAX: usize = 1_000;

/// What a vacuum did to a table.
#[derive(Debug)]
pub struct VacuumAnswer<'a> {
    /// The replica, as its connection names it without credentials.
    pub target: &'a str,
    /// What it deleted, or would delete.
    pub report: &'a VacuumReport,
    /// Uploads that it threw away, or would; `None` where the store lists none.
    pub uploads: Option<u64>,
    /// The vacuum only said what it would delete.
    pub is_dry_run: bool,
}

#[derive(Debug, Serialize)]
struct Object<'a> {
    target: &'a str,
    dry_run: bool,
    target_version: u64,
    oldest_kept_version: u64,
    retention_seconds: i64,
    objects: u64,
    bytes: u64,
    kinds: BTreeMap<&'static str, KindSum>,
    uploads: Option<u64>,
    keys: Vec<Listed<'a>>,
    keys_are_all: bool,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct KindSum {
    objects: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    key: &'a str,
    kind: &'static str,
    bytes: u64,
    written_time: Option<String>,
}

/// Returns the answer.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(found: &VacuumAnswer<'_>) -> Result<CommandOutput, Failure> {
    let report = found.report;
    let mut kinds: BTreeMap<DeletedKind, KindSum> = BTreeMap::new();
    for object in &report.objects {
        let sum = kinds.entry(object.kind).or_default();
        sum.objects += 1;
        sum.bytes += object.size;
    }
    let (objects, bytes) = kinds
        .values()
        .fold((0, 0), |(objects, bytes), sum| (objects + sum.objects, bytes + sum.bytes));
    let object = Object {
        target: found.target,
        dry_run: found.is_dry_run,
        target_version: report.version,
        oldest_kept_version: report.oldest_kept,
        retention_seconds: report.retention_ms / 1_000,
        objects,
        bytes,
        kinds: kinds.iter().map(|(kind, sum)| (kind_name(*kind), *sum)).collect(),
        uploads: found.uploads,
        keys: report.objects.iter().take(LISTED_MAX).map(listed).collect(),
        keys_are_all: report.objects.len() <= LISTED_MAX,
    };
    CommandOutput::new(text(found, &kinds, KindSum { objects, bytes }), &object)
}

fn text(found: &VacuumAnswer<'_>, kinds: &BTreeMap<DeletedKind, KindSum>, sum: KindSum) -> String {
    let report = found.report;
    let (would, nothing) = match found.is_dry_run {
        true => ("would delete", "nothing would be deleted"),
        false => ("deleted", "nothing to delete"),
    };
    let head = match sum.objects {
        0 => nothing.to_owned(),
        _ => format!("{would} {}, {}", count(sum.objects, "object"), bytes(sum.bytes)),
    };
    let kept = std::time::Duration::from_millis(u64::try_from(report.retention_ms).unwrap_or(0));
    let mut rows = vec![
        ("replica", format!("{}  (version {})", found.target, report.version)),
        ("retention", units::duration(kept)),
        ("kept", format!("version {} and newer ones", report.oldest_kept)),
    ];
    if let Some(uploads) = found.uploads.filter(|uploads| *uploads > 0) {
        rows.push(("uploads", format!("{would} {} that nobody ended", count(uploads, "upload"))));
    }
    let mut lines = vec![head, table::pairs(&rows)];
    let row = |(kind, sum): (&DeletedKind, &KindSum)| {
        [kind_name(*kind).to_owned(), sum.objects.to_string(), bytes(sum.bytes)]
    };
    let grid: Vec<[String; 3]> = kinds.iter().map(row).collect();
    if !grid.is_empty() {
        lines.push(table::grid(["KIND", ">OBJECTS", ">BYTES"], &grid));
    }
    if found.is_dry_run {
        for object in report.objects.iter().take(SHOWN_MAX) {
            lines.push(format!("{}  {}", kind_name(object.kind), visible(&object.key)));
        }
        if let Some(more) = report.objects.len().checked_sub(SHOWN_MAX + 1) {
            lines.push(format!("… and {} more: --output json lists a thousand", more + 1));
        }
    }
    lines.join("\n")
}

fn listed(object: &VacuumedObject) -> Listed<'_> {
    Listed {
        key: &object.key,
        kind: kind_name(object.kind),
        bytes: object.size,
        written_time: units::time(object.modified_ms),
    }
}

pub(super) fn count(number: u64, noun: &str) -> String {
    units::count(i64::try_from(number).unwrap_or(i64::MAX), noun)
}

pub(super) fn bytes(number: u64) -> String {
    units::bytes(i64::try_from(number).unwrap_or(i64::MAX))
}

fn kind_name(kind: DeletedKind) -> &'static str {
    match kind {
        DeletedKind::DataFile => "DATA_FILE",
        DeletedKind::DeletionVector => "DELETION_VECTOR",
        DeletedKind::ChangeData => "CHANGE_DATA",
        DeletedKind::Unreferenced => "UNREFERENCED",
        DeletedKind::Temporary => "TEMPORARY",
        DeletedKind::Ledger => "LEDGER",
        DeletedKind::Log => "LOG",
    }
}
