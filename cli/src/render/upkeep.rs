//! Audits and vacuums of replicas, as `replication get` shows them, and proofs of use.

use deepclone_core::visible::visible;
use serde::Serialize;

use super::proofs_of_use::{self, UseProofObject};
use super::{table, units};
use crate::client::replication::TableInfo;
use crate::client::upkeep::{AuditInfo, AuditVerdictInfo, UpkeepFailureInfo, VacuumInfo};

/// What is known of the audits of a replica.
#[derive(Debug, Serialize)]
pub(super) struct AuditObject<'a> {
    verdict: Option<AuditVerdictObject<'a>>,
    failure: Option<UpkeepFailureObject<'a>>,
    next_time: Option<String>,
}

#[derive(Debug, Serialize)]
struct AuditVerdictObject<'a> {
    time: Option<String>,
    equal: bool,
    target_version: i64,
    source_version: i64,
    differences_total: i64,
    differences: Vec<FoundObject<'a>>,
    objects: i64,
    objects_compared: i64,
    bytes_compared: i64,
    sample_percent: Option<f64>,
    seed: Option<i64>,
    target_bytes_read: i64,
    source_bytes_read: i64,
    proof_of_use: Option<UseProofObject<'a>>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
pub(super) struct FoundObject<'a> {
    pub(super) kind: &'a str,
    pub(super) subject: &'a str,
    pub(super) detail: &'a str,
}

#[derive(Debug, Serialize)]
struct UpkeepFailureObject<'a> {
    time: Option<String>,
    reason: &'a str,
    message: &'a str,
}

/// What is known of the vacuums of a replica.
#[derive(Debug, Serialize)]
pub(super) struct VacuumObject<'a> {
    time: Option<String>,
    objects: i64,
    bytes: i64,
    failure: Option<UpkeepFailureObject<'a>>,
    next_time: Option<String>,
}

pub(super) fn audit_object(info: &AuditInfo) -> AuditObject<'_> {
    AuditObject {
        verdict: info.verdict.as_ref().map(verdict),
        failure: info.failure.as_ref().map(failure),
        next_time: info.next_time_ms.and_then(units::time),
    }
}

pub(super) fn vacuum_object(info: &VacuumInfo) -> VacuumObject<'_> {
    VacuumObject {
        time: info.time_ms.and_then(units::time),
        objects: info.objects,
        bytes: info.bytes,
        failure: info.failure.as_ref().map(failure),
        next_time: info.next_time_ms.and_then(units::time),
    }
}

fn verdict(info: &AuditVerdictInfo) -> AuditVerdictObject<'_> {
    let found = |(kind, subject, detail)| FoundObject { kind, subject, detail };
    let differences = info.differences.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()));
    AuditVerdictObject {
        time: info.time_ms.and_then(units::time),
        equal: info.differences_total == 0,
        target_version: info.target_version,
        source_version: info.source_version,
        differences_total: info.differences_total,
        differences: differences.map(found).collect(),
        objects: info.objects,
        objects_compared: info.objects_compared,
        bytes_compared: info.bytes_compared,
        sample_percent: info.sample.map(|(millionths, _)| f64::from(millionths) / 10_000.0),
        seed: info.sample.map(|(_, seed)| seed),
        target_bytes_read: info.target_bytes_read,
        source_bytes_read: info.source_bytes_read,
        proof_of_use: info.proof.as_ref().map(proofs_of_use::of_info),
    }
}

fn failure(info: &UpkeepFailureInfo) -> UpkeepFailureObject<'_> {
    let time = info.time_ms.and_then(units::time);
    UpkeepFailureObject { time, reason: &info.reason, message: &info.message }
}

/// Writes what is known of the audits of all tables, and below it each difference; `None` where
/// none are declared.
pub(super) fn audits(tables: &[TableInfo]) -> Option<String> {
    let known: Vec<(&str, &AuditInfo)> =
        tables.iter().filter_map(|table| Some((&*table.path, table.audit.as_ref()?))).collect();
    if known.is_empty() {
        return None;
    }
    let rows: Vec<_> = known.iter().map(|(path, info)| audit_row(path, info)).collect();
    let mut text = table::grid(["AUDITED", "WHEN", "FOUND", "PROOF OF USE", "NEXT"], &rows);
    for (path, info) in known {
        let found = info.verdict.iter().flat_map(|verdict| &verdict.differences);
        for (kind, subject, detail) in found {
            let line = format!("{path}: {kind}  {subject}: {detail}");
            text.push_str(&format!("\n{}", visible(&line)));
        }
    }
    Some(text)
}

fn audit_row(path: &str, info: &AuditInfo) -> [String; 5] {
    let verdict = info.verdict.as_ref();
    let when = verdict.and_then(|verdict| verdict.time_ms).and_then(units::time);
    let found = match (verdict, &info.failure) {
        (None, None) => "not yet".to_owned(),
        (None, Some(failure)) => failed(failure),
        (Some(verdict), None) => found(verdict),
        (Some(verdict), Some(failure)) => format!("{}; {}", found(verdict), failed(failure)),
    };
    let proof = verdict
        .and_then(|verdict| verdict.proof.as_ref())
        .map(|proof| proofs_of_use::words(&proofs_of_use::of_info(proof)));
    [
        path.to_owned(),
        when.unwrap_or_default(),
        found,
        proof.unwrap_or_default(),
        info.next_time_ms.and_then(units::time).unwrap_or_default(),
    ]
}

fn found(verdict: &AuditVerdictInfo) -> String {
    let differences = match verdict.differences_total {
        0 => "what its syncs recorded".to_owned(),
        many => units::count(many, "difference"),
    };
    match verdict.sample {
        None => differences,
        Some((_, seed)) => {
            let compared = units::bytes(verdict.bytes_compared);
            format!("{differences}; {compared} compared (seed {seed})")
        }
    }
}

fn failed(failure: &UpkeepFailureInfo) -> String {
    let time = failure.time_ms.and_then(units::time).unwrap_or_default();
    format!("could not be made at {time}: {}: {}", failure.reason, failure.message)
}

/// Writes what is known of the vacuums of all tables; `None` where none are declared.
pub(super) fn vacuums(tables: &[TableInfo]) -> Option<String> {
    let row = |path: &str, info: &VacuumInfo| {
        let time = info.time_ms.and_then(units::time);
        let deleted = time.as_ref().map(|_| units::count(info.objects, "object"));
        let failure = info.failure.as_ref().map(failed);
        [
            path.to_owned(),
            time.clone().unwrap_or_default(),
            deleted.into_iter().chain(failure).collect::<Vec<_>>().join("; "),
            info.next_time_ms.and_then(units::time).unwrap_or_default(),
        ]
    };
    let rows = tables.iter().filter_map(|table| Some(row(&table.path, table.vacuum.as_ref()?)));
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| table::grid(["VACUUMED", "WHEN", "DELETED", "NEXT"], &rows))
}
