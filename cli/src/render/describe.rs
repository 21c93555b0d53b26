//! The answer of `describe`: the table, its source, its last sync and its owner.

use std::collections::BTreeMap;

use deepclone_common::store::redact::redact;
use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use serde::Serialize;

use super::proofs_of_use::{self, UseProofObject};
use super::upkeep::FoundObject;
use super::{CommandOutput, table, units};
use crate::client::replicas::{LastSyncInfo, ReplicaInfo};
use crate::client::upkeep::AuditVerdictInfo;

#[derive(Debug, Serialize)]
struct Object<'a> {
    target: &'a str,
    version: u64,
    time: Option<String>,
    table_id: &'a str,
    name: Option<&'a str>,
    description: Option<&'a str>,
    partition_columns: &'a [String],
    properties: &'a BTreeMap<String, String>,
    features: &'a [String],
    files: u64,
    bytes: u64,
    lineage: &'a str,
    source_version: u64,
    replication: Option<&'a str>,
    last_sync: Option<LastSync<'a>>,
    last_verdict: Option<VerdictObject<'a>>,
    notices: &'a [String],
}

#[derive(Debug, Serialize)]
struct LastSync<'a> {
    target_version: u64,
    time: Option<String>,
    job_id: &'a str,
    submitter: Option<&'a str>,
    mode: &'a str,
    source: String,
    source_id: &'a str,
    source_time: Option<String>,
    #[serde(rename = "where")]
    partition_filter: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct VerdictObject<'a> {
    time: Option<String>,
    target_version: i64,
    source_version: i64,
    equal: bool,
    differences: i64,
    objects_compared: i64,
    bytes_compared: i64,
    seed: Option<i64>,
    found: Vec<FoundObject<'a>>,
    proof_of_use: Option<UseProofObject<'a>>,
}

/// Returns the answer for a replica.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(found: &ReplicaInfo) -> Result<CommandOutput, Failure> {
    let object = Object {
        target: &found.uri,
        version: found.version,
        time: units::time(found.commit_ms),
        table_id: &found.table_id,
        name: found.name.as_deref(),
        description: found.description.as_deref(),
        partition_columns: &found.partition_columns,
        properties: &found.properties,
        features: &found.features,
        files: found.files,
        bytes: found.bytes,
        lineage: &found.lineage,
        source_version: found.source_version,
        replication: found.replication.as_deref(),
        last_sync: found.last_sync.as_ref().map(last_sync),
        last_verdict: found.verdict.as_ref().map(verdict),
        notices: &found.notices,
    };
    CommandOutput::new(text(found), &object)
}

fn last_sync(sync: &LastSyncInfo) -> LastSync<'_> {
    LastSync {
        target_version: sync.target_version,
        time: units::time(sync.time_ms),
        job_id: &sync.job_id,
        submitter: sync.submitter.as_deref(),
        mode: &sync.mode,
        source: redact(&sync.source_uri),
        source_id: &sync.source_id,
        source_time: units::time(sync.source_time_ms),
        partition_filter: sync.partition_filter.as_deref(),
    }
}

fn verdict(verdict: &AuditVerdictInfo) -> VerdictObject<'_> {
    let found = verdict.differences.iter();
    VerdictObject {
        time: verdict.time_ms.and_then(units::time),
        target_version: verdict.target_version,
        source_version: verdict.source_version,
        equal: verdict.differences_total == 0,
        differences: verdict.differences_total,
        objects_compared: verdict.objects_compared,
        bytes_compared: verdict.bytes_compared,
        seed: verdict.sample.map(|(_, seed)| seed),
        found: found.map(|(kind, subject, detail)| FoundObject { kind, subject, detail }).collect(),
        proof_of_use: verdict.proof.as_ref().map(proofs_of_use::of_info),
    }
}

/// Writes a verdict as `2026-11-27T…: what the source is; 12 objects compared byte by byte`.
fn verdict_text(verdict: &AuditVerdictInfo) -> String {
    let time = verdict.time_ms.and_then(units::time).unwrap_or_default();
    let found = match verdict.differences_total {
        0 => "what the source is".to_owned(),
        many => units::count(many, "difference"),
    };
    let compared = match verdict.objects_compared {
        0 => "sizes compared".to_owned(),
        many => format!("{} compared byte by byte", units::count(many, "object")),
    };
    format!("{time}: {found}; {compared} at version {}", verdict.target_version)
}

fn verdict_rows(verdict: &AuditVerdictInfo) -> Vec<(&'static str, String)> {
    let mut rows = vec![("verified", verdict_text(verdict))];
    rows.extend(verdict.differences.iter().map(|(kind, subject, detail)| {
        let line = format!("{kind}  {subject}: {detail}");
        ("found", visible(&line).into_owned())
    }));
    rows.extend(verdict.proof.as_ref().map(|proof| {
        let time = verdict.time_ms.and_then(units::time).unwrap_or_default();
        let words = proofs_of_use::words(&proofs_of_use::of_info(proof));
        ("proof of use", format!("{time}: {}", visible(&words)))
    }));
    rows
}

fn text(found: &ReplicaInfo) -> String {
    let time = |ms: i64| units::time(ms).unwrap_or_else(|| "an unknown time".to_owned());
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut rows = vec![(
        "replica",
        format!("{}  (version {}, {})", found.uri, found.version, time(found.commit_ms)),
    )];
    let named = [("name", found.name.as_ref()), ("description", found.description.as_ref())];
    rows.extend(
        named.into_iter().filter_map(|(key, text)| Some((key, visible(text?).into_owned()))),
    );
    if !found.partition_columns.is_empty() {
        rows.push(("partitioned by", visible(&found.partition_columns.join(", ")).into_owned()));
    }
    let files = units::count(number(found.files), "file");
    rows.push(("table", format!("{files}, {}", units::bytes(number(found.bytes)))));
    rows.push((
        "features",
        if found.features.is_empty() { "none".to_owned() } else { found.features.join(", ") },
    ));
    match &found.last_sync {
        Some(sync) => {
            let source = redact(&sync.source_uri);
            let at = time(sync.source_time_ms);
            rows.push(("source", format!("{source}  (version {}, {at})", found.source_version)));
            rows.extend(
                sync.partition_filter
                    .as_ref()
                    .map(|filter| ("where", visible(filter).into_owned())),
            );
            let by = sync.submitter.as_ref().map(|by| format!(" by {}", visible(by)));
            let by = by.unwrap_or_default();
            let at = time(sync.time_ms);
            rows.push(("last sync", format!("{at}{by}, job {}", sync.job_id)));
        }
        None => {
            let lost = format!(
                "version {} (the log does not tell the sync any more)",
                found.source_version
            );
            rows.push(("source", lost));
        }
    }
    rows.push(("lineage", found.lineage.clone()));
    rows.extend(found.replication.as_ref().map(|name| ("replication", visible(name).into_owned())));
    rows.extend(found.verdict.iter().flat_map(verdict_rows));
    rows.extend(found.notices.iter().map(|notice| ("note", visible(notice).into_owned())));
    table::pairs(&rows)
}
