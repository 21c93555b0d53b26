//! What is found of a replica → wire types.

use std::collections::BTreeMap;
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_delta::deletion::{DeletionProof, KeysLeft, RecordedSync};
use deepclone_delta::describe::Description;
use deepclone_delta::history::{HistoryPage, SyncRecord};
use deepclone_delta::sync::CloneMetrics;
use deepclone_delta::vacuum::{DeletedKind, VacuumedObject};
use deepclone_delta::verify::{SecondOpinion, VerifyReport};
use deepclone_proto::convert::time::{duration_to_wire, timestamp_to_wire};
use deepclone_proto::v1;
use deepclone_proto::v1::replica_description as wire;
use deepclone_proto::v1::verify_replica_response::DeepComparison;
use deepclone_proto::v1::{deletion_proof, read_history_response, vacuum_replica_response};

use super::show::signed;
use super::show_upkeep::{difference, proof, verdict};
use crate::effects::vacuum::Vacuumed;

/// Differences of a comparison that are sent.
const DIFFERENCES_SENT: usize = 1_000;
/// Objects of a vacuum that are sent.
const OBJECTS_SENT: usize = 1_000;
/// Keys of one kind that are sent of each replica.
const KEYS_SENT: usize = 20;

/// Returns what a comparison found.
pub(super) fn report(
    source: &str,
    target: &str,
    found: &VerifyReport,
) -> v1::VerifyReplicaResponse {
    let (differs, skipped) = match &found.second_opinion {
        SecondOpinion::Agrees => (false, None),
        SecondOpinion::Disagrees => (true, None),
        SecondOpinion::Skipped { reason } => (false, Some(reason.clone())),
    };
    let first = found.differences.iter().take(DIFFERENCES_SENT);
    v1::VerifyReplicaResponse {
        source_uri: source.to_owned(),
        target_uri: target.to_owned(),
        source_version: signed(found.source_version),
        target_version: signed(found.replica_version),
        files: signed(found.files),
        objects: signed(found.objects),
        bytes: signed(found.bytes),
        differences_total: signed(found.differences.len() as u64),
        differences: first.map(difference).collect(),
        second_opinion_skipped: skipped,
        second_opinion_differs: differs,
        deep: found.deep.map(|deep| DeepComparison {
            objects: signed(deep.objects),
            source_bytes_read: signed(deep.source_bytes_read),
            target_bytes_read: signed(deep.target_bytes_read),
            bytes: signed(deep.bytes),
            bytes_total: signed(deep.bytes_total),
        }),
        proof: found.proof.as_ref().map(proof),
    }
}

/// Returns what a replica is.
pub(super) fn description(uri: &str, found: &Description) -> v1::ReplicaDescription {
    let metadata = &found.metadata;
    v1::ReplicaDescription {
        uri: uri.to_owned(),
        version: signed(found.version),
        commit_time: Some(timestamp_to_wire(found.commit_ms)),
        table_id: metadata.id.clone(),
        name: metadata.name.clone(),
        description: metadata.description.clone(),
        partition_columns: metadata.partition_columns.clone(),
        properties: metadata.configuration.clone(),
        features: found.features.clone(),
        files: signed(found.files),
        bytes: signed(found.bytes),
        lineage: found.lineage.clone(),
        source_version: signed(found.source_version),
        replication: found.owner.as_ref().map(|owner| owner.name.clone()).unwrap_or_default(),
        last_sync: found.last_sync.as_ref().map(last_sync),
        verdict: found.verdict.as_ref().map(verdict),
        notices: found.notices.clone(),
    }
}

fn last_sync(record: &SyncRecord) -> wire::LastSync {
    let body = &record.body;
    wire::LastSync {
        target_version: signed(record.version),
        time: Some(timestamp_to_wire(record.timestamp_ms)),
        job_id: body.sync_id.to_string(),
        submitter: body.submitter.clone().unwrap_or_default(),
        mode: body.mode.clone(),
        source_uri: record.source_uri.clone(),
        source_id: body.source_id.clone(),
        source_time: Some(timestamp_to_wire(body.source_commit_time)),
        partition_filter: body.partition_filter.clone(),
    }
}

/// Returns a page of the syncs of a replica.
pub(super) fn history(uri: &str, found: &HistoryPage) -> v1::ReadHistoryResponse {
    v1::ReadHistoryResponse {
        target_uri: uri.to_owned(),
        syncs: found.syncs.iter().map(sync).collect(),
        next_page_token: found.next.map(|below| below.to_string()).unwrap_or_default(),
    }
}

fn sync(record: &SyncRecord) -> read_history_response::Sync {
    let body = &record.body;
    read_history_response::Sync {
        target_version: signed(record.version),
        time: Some(timestamp_to_wire(record.timestamp_ms)),
        job_id: body.sync_id.to_string(),
        submitter: body.submitter.clone().unwrap_or_default(),
        mode: body.mode.clone(),
        source_uri: record.source_uri.clone(),
        source_version: signed(body.source_version),
        source_time: Some(timestamp_to_wire(body.source_commit_time)),
        partition_filter: body.partition_filter.clone(),
        figures: record.metrics.as_ref().map(figures),
    }
}

fn figures(metrics: &CloneMetrics) -> read_history_response::Figures {
    read_history_response::Figures {
        source_table_size: signed(metrics.source_table_size),
        source_num_of_files: signed(metrics.source_num_of_files),
        num_removed_files: signed(metrics.num_removed_files),
        num_copied_files: signed(metrics.num_copied_files),
        removed_files_size: signed(metrics.removed_files_size),
        copied_files_size: signed(metrics.copied_files_size),
    }
}

/// Returns what a vacuum deleted, or would delete.
pub(super) fn vacuum(uri: &str, found: &Vacuumed) -> v1::VacuumReplicaResponse {
    let report = &found.report;
    let mut kinds: BTreeMap<DeletedKind, (u64, u64)> = BTreeMap::new();
    for object in &report.objects {
        let (objects, bytes) = kinds.entry(object.kind).or_default();
        (*objects, *bytes) = (*objects + 1, bytes.saturating_add(object.size));
    }
    let kind_sum = |(kind, (objects, bytes)): (DeletedKind, (u64, u64))| {
        let kind = kind.name().to_owned();
        vacuum_replica_response::KindSum { kind, objects: signed(objects), bytes: signed(bytes) }
    };
    let retention = Duration::from_millis(u64::try_from(report.retention_ms).unwrap_or(0));
    v1::VacuumReplicaResponse {
        target_uri: uri.to_owned(),
        target_version: signed(report.version),
        oldest_kept_version: signed(report.oldest_kept),
        retention: Some(duration_to_wire(retention)),
        kinds: kinds.into_iter().map(kind_sum).collect(),
        objects: report.objects.iter().take(OBJECTS_SENT).map(deleted).collect(),
        uploads: found.uploads.map(signed),
    }
}

fn deleted(object: &VacuumedObject) -> vacuum_replica_response::DeletedObject {
    vacuum_replica_response::DeletedObject {
        key: object.key.clone(),
        kind: object.kind.name().to_owned(),
        bytes: signed(object.size),
        write_time: Some(timestamp_to_wire(object.modified_ms)),
    }
}

/// Returns what is left of a deletion in a replica.
pub(super) fn deletion(uri: &str, proof: &Result<DeletionProof, Failure>) -> v1::DeletionProof {
    let target_uri = uri.to_owned();
    let proof = match proof {
        Ok(proof) => proof,
        Err(failure) => {
            let failure = Some(failure.into());
            return v1::DeletionProof { target_uri, failure, ..v1::DeletionProof::default() };
        }
    };
    let arrived = proof.arrived.as_ref();
    v1::DeletionProof {
        target_uri,
        failure: None,
        target_version: signed(proof.version),
        newest: proof.newest.as_ref().map(recorded),
        arrived: arrived.map(|found| recorded(&found.record)),
        arrived_is_first: arrived.is_some_and(|found| found.is_first),
        removed: Some(left(&proof.removed)),
        unreferenced: Some(left(&proof.unreferenced)),
        hidden_rows: signed(proof.hidden.rows),
        hidden: Some(left(&proof.hidden.files)),
        readable: proof.readable.map(|found| deletion_proof::Readable {
            first_version: signed(found.first),
            last_version: signed(found.last),
            versions: signed(found.versions),
            until_time: found.until_ms.map(timestamp_to_wire),
        }),
        diverged: proof.is_diverged,
        notices: proof.notices.clone(),
    }
}

fn recorded(sync: &RecordedSync) -> deletion_proof::RecordedSync {
    deletion_proof::RecordedSync {
        target_version: signed(sync.version),
        time: Some(timestamp_to_wire(sync.timestamp_ms)),
        source_uri: sync.source_uri.clone(),
        source_version: signed(sync.source_version),
        source_time: Some(timestamp_to_wire(sync.source_commit_ms)),
        job_id: sync.sync_id.to_string(),
    }
}

fn left(left: &KeysLeft) -> deletion_proof::KeysLeft {
    deletion_proof::KeysLeft {
        objects: signed(left.objects),
        bytes: signed(left.bytes),
        keys: left.keys.iter().take(KEYS_SENT).cloned().collect(),
    }
}
