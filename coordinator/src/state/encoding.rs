//! Facts as rows: a kind and a message of `deepclone.state.v1`. No other file uses its types.

use deepclone_common::connections::Resolved;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{
    ConnectionKey, JobId, PlanDigest, ReplicationId, TargetKey, TaskFingerprint,
};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::machine::{End, Fact, Progress, Route};
use deepclone_core::ownership::{OwnerClaim, ReplicaOwner};
use deepclone_core::receipt::{Proof, ProofCounts, Receipt};
use deepclone_core::replication::{ReplicationSpec, SharedBudgetSpec};
use deepclone_core::spec::CloneSpec;
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::convert::outcome::{kind_from_wire, kind_to_wire, proof_to_wire};
use deepclone_proto::convert::spec::{limits_from_wire, limits_to_wire};
use deepclone_proto::convert::{WireError, fixed_bytes};
use deepclone_proto::state::v1 as wire;
use deepclone_proto::v1;
use prost::Message;
use uuid::Uuid;

use super::note::{note_from_wire, note_to_wire};
use super::{Entry, JobOrigin, JobRound, JobSpec, StateError};

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error(transparent)]
    Protobuf(#[from] prost::DecodeError),
    #[error(transparent)]
    Field(#[from] WireError),
    #[error("this version does not know the kind")]
    Kind,
}

/// Returns a spec as the bytes that the machine carries without reading them.
#[must_use]
pub fn encode_spec(spec: &JobSpec) -> Vec<u8> {
    let side = |side: &Resolved| {
        Some(wire::Side {
            connection: side.connection.clone(),
            fingerprint: side.fingerprint.to_vec(),
            root: side.root.clone(),
            uri: side.uri.clone(),
        })
    };
    wire::JobSpec {
        spec: Some((&spec.spec).into()),
        source: side(&spec.source),
        target: side(&spec.target),
        claim: spec.claim.as_ref().map(claim_to_wire),
        origin: spec.origin.as_ref().map(|origin| wire::JobOrigin {
            replication: origin.replication.clone(),
            id: origin.id.map(|id| id.0.as_bytes().to_vec()),
            owner: origin.owner.clone(),
            time_zone: origin.time_zone.clone(),
            round: origin.round.map(|round| round.number),
            slot_ms: origin.round.and_then(|round| round.slot).map(|slot| slot.0),
        }),
        submitter: spec.submitter.clone().unwrap_or_default(),
    }
    .encode_to_vec()
}

/// Returns what a plan depends on in a spec: all of it but the limits, which change while it runs,
/// and whose job it is.
#[must_use]
pub fn encode_options(spec: &JobSpec) -> Vec<u8> {
    let mut options = spec.clone();
    options.spec.limits = JobLimits::default();
    options.origin = None;
    options.submitter = None;
    encode_spec(&options)
}

/// Returns the spec that [`encode_spec`] encoded.
///
/// # Errors
/// The bytes are no spec.
pub fn decode_spec(bytes: &[u8]) -> Result<JobSpec, StateError> {
    let read = || -> Result<JobSpec, RowError> {
        let order = wire::JobSpec::decode(bytes)?;
        Ok(JobSpec {
            spec: CloneSpec::try_from(order.spec.ok_or(missing("spec"))?)?,
            source: side(order.source, "source")?,
            target: side(order.target, "target")?,
            claim: order.claim.map(claim_from_wire).transpose()?,
            origin: order.origin.map(origin_from_wire).transpose()?,
            submitter: Some(order.submitter).filter(|name| !name.is_empty()),
        })
    };
    read().map_err(|error| StateError::Damaged { kind: "spec".to_owned(), why: error.to_string() })
}

fn origin_from_wire(origin: wire::JobOrigin) -> Result<JobOrigin, RowError> {
    let wire::JobOrigin { replication, owner, time_zone, id, round, slot_ms } = origin;
    let id = id.map(|id| Uuid::from_slice(&id).map_err(|_| missing("id"))).transpose()?;
    let round = round.map(|number| JobRound { number, slot: slot_ms.map(UnixTime) });
    Ok(JobOrigin { replication, id: id.map(ReplicationId), owner, time_zone, round })
}

/// Encodes a declared replication.
#[must_use]
pub fn encode_replication(spec: &ReplicationSpec) -> Vec<u8> {
    v1::ReplicationSpec::from(spec).encode_to_vec()
}

/// Decodes a declared replication. Whether it still means something is not checked.
///
/// # Errors
/// Bytes that are no replication.
pub fn decode_replication(bytes: &[u8]) -> Result<ReplicationSpec, StateError> {
    let read = || -> Result<ReplicationSpec, RowError> {
        Ok(ReplicationSpec::try_from(v1::ReplicationSpec::decode(bytes)?)?)
    };
    let kind = || "replication".to_owned();
    read().map_err(|error| StateError::Damaged { kind: kind(), why: error.to_string() })
}

/// Encodes a budget of several replications.
#[must_use]
pub fn encode_shared_budget(spec: &SharedBudgetSpec) -> Vec<u8> {
    v1::SharedBudget::from(spec).encode_to_vec()
}

/// Decodes a budget of several replications. Whether it still means something is not checked.
///
/// # Errors
/// Bytes that are no such budget.
pub fn decode_shared_budget(bytes: &[u8]) -> Result<SharedBudgetSpec, StateError> {
    let read = || -> Result<SharedBudgetSpec, RowError> {
        Ok(SharedBudgetSpec::try_from(v1::SharedBudget::decode(bytes)?)?)
    };
    let kind = || "shared budget".to_owned();
    read().map_err(|error| StateError::Damaged { kind: kind(), why: error.to_string() })
}

fn claim_to_wire(claim: &OwnerClaim) -> wire::OwnerClaim {
    wire::OwnerClaim {
        name: claim.owner.name.clone(),
        id: claim.owner.id.as_bytes().to_vec(),
        takes_over: claim.takes_over.clone(),
    }
}

fn claim_from_wire(claim: wire::OwnerClaim) -> Result<OwnerClaim, RowError> {
    let id = Uuid::from_bytes(fixed_bytes(&claim.id, "id")?);
    let owner = ReplicaOwner { name: claim.name, id };
    Ok(OwnerClaim { owner, takes_over: claim.takes_over })
}

fn side(side: Option<wire::Side>, field: &'static str) -> Result<Resolved, RowError> {
    let side = side.ok_or(missing(field))?;
    let fingerprint = fixed_bytes(&side.fingerprint, "fingerprint")?;
    Ok(Resolved { connection: side.connection, fingerprint, root: side.root, uri: side.uri })
}

fn missing(field: &'static str) -> WireError {
    WireError::Missing { field }
}

/// Returns the job, kind and body of an entry's row.
pub(super) fn encode(entry: &Entry) -> (JobId, &'static str, Vec<u8>) {
    let note = entry.note.as_ref().map(note_to_wire);
    match &entry.fact {
        Fact::Created { job, target, route, spec } => {
            let body = wire::Created {
                target: target.0.to_vec(),
                source_connection: route.source.0.to_vec(),
                target_connection: route.target.0.to_vec(),
                spec: spec.clone(),
            };
            (*job, "created", body.encode_to_vec())
        }
        Fact::Limited { job, limits } => {
            let body = wire::Limited { limits: limits_to_wire(*limits) };
            (*job, "limited", body.encode_to_vec())
        }
        Fact::Planned { job, digest, source_version, replica_version } => {
            let body = wire::Planned {
                digest: digest.0.to_vec(),
                source_version: *source_version,
                replica_version: *replica_version,
                note,
            };
            (*job, "planned", body.encode_to_vec())
        }
        Fact::TaskDone { job, fingerprint, receipt } => {
            let fingerprint = fingerprint.0.to_vec();
            let body = wire::TaskDone { fingerprint, receipt: Some(receipt.into()) };
            (*job, "task_done", body.encode_to_vec())
        }
        Fact::TaskFailed { job, fingerprint, kind } => {
            let fingerprint = fingerprint.0.to_vec();
            let body = wire::TaskFailed { fingerprint, kind: kind_to_wire(*kind).into() };
            (*job, "task_failed", body.encode_to_vec())
        }
        Fact::GroupRestarted { job, fingerprints } => {
            let fingerprints = fingerprints.iter().map(|name| name.0.to_vec()).collect();
            let body = wire::GroupRestarted { fingerprints };
            (*job, "group_restarted", body.encode_to_vec())
        }
        Fact::CancelRequested { job } => {
            (*job, "cancel_requested", wire::CancelRequested {}.encode_to_vec())
        }
        Fact::PublishIntended { job } => {
            (*job, "publish_intended", wire::PublishIntended {}.encode_to_vec())
        }
        Fact::Published { job, version } => {
            (*job, "published", wire::Published { version: *version }.encode_to_vec())
        }
        Fact::Ended { job, end, progress } => {
            let (end, progress) = (Some(end_to_wire(end)), Some(progress_to_wire(progress)));
            let body = wire::Ended { end, note, progress };
            (*job, "ended", body.encode_to_vec())
        }
    }
}

/// Returns the entry of a row.
pub(super) fn decode(
    job: JobId,
    kind: &str,
    body: &[u8],
    recorded_ms: i64,
) -> Result<Entry, StateError> {
    match decode_fact(job, kind, body) {
        Ok((fact, note)) => Ok(Entry { fact, note: note.map(note_from_wire), recorded_ms }),
        Err(error) => Err(StateError::Damaged { kind: kind.to_owned(), why: error.to_string() }),
    }
}

fn decode_fact(
    job: JobId,
    kind: &str,
    body: &[u8],
) -> Result<(Fact, Option<wire::PlanNote>), RowError> {
    let fingerprint = |bytes: &[u8]| fixed_bytes(bytes, "fingerprint").map(TaskFingerprint);
    let fact = match kind {
        "created" => {
            let row = wire::Created::decode(body)?;
            let source = ConnectionKey(fixed_bytes(&row.source_connection, "source_connection")?);
            let target = ConnectionKey(fixed_bytes(&row.target_connection, "target_connection")?);
            Fact::Created {
                job,
                target: TargetKey(fixed_bytes(&row.target, "target")?),
                route: Route { source, target },
                spec: row.spec,
            }
        }
        "limited" => {
            let limits = limits_from_wire(wire::Limited::decode(body)?.limits)?;
            Fact::Limited { job, limits }
        }
        "planned" => {
            let row = wire::Planned::decode(body)?;
            let digest = PlanDigest(fixed_bytes(&row.digest, "digest")?);
            let (source_version, replica_version) = (row.source_version, row.replica_version);
            return Ok((Fact::Planned { job, digest, source_version, replica_version }, row.note));
        }
        "task_done" => {
            let row = wire::TaskDone::decode(body)?;
            let receipt = receipt_from_wire(row.receipt.ok_or(missing("receipt"))?)?;
            Fact::TaskDone { job, fingerprint: fingerprint(&row.fingerprint)?, receipt }
        }
        "task_failed" => {
            let row = wire::TaskFailed::decode(body)?;
            let kind = kind_from_wire(row.kind)?;
            Fact::TaskFailed { job, fingerprint: fingerprint(&row.fingerprint)?, kind }
        }
        "group_restarted" => {
            let row = wire::GroupRestarted::decode(body)?;
            let fingerprints = row.fingerprints.iter().map(|name| fingerprint(name));
            Fact::GroupRestarted { job, fingerprints: fingerprints.collect::<Result<_, _>>()? }
        }
        "cancel_requested" => {
            wire::CancelRequested::decode(body)?;
            Fact::CancelRequested { job }
        }
        "publish_intended" => {
            wire::PublishIntended::decode(body)?;
            Fact::PublishIntended { job }
        }
        "published" => Fact::Published { job, version: wire::Published::decode(body)?.version },
        "ended" => {
            let row = wire::Ended::decode(body)?;
            let end = end_from_wire(row.end.ok_or(missing("end"))?)?;
            let progress = row.progress.map(progress_from_wire).unwrap_or_default();
            return Ok((Fact::Ended { job, end, progress }, row.note));
        }
        _ => return Err(RowError::Kind),
    };
    Ok((fact, None))
}

/// Rows of versions that did not record proofs have none: of their objects no more is said than
/// that their length was right.
fn receipt_from_wire(mut receipt: v1::Receipt) -> Result<Receipt, WireError> {
    for object in &mut receipt.objects {
        if object.proof == i32::from(v1::object_receipt::Proof::Unspecified) {
            object.proof = proof_to_wire(Proof::Length).into();
        }
    }
    receipt.try_into()
}

fn end_to_wire(end: &End) -> wire::ended::End {
    match end {
        End::Succeeded { source_version, replica_version, up_to_date } => {
            wire::ended::End::Succeeded(wire::Succeeded {
                source_version: *source_version,
                replica_version: *replica_version,
                up_to_date: *up_to_date,
            })
        }
        End::Failed(failure) => wire::ended::End::Failed(failure.into()),
        End::Cancelled => wire::ended::End::Cancelled(wire::Cancelled {}),
    }
}

fn end_from_wire(end: wire::ended::End) -> Result<End, RowError> {
    Ok(match end {
        wire::ended::End::Succeeded(row) => End::Succeeded {
            source_version: row.source_version,
            replica_version: row.replica_version,
            up_to_date: row.up_to_date,
        },
        wire::ended::End::Failed(failure) => End::Failed(Failure::try_from(failure)?),
        wire::ended::End::Cancelled(_) => End::Cancelled,
    })
}

/// Makes one form of a progress from the other, by the fields that both have.
macro_rules! progress {
    ($($form:ident)::+, $from:expr $(, $field:ident: $value:expr)*) => {
        $($form)::+ {
            tasks_total: $from.tasks_total,
            tasks_done: $from.tasks_done,
            objects_total: $from.objects_total,
            objects_done: $from.objects_done,
            bytes_total: $from.bytes_total,
            bytes_done: $from.bytes_done,
            workers_used: $from.workers_used,
            attempts: $from.attempts,
            objects_copied: $from.objects_copied,
            objects_skipped: $from.objects_skipped,
            bytes_read: $from.bytes_read,
            bytes_unreported: $from.bytes_unreported,
            bytes_written: $from.bytes_written,
            requests: $from.requests,
            source_requests: $from.source_requests,
            target_reads: $from.target_reads,
            objects_copied_by_store: $from.objects_copied_by_store,
            $($field: $value,)*
        }
    };
}

fn progress_to_wire(progress: &Progress) -> wire::JobProgress {
    progress!(wire::JobProgress, progress, proofs: Some(proofs_to_wire(progress.proofs)))
}

fn progress_from_wire(progress: wire::JobProgress) -> Progress {
    // An ended job moves nothing and holds no worker.
    let proofs = progress.proofs.map(proofs_from_wire).unwrap_or_default();
    progress!(Progress, progress, bytes_moving: 0, workers: 0, proofs: proofs)
}

fn proofs_to_wire(counts: ProofCounts) -> wire::ObjectProofs {
    let ProofCounts { length, earlier, stored_checksum, read_back } = counts;
    wire::ObjectProofs { length, earlier, stored_checksum, read_back }
}

fn proofs_from_wire(counts: wire::ObjectProofs) -> ProofCounts {
    let wire::ObjectProofs { length, earlier, stored_checksum, read_back } = counts;
    ProofCounts { length, earlier, stored_checksum, read_back }
}
