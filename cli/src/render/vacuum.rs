//! The answer of `vacuum`: what was deleted, or would be, by kind.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use deepclone_delta::vacuum::DeletedKind;
use serde::Serialize;

use super::{CommandOutput, table, units};
use crate::client::vacuum::{DeletedInfo, VacuumAnswer};

/// The most keys that the text of a dry run lists.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct Object<'a> {
    target: &'a str,
    dry_run: bool,
    target_version: u64,
    oldest_kept_version: u64,
    retention_seconds: i64,
    objects: u64,
    bytes: u64,
    kinds: BTreeMap<&'static str, SumObject>,
    uploads: Option<u64>,
    keys: Vec<Listed<'a>>,
    keys_are_all: bool,
}

#[derive(Debug, Serialize)]
struct SumObject {
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
pub fn answer(found: &VacuumAnswer) -> Result<CommandOutput, Failure> {
    let sum = found.sum();
    let kind = |kind: &DeletedKind| {
        let sum = found.kinds.get(kind).copied().unwrap_or_default();
        (kind.name(), SumObject { objects: sum.objects, bytes: sum.bytes })
    };
    let object = Object {
        target: &found.target_uri,
        dry_run: found.is_dry_run,
        target_version: found.version,
        oldest_kept_version: found.oldest_kept,
        retention_seconds: found.retention_ms / 1_000,
        objects: sum.objects,
        bytes: sum.bytes,
        kinds: found.kinds.keys().map(kind).collect(),
        uploads: found.uploads,
        keys: found.objects.iter().map(listed).collect(),
        keys_are_all: found.objects.len() as u64 == sum.objects,
    };
    CommandOutput::new(text(found), &object)
}

fn text(found: &VacuumAnswer) -> String {
    let sum = found.sum();
    let (would, nothing) = match found.is_dry_run {
        true => ("would delete", "nothing would be deleted"),
        false => ("deleted", "nothing to delete"),
    };
    let head = match sum.objects {
        0 => nothing.to_owned(),
        _ => format!("{would} {}, {}", count(sum.objects, "object"), bytes(sum.bytes)),
    };
    let kept = std::time::Duration::from_millis(u64::try_from(found.retention_ms).unwrap_or(0));
    let mut rows = vec![
        ("replica", format!("{}  (version {})", found.target_uri, found.version)),
        ("retention", units::duration(kept)),
        ("kept", format!("version {} and newer ones", found.oldest_kept)),
    ];
    if let Some(uploads) = found.uploads.filter(|uploads| *uploads > 0) {
        rows.push(("uploads", format!("{would} {} that nobody ended", count(uploads, "upload"))));
    }
    let mut lines = vec![head, table::pairs(&rows)];
    let rows = found
        .kinds
        .iter()
        .map(|(kind, sum)| [kind.name().to_owned(), sum.objects.to_string(), bytes(sum.bytes)]);
    let grid: Vec<[String; 3]> = rows.collect();
    if !grid.is_empty() {
        lines.push(table::grid(["KIND", ">OBJECTS", ">BYTES"], &grid));
    }
    if found.is_dry_run {
        for object in found.objects.iter().take(SHOWN_MAX) {
            lines.push(format!("{}  {}", object.kind.name(), visible(&object.key)));
        }
        let more = sum.objects.saturating_sub(SHOWN_MAX as u64);
        if more > 0 {
            lines.push(format!("… and {more} more: --output json lists a thousand"));
        }
    }
    lines.join("\n")
}

fn listed(object: &DeletedInfo) -> Listed<'_> {
    Listed {
        key: &object.key,
        kind: object.kind.name(),
        bytes: object.bytes,
        written_time: units::time(object.modified_ms),
    }
}

pub(super) fn count(number: u64, noun: &str) -> String {
    units::count(i64::try_from(number).unwrap_or(i64::MAX), noun)
}

pub(super) fn bytes(number: u64) -> String {
    units::bytes(i64::try_from(number).unwrap_or(i64::MAX))
}
