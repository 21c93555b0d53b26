//! A moment → the event that OpenLineage's specification asks for: a pure function.
//!
//! <https://openlineage.io/spec/2-0-2/OpenLineage.json>

use deepclone_common::connections::DatasetName;
use deepclone_common::store::redact::redact_line;
use deepclone_core::failure::Failure;
use deepclone_core::ids::ReplicationId;
use deepclone_core::limits::LINEAGE_EVENT_BYTES_MAX;
use deepclone_core::unix_time::UnixTime;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::moment::{LineageMoment, LineageSubject, RoundMoment, RoundStep, SyncMoment, SyncStep};
use super::schema_fields::fields;
use crate::state::{JobOrigin, JobSpec};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const PRODUCER: &str = concat!("urn:deepclone:", env!("CARGO_PKG_VERSION"));
const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// Builds the event of a moment. `namespace` is that of the jobs.
#[must_use]
pub fn run_event(namespace: &str, moment: &LineageMoment) -> Value {
    match &moment.of {
        LineageSubject::Round(round) => round_event(namespace, moment.at, round),
        LineageSubject::Sync(sync) => {
            let event = sync_event(namespace, moment.at, sync);
            // Counting what is written needs no memory, but a text is needed to send it anyway.
            if sync.schema.is_some() && event.to_string().len() > LINEAGE_EVENT_BYTES_MAX {
                return sync_event(
                    namespace,
                    moment.at,
                    &SyncMoment { schema: None, ..sync.clone() },
                );
            }
            event
        }
    }
}

fn sync_event(namespace: &str, at: UnixTime, sync: &SyncMoment) -> Value {
    let JobSpec { source, target, origin, .. } = &*sync.job_spec;
    let name = match origin {
        Some(origin) => format!("{}.{}", origin.replication, target.root),
        None => target.uri.clone(),
    };
    let (kind, replica_version, written) = match &sync.step {
        SyncStep::Started => ("START", None, None),
        SyncStep::Completed { replica_version, written } => {
            ("COMPLETE", Some(*replica_version), Some(*written))
        }
        SyncStep::Failed(_) => ("FAIL", None, None),
        SyncStep::Cancelled => ("ABORT", None, None),
    };
    let mut facets = engine_facet();
    if let Some(origin) = origin {
        facets.extend(parent_facet(namespace, origin));
        facets.extend(nominal_facet(origin.round.and_then(|round| round.slot)));
    }
    if let SyncStep::Failed(failure) = &sync.step {
        facets.extend(error_facet(&failure_text(failure)));
    }
    let columns = sync.schema.as_deref().and_then(fields);
    let columns = columns.as_deref();
    let input = dataset(&source.uri, columns, sync.source_version);
    let mut output = dataset(&target.uri, columns.filter(|_| written.is_some()), replica_version);
    if let Some(written) = written {
        let statistics = facet(
            "OutputStatisticsOutputDatasetFacet",
            "1-0-2",
            json!({
                "size": written.bytes,
                "fileCount": written.files,
            }),
        );
        output["outputFacets"] = json!({"outputStatistics": statistics});
    }
    json!({
        "eventType": kind,
        "eventTime": at.to_string(),
        "run": {"runId": sync.job.to_string(), "facets": facets},
        "job": job(namespace, &name, "SYNC"),
        "inputs": [input],
        "outputs": [output],
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
    })
}

fn round_event(namespace: &str, at: UnixTime, round: &RoundMoment) -> Value {
    let mut facets = engine_facet();
    facets.extend(nominal_facet(round.slot));
    let kind = match &round.step {
        RoundStep::Started => "START",
        RoundStep::Completed => "COMPLETE",
        RoundStep::Failed(why) => {
            facets.extend(error_facet(why));
            "FAIL"
        }
    };
    json!({
        "eventType": kind,
        "eventTime": at.to_string(),
        "run": {"runId": round_run(round.id, round.number).to_string(), "facets": facets},
        "job": job(namespace, &round.replication, "ROUND"),
        "inputs": [],
        "outputs": [],
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
    })
}

fn job(namespace: &str, name: &str, kind: &str) -> Value {
    let facet = facet(
        "JobTypeJobFacet",
        "2-0-4",
        json!({
            "processingType": "BATCH",
            "integration": "DEEPCLONE",
            "jobType": kind,
        }),
    );
    json!({"namespace": namespace, "name": name, "facets": {"jobType": facet}})
}

fn dataset(uri: &str, columns: Option<&[Value]>, version: Option<u64>) -> Value {
    let DatasetName { namespace, name } = DatasetName::of(uri);
    let mut facets = Map::new();
    let storage = json!({"storageLayer": "delta", "fileFormat": "parquet"});
    facets.insert("storage".to_owned(), facet("StorageDatasetFacet", "1-0-1", storage));
    if let Some(columns) = columns {
        let columns = facet("SchemaDatasetFacet", "1-2-0", json!({"fields": columns}));
        facets.insert("schema".to_owned(), columns);
    }
    if let Some(version) = version {
        let version = json!({"datasetVersion": version.to_string()});
        let version = facet("DatasetVersionDatasetFacet", "1-0-1", version);
        facets.insert("version".to_owned(), version);
    }
    json!({"namespace": namespace, "name": name, "facets": facets})
}

/// Names what every event is made by.
fn engine_facet() -> Map<String, Value> {
    let engine = json!({"name": "Deepclone", "version": VERSION});
    one("processing_engine", facet("ProcessingEngineRunFacet", "1-1-1", engine))
}

/// Names the round that a sync is of.
fn parent_facet(namespace: &str, origin: &JobOrigin) -> Map<String, Value> {
    let (Some(id), Some(round)) = (origin.id, origin.round) else { return Map::new() };
    let parent = json!({
        "run": {"runId": round_run(id, round.number).to_string()},
        "job": {"namespace": namespace, "name": origin.replication},
    });
    one("parent", facet("ParentRunFacet", "1-2-0", parent))
}

fn nominal_facet(slot: Option<UnixTime>) -> Map<String, Value> {
    let Some(slot) = slot else { return Map::new() };
    let nominal = json!({"nominalStartTime": slot.to_string()});
    one("nominalTime", facet("NominalTimeRunFacet", "1-0-1", nominal))
}

fn error_facet(text: &str) -> Map<String, Value> {
    let error = json!({"message": redact_line(text), "programmingLanguage": "Rust"});
    one("errorMessage", facet("ErrorMessageRunFacet", "1-0-1", error))
}

fn failure_text(failure: &Failure) -> String {
    format!("{}: {}", failure.reason.row().name, failure.message)
}

fn one(name: &str, facet: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), facet)])
}

/// Adds to a facet who made it, and by which schema.
fn facet(name: &str, version: &str, mut body: Value) -> Value {
    let schema = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
    body["_producer"] = json!(PRODUCER);
    body["_schemaURL"] = json!(schema);
    body
}

/// The id of the run that a round is, always the same one.
fn round_run(id: ReplicationId, number: u64) -> Uuid {
    let digest: [u8; 32] = Sha256::new()
        .chain_update("round of a replication")
        .chain_update(id.0.as_bytes())
        .chain_update(number.to_be_bytes())
        .finalize()
        .into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}
