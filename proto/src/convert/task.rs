//! What a worker is given: `GrantKey`, `Grant`, `TaskSpec`, `HeldTask`, `JobShare`.

use deepclone_core::evidence::{Prior, PriorCopy};
use deepclone_core::group::PartRange;
use deepclone_core::ids::{Attempt, Epoch, GrantKey, JobId, TaskFingerprint};
use deepclone_core::job_limits::JobShare;
use deepclone_core::machine::HeldTask;
use deepclone_core::task::{Grant, ObjectCopy, TaskSide, TaskSpec, TaskWork};
use uuid::Uuid;

use super::spec::{verification_from_peer, verification_to_wire};
use super::time::{duration_from_wire, duration_to_wire};
use super::{WireError, fixed_bytes, required};
use crate::v1;

impl From<&GrantKey> for v1::GrantKey {
    fn from(key: &GrantKey) -> Self {
        Self {
            job_id: key.job.0.as_bytes().to_vec(),
            fingerprint: key.fingerprint.0.to_vec(),
            attempt: key.attempt.0,
            granted_epoch: key.epoch.0,
        }
    }
}

impl TryFrom<v1::GrantKey> for GrantKey {
    type Error = WireError;

    fn try_from(key: v1::GrantKey) -> Result<Self, WireError> {
        if key.attempt == 0 {
            return Err(WireError::Missing { field: "attempt" });
        }
        Ok(Self {
            job: JobId(Uuid::from_bytes(fixed_bytes(&key.job_id, "job_id")?)),
            fingerprint: TaskFingerprint(fixed_bytes(&key.fingerprint, "fingerprint")?),
            attempt: Attempt(key.attempt),
            epoch: Epoch(key.granted_epoch),
        })
    }
}

impl From<&Grant> for v1::Grant {
    fn from(grant: &Grant) -> Self {
        Self {
            task: Some((&grant.key).into()),
            ttl: Some(duration_to_wire(grant.ttl)),
            spec: Some((&grant.spec).into()),
            share: Some(share_to_wire(grant.share)),
            traceparent: grant.trace.map(|trace| trace.to_string()).unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::Grant> for Grant {
    type Error = WireError;

    fn try_from(grant: v1::Grant) -> Result<Self, WireError> {
        Ok(Self {
            key: required(grant.task, "task")?.try_into()?,
            ttl: duration_from_wire(grant.ttl, "ttl")?,
            spec: required(grant.spec, "spec")?.try_into()?,
            share: grant.share.map_or(JobShare::ALL, share_from_wire),
            // What shows a task to people never keeps it from being done.
            trace: grant.traceparent.parse().ok(),
        })
    }
}

/// Returns the wire form of a worker's share of a job.
#[must_use]
pub fn told_to_wire((job, share): (JobId, JobShare)) -> v1::ToldShare {
    v1::ToldShare { job_id: job.0.as_bytes().to_vec(), share: Some(share_to_wire(share)) }
}

/// Returns a worker's share of a job.
///
/// # Errors
/// A field is missing or malformed.
pub fn told_from_wire(told: v1::ToldShare) -> Result<(JobId, JobShare), WireError> {
    let job = JobId(Uuid::from_bytes(fixed_bytes(&told.job_id, "shares.job_id")?));
    Ok((job, share_from_wire(required(told.share, "shares.share")?)))
}

fn share_to_wire(share: JobShare) -> v1::JobShare {
    let JobShare { bytes_per_second, concurrency } = share;
    v1::JobShare { bytes_per_second, concurrency }
}

fn share_from_wire(share: v1::JobShare) -> JobShare {
    let v1::JobShare { bytes_per_second, concurrency } = share;
    JobShare { bytes_per_second, concurrency }
}

impl From<&TaskSpec> for v1::TaskSpec {
    fn from(spec: &TaskSpec) -> Self {
        Self {
            source_connection: spec.source.connection.clone(),
            source_fingerprint: spec.source.fingerprint.to_vec(),
            target_connection: spec.target.connection.clone(),
            target_fingerprint: spec.target.fingerprint.to_vec(),
            source_root: spec.source.root.clone(),
            target_root: spec.target.root.clone(),
            verification: verification_to_wire(spec.verification).into(),
            work: Some(work_to_wire(&spec.work)),
        }
    }
}

impl TryFrom<v1::TaskSpec> for TaskSpec {
    type Error = WireError;

    fn try_from(spec: v1::TaskSpec) -> Result<Self, WireError> {
        Ok(Self {
            source: side(
                spec.source_connection,
                "source_connection",
                &spec.source_fingerprint,
                "source_fingerprint",
                spec.source_root,
            )?,
            target: side(
                spec.target_connection,
                "target_connection",
                &spec.target_fingerprint,
                "target_fingerprint",
                spec.target_root,
            )?,
            verification: verification_from_peer(spec.verification)?,
            work: work_from_wire(required(spec.work, "work")?)?,
        })
    }
}

fn work_to_wire(work: &TaskWork) -> v1::task_spec::Work {
    use v1::task_spec::Work as Wire;
    match work {
        TaskWork::Objects(objects) => {
            Wire::Batch(v1::ObjectBatch { objects: objects.iter().map(Into::into).collect() })
        }
        TaskWork::Open(object) => Wire::Open(v1::UploadOpening { object: Some(object.into()) }),
        TaskWork::Parts { object, upload, parts } => Wire::Parts(v1::UploadParts {
            object: Some(object.into()),
            upload: Some(upload.into()),
            part_bytes: parts.part_bytes,
            first_part: parts.first,
            end_part: parts.end,
        }),
        TaskWork::Finish { object, upload, parts } => Wire::Finish(v1::UploadCompletion {
            object: Some(object.into()),
            upload: Some(upload.into()),
            parts: parts.iter().map(Into::into).collect(),
        }),
    }
}

fn work_from_wire(work: v1::task_spec::Work) -> Result<TaskWork, WireError> {
    use v1::task_spec::Work as Wire;
    match work {
        Wire::Batch(batch) if batch.objects.is_empty() => {
            Err(WireError::Missing { field: "batch.objects" })
        }
        Wire::Batch(batch) => {
            let objects = batch.objects.into_iter().map(TryInto::try_into);
            Ok(TaskWork::Objects(objects.collect::<Result<_, _>>()?))
        }
        Wire::Open(open) => Ok(TaskWork::Open(required(open.object, "open.object")?.try_into()?)),
        Wire::Parts(wire) => {
            let object: ObjectCopy = required(wire.object, "parts.object")?.try_into()?;
            let parts = PartRange {
                object_bytes: object.size,
                part_bytes: wire.part_bytes,
                first: wire.first_part,
                end: wire.end_part,
            };
            if !parts.is_valid() {
                let why = "they are not parts of the object";
                return Err(WireError::invalid("parts", why));
            }
            let upload = required(wire.upload, "parts.upload")?.into();
            Ok(TaskWork::Parts { object, upload, parts })
        }
        Wire::Finish(finish) => {
            if finish.parts.is_empty() {
                return Err(WireError::Missing { field: "finish.parts" });
            }
            Ok(TaskWork::Finish {
                object: required(finish.object, "finish.object")?.try_into()?,
                upload: required(finish.upload, "finish.upload")?.into(),
                parts: finish.parts.into_iter().map(Into::into).collect(),
            })
        }
    }
}

fn side(
    connection: String,
    connection_field: &'static str,
    fingerprint: &[u8],
    fingerprint_field: &'static str,
    root: String,
) -> Result<TaskSide, WireError> {
    if connection.is_empty() {
        return Err(WireError::Missing { field: connection_field });
    }
    let fingerprint = fixed_bytes(fingerprint, fingerprint_field)?;
    Ok(TaskSide { connection, fingerprint, root })
}

impl From<&ObjectCopy> for v1::ObjectCopy {
    fn from(object: &ObjectCopy) -> Self {
        Self {
            source_path: object.source_path.clone(),
            target_path: object.target_path.clone(),
            size: object.size,
            size_is_minimum: object.size_is_minimum,
            prior: prior_to_wire(&object.prior),
        }
    }
}

impl TryFrom<v1::ObjectCopy> for ObjectCopy {
    type Error = WireError;

    fn try_from(object: v1::ObjectCopy) -> Result<Self, WireError> {
        if object.source_path.is_empty() {
            return Err(WireError::Missing { field: "source_path" });
        }
        if object.target_path.is_empty() {
            return Err(WireError::Missing { field: "target_path" });
        }
        Ok(Self {
            source_path: object.source_path,
            target_path: object.target_path,
            size: object.size,
            size_is_minimum: object.size_is_minimum,
            prior: prior_from_wire(object.prior),
        })
    }
}

fn prior_to_wire(prior: &Prior) -> Option<v1::Prior> {
    let copy = match prior {
        Prior::Absent => return None,
        Prior::Unproven => None,
        Prior::Copied(copy) => Some(v1::PriorCopy {
            crc64nvme: copy.crc64nvme,
            source_etag: copy.source_etag.clone(),
            target_etag: copy.target_etag.clone(),
            replaceable: copy.replaceable,
        }),
    };
    Some(v1::Prior { copy })
}

// Every value of every field is valid, so the conversion cannot fail.
fn prior_from_wire(prior: Option<v1::Prior>) -> Prior {
    match prior.map(|prior| prior.copy) {
        None => Prior::Absent,
        Some(None) => Prior::Unproven,
        Some(Some(copy)) => Prior::Copied(PriorCopy {
            crc64nvme: copy.crc64nvme,
            source_etag: copy.source_etag,
            target_etag: copy.target_etag,
            replaceable: copy.replaceable,
        }),
    }
}

impl From<&HeldTask> for v1::HeldTask {
    fn from(held: &HeldTask) -> Self {
        let HeldTask { key, bytes_done, bytes_read } = held;
        Self { task: Some(key.into()), bytes_done: *bytes_done, bytes_read: *bytes_read }
    }
}

impl TryFrom<v1::HeldTask> for HeldTask {
    type Error = WireError;

    fn try_from(held: v1::HeldTask) -> Result<Self, WireError> {
        let v1::HeldTask { task, bytes_done, bytes_read } = held;
        Ok(Self { key: required(task, "task")?.try_into()?, bytes_done, bytes_read })
    }
}
