//! What a worker reports of a task, and failures as clients see them.

use deepclone_core::failure::Failure;
use deepclone_core::ids::GrantKey;
use deepclone_core::machine::TaskOutcome;
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{
    AttemptCounts, ObjectReceipt, PartReceipt, Proof, Receipt, SharedUpload, TaskFailure,
    TaskFailureKind,
};

use super::{WireError, required, unknown_enum};
use crate::v1;

/// Returns the wire form of a reported outcome.
#[must_use]
pub fn outcome_to_wire(task: &GrantKey, outcome: &TaskOutcome) -> v1::TaskOutcome {
    let outcome = match outcome {
        TaskOutcome::Done(receipt) => v1::task_outcome::Outcome::Receipt(receipt.into()),
        TaskOutcome::Failed(failure) => v1::task_outcome::Outcome::Failure(failure.into()),
    };
    v1::TaskOutcome { task: Some(task.into()), outcome: Some(outcome) }
}

/// Converts a reported outcome.
///
/// # Errors
/// A field is missing or wrong.
pub fn outcome_from_wire(wire: v1::TaskOutcome) -> Result<(GrantKey, TaskOutcome), WireError> {
    let task = required(wire.task, "task")?.try_into()?;
    let outcome = match required(wire.outcome, "outcome")? {
        v1::task_outcome::Outcome::Receipt(receipt) => TaskOutcome::Done(receipt.try_into()?),
        v1::task_outcome::Outcome::Failure(failure) => TaskOutcome::Failed(failure.try_into()?),
    };
    Ok((task, outcome))
}

impl From<&Receipt> for v1::Receipt {
    fn from(receipt: &Receipt) -> Self {
        Self {
            objects: receipt.objects.iter().map(Into::into).collect(),
            bytes_read: receipt.bytes_read,
            bytes_written: receipt.bytes_written,
            requests: receipt.requests,
            source_requests: receipt.source_requests,
            target_reads: receipt.target_reads,
            elapsed_ms: receipt.elapsed_ms,
            worker: receipt.worker.clone(),
            objects_written_before: receipt.objects_written_before,
            objects_copied_by_store: receipt.objects_copied_by_store,
            upload: receipt.upload.as_ref().map(Into::into),
            parts: receipt.parts.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::Receipt> for Receipt {
    type Error = WireError;

    fn try_from(receipt: v1::Receipt) -> Result<Self, WireError> {
        let objects = receipt.objects.into_iter().map(TryInto::try_into);
        Ok(Self {
            objects: objects.collect::<Result<_, _>>()?,
            bytes_read: receipt.bytes_read,
            bytes_written: receipt.bytes_written,
            requests: receipt.requests,
            source_requests: receipt.source_requests,
            target_reads: receipt.target_reads,
            elapsed_ms: receipt.elapsed_ms,
            worker: receipt.worker,
            objects_written_before: receipt.objects_written_before,
            objects_copied_by_store: receipt.objects_copied_by_store,
            upload: receipt.upload.map(Into::into),
            parts: receipt.parts.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<&SharedUpload> for v1::SharedUpload {
    fn from(upload: &SharedUpload) -> Self {
        let SharedUpload { id, is_checked, source_etag } = upload.clone();
        Self { id, is_checked, source_etag }
    }
}

// Every value of every field is valid.
impl From<v1::SharedUpload> for SharedUpload {
    fn from(upload: v1::SharedUpload) -> Self {
        let v1::SharedUpload { id, is_checked, source_etag } = upload;
        Self { id, is_checked, source_etag }
    }
}

impl From<&PartReceipt> for v1::PartReceipt {
    fn from(part: &PartReceipt) -> Self {
        let PartReceipt { number, size, crc64nvme, id, is_proved } = part.clone();
        Self { number, size, crc64nvme, id, is_proved }
    }
}

// Every value of every field is valid.
impl From<v1::PartReceipt> for PartReceipt {
    fn from(part: v1::PartReceipt) -> Self {
        let v1::PartReceipt { number, size, crc64nvme, id, is_proved } = part;
        Self { number, size, crc64nvme, id, is_proved }
    }
}

impl From<&ObjectReceipt> for v1::ObjectReceipt {
    fn from(receipt: &ObjectReceipt) -> Self {
        Self {
            size: receipt.size,
            crc64nvme: receipt.crc64nvme,
            source_etag: receipt.source_etag.clone(),
            target_etag: receipt.target_etag.clone(),
            existed: receipt.existed,
            proof: proof_to_wire(receipt.proof).into(),
        }
    }
}

impl TryFrom<v1::ObjectReceipt> for ObjectReceipt {
    type Error = WireError;

    fn try_from(receipt: v1::ObjectReceipt) -> Result<Self, WireError> {
        let proof = proof_from_wire(receipt.proof)?;
        Ok(Self {
            size: receipt.size,
            crc64nvme: receipt.crc64nvme,
            source_etag: receipt.source_etag,
            target_etag: receipt.target_etag,
            existed: receipt.existed,
            proof,
        })
    }
}

/// Returns the wire form of a proof.
#[must_use]
pub fn proof_to_wire(proof: Proof) -> v1::object_receipt::Proof {
    use v1::object_receipt::Proof as Wire;
    match proof {
        Proof::Length => Wire::Length,
        Proof::Earlier => Wire::Earlier,
        Proof::StoredChecksum => Wire::StoredChecksum,
        Proof::ReadBack => Wire::ReadBack,
    }
}

/// Returns the proof with this number.
///
/// # Errors
/// The number is unspecified or unknown.
pub fn proof_from_wire(number: i32) -> Result<Proof, WireError> {
    use v1::object_receipt::Proof as Wire;
    match Wire::try_from(number).map_err(|_| unknown_enum("proof", number))? {
        Wire::Unspecified => Err(WireError::Missing { field: "proof" }),
        Wire::Length => Ok(Proof::Length),
        Wire::Earlier => Ok(Proof::Earlier),
        Wire::StoredChecksum => Ok(Proof::StoredChecksum),
        Wire::ReadBack => Ok(Proof::ReadBack),
    }
}

impl From<&TaskFailure> for v1::TaskFailure {
    fn from(failure: &TaskFailure) -> Self {
        Self {
            index: failure.index,
            kind: kind_to_wire(failure.kind).into(),
            message: failure.message.clone(),
            spent: Some(v1::AttemptCounts {
                bytes_read: failure.spent.bytes_read,
                bytes_written: failure.spent.bytes_written,
                requests: failure.spent.requests,
                source_requests: failure.spent.source_requests,
                target_reads: failure.spent.target_reads,
            }),
        }
    }
}

impl TryFrom<v1::TaskFailure> for TaskFailure {
    type Error = WireError;

    fn try_from(failure: v1::TaskFailure) -> Result<Self, WireError> {
        let kind = kind_from_wire(failure.kind)?;
        let spent = failure.spent.unwrap_or_default();
        let spent = AttemptCounts {
            bytes_read: spent.bytes_read,
            bytes_written: spent.bytes_written,
            requests: spent.requests,
            source_requests: spent.source_requests,
            target_reads: spent.target_reads,
        };
        Ok(Self { index: failure.index, kind, message: failure.message, spent })
    }
}

/// Returns the wire form of a kind of failure.
#[must_use]
pub fn kind_to_wire(kind: TaskFailureKind) -> v1::task_failure::Kind {
    use v1::task_failure::Kind as Wire;
    match kind {
        TaskFailureKind::Transient => Wire::Transient,
        TaskFailureKind::Throttled => Wire::Throttled,
        TaskFailureKind::SourceNotFound => Wire::SourceNotFound,
        TaskFailureKind::SourceChanged => Wire::SourceChanged,
        TaskFailureKind::SourceDenied => Wire::SourceDenied,
        TaskFailureKind::TargetDenied => Wire::TargetDenied,
        TaskFailureKind::TargetConflict => Wire::TargetConflict,
        TaskFailureKind::Corrupt => Wire::Corrupt,
        TaskFailureKind::LeaseExpired => Wire::LeaseExpired,
        TaskFailureKind::UploadLost => Wire::UploadLost,
    }
}

/// Returns the kind of failure with this number.
///
/// # Errors
/// The number is unspecified or unknown.
pub fn kind_from_wire(number: i32) -> Result<TaskFailureKind, WireError> {
    use v1::task_failure::Kind as Wire;
    match Wire::try_from(number).map_err(|_| unknown_enum("kind", number))? {
        Wire::Unspecified => Err(WireError::Missing { field: "kind" }),
        Wire::Transient => Ok(TaskFailureKind::Transient),
        Wire::Throttled => Ok(TaskFailureKind::Throttled),
        Wire::SourceNotFound => Ok(TaskFailureKind::SourceNotFound),
        Wire::SourceChanged => Ok(TaskFailureKind::SourceChanged),
        Wire::SourceDenied => Ok(TaskFailureKind::SourceDenied),
        Wire::TargetDenied => Ok(TaskFailureKind::TargetDenied),
        Wire::TargetConflict => Ok(TaskFailureKind::TargetConflict),
        Wire::Corrupt => Ok(TaskFailureKind::Corrupt),
        Wire::LeaseExpired => Ok(TaskFailureKind::LeaseExpired),
        Wire::UploadLost => Ok(TaskFailureKind::UploadLost),
    }
}

impl From<&Failure> for v1::Failure {
    fn from(failure: &Failure) -> Self {
        let row = failure.reason.row();
        Self {
            code: row.grpc,
            reason: row.name.to_owned(),
            message: failure.message.clone(),
            details: failure.details.clone(),
        }
    }
}

impl TryFrom<v1::Failure> for Failure {
    type Error = WireError;

    fn try_from(failure: v1::Failure) -> Result<Self, WireError> {
        let reason = Reason::from_name(&failure.reason)
            .ok_or_else(|| WireError::invalid("reason", format!("unknown: {}", failure.reason)))?;
        Ok(Self { details: failure.details, ..Self::new(reason, failure.message) })
    }
}
