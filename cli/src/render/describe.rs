//! The answer of `describe`: the table, its source, its last sync and its owner.

use std::collections::BTreeMap;

use deepclone_common::store::redact::redact;
use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use deepclone_delta::describe::Description;
use deepclone_delta::history::SyncRecord;
use deepclone_delta::verify::KeptVerdict;
use serde::Serialize;
use uuid::Uuid;

use super::proofs_of_use::{self, UseProofObject};
use super::upkeep::FoundObject;
use super::{CommandOutput, table, units};

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
    job_id: Uuid,
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
    target_version: u64,
    source_version: u64,
    equal: bool,
    differences: u64,
    objects_compared: u64,
    bytes_compared: u64,
    seed: Option<u64>,
    found: Vec<FoundObject<'a>>,
    proof_of_use: Option<UseProofObject<'a>>,
}

/// Returns the answer for a replica.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(target: &str, found: &Description) -> Result<CommandOutput, Failure> {
    let metadata = &found.metadata;
    let object = Object {
        target,
        version: found.version,
        time: units::time(found.commit_ms),
        table_id: &metadata.id,
        name: metadata.name.as_deref(),
        description: metadata.description.as_deref(),
        partition_columns: &metadata.partition_columns,
        properties: &metadata.configuration,
        features: &found.features,
        files: found.files,
        bytes: found.bytes,
        lineage: &found.lineage,
        source_version: found.source_version,
        replication: found.owner.as_ref().map(|owner| owner.name.as_str()),
        last_sync: found.last_sync.as_ref().map(last_sync),
        last_verdict: found.verdict.as_ref().map(verdict),
        notices: &found.notices,
    };
    CommandOutput::new(text(target, found), &object)
}

fn last_sync(record: &SyncRecord) -> LastSync<'_> {
    let body = &record.body;
    LastSync {
        target_version: record.version,
        time: units::time(record.timestamp_ms),
        job_id: body.sync_id,
        submitter: body.submitter.as_deref(),
        mode: &body.mode,
        source: redact(&record.source_uri),
        source_id: &body.source_id,
        source_time: units::time(body.source_commit_time),
        partition_filter: body.partition_filter.as_deref(),
    }
}

fn verdict(verdict: &KeptVerdict) -> VerdictObject<'_> {
    let found = verdict.found.iter().map(|found| FoundObject {
        kind: found.kind.name(),
        subject: &found.subject,
        detail: &found.detail,
    });
    VerdictObject {
        time: units::time(verdict.time_ms),
        target_version: verdict.replica_version,
        source_version: verdict.source_version,
        equal: verdict.differences == 0,
        differences: verdict.differences,
        objects_compared: verdict.objects_compared,
        bytes_compared: verdict.bytes_compared,
        seed: verdict.sample.map(|(_, seed)| seed),
        found: found.collect(),
        proof_of_use: verdict.proof.as_ref().map(proofs_of_use::object),
    }
}

/// Writes a verdict as `2026-11-27T…: equal to the source, 12 objects compared byte by byte`.
fn verdict_text(verdict: &KeptVerdict) -> String {
    let time = units::time(verdict.time_ms).unwrap_or_default();
    let found = match verdict.differences {
        0 => "what the source is".to_owned(),
        many => units::count(i64::try_from(many).unwrap_or(i64::MAX), "difference"),
    };
    let compared = match verdict.objects_compared {
        0 => "sizes compared".to_owned(),
        many => {
            let objects = units::count(i64::try_from(many).unwrap_or(i64::MAX), "object");
            format!("{objects} compared byte by byte")
        }
    };
    format!("{time}: {found}; {compared} at version {}", verdict.replica_version)
}

fn text(target: &str, found: &Description) -> String {
    let time = |ms: i64| units::time(ms).unwrap_or_else(|| "an unknown time".to_owned());
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let metadata = &found.metadata;
    let mut rows = vec![(
        "replica",
        format!("{target}  (version {}, {})", found.version, time(found.commit_ms)),
    )];
    let named = [("name", metadata.name.as_ref()), ("description", metadata.description.as_ref())];
    rows.extend(
        named.into_iter().filter_map(|(key, text)| Some((key, visible(text?).into_owned()))),
    );
    if !metadata.partition_columns.is_empty() {
        rows.push(("partitioned by", visible(&metadata.partition_columns.join(", ")).into_owned()));
    }
    let files = units::count(number(found.files), "file");
    rows.push(("table", format!("{files}, {}", units::bytes(number(found.bytes)))));
    rows.push((
        "features",
        if found.features.is_empty() { "none".to_owned() } else { found.features.join(", ") },
    ));
    match &found.last_sync {
        Some(record) => {
            let body = &record.body;
            let source = redact(&record.source_uri);
            let at = time(body.source_commit_time);
            rows.push(("source", format!("{source}  (version {}, {at})", found.source_version)));
            rows.extend(
                body.partition_filter
                    .as_ref()
                    .map(|filter| ("where", visible(filter).into_owned())),
            );
            let by = body.submitter.as_ref().map(|by| format!(" by {}", visible(by)));
            let by = by.unwrap_or_default();
            rows.push((
                "last sync",
                format!("{}{by}, job {}", time(record.timestamp_ms), body.sync_id),
            ));
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
    rows.extend(
        found.owner.as_ref().map(|owner| ("replication", visible(&owner.name).into_owned())),
    );
    if let Some(verdict) = &found.verdict {
        rows.push(("verified", verdict_text(verdict)));
        rows.extend(verdict.found.iter().map(|found| {
            let line = format!("{}  {}: {}", found.kind.name(), found.subject, found.detail);
            ("found", visible(&line).into_owned())
        }));
        let proof = verdict.proof.as_ref().map(|proof| {
            let time = units::time(verdict.time_ms).unwrap_or_default();
            format!("{time}: {}", proofs_of_use::text(proof))
        });
        rows.extend(proof.map(|proof| ("proof of use", proof)));
    }
    rows.extend(found.notices.iter().map(|notice| ("note", visible(notice).into_owned())));
    table::pairs(&rows)
}
