//! What is known of audits and vacuums of a replica, converted from the wire.

use deepclone_core::failure::Failure;
use deepclone_delta::verify::{KeptVerdict, ProofFigures, UseProof};
use deepclone_proto::v1::replication as wire;

use super::job::milliseconds;
use super::status::malformed;

/// What is known of the audits of a replica. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditInfo {
    /// `None` while no audit has ended.
    pub verdict: Option<AuditVerdictInfo>,
    pub failure: Option<UpkeepFailureInfo>,
    pub next_time_ms: Option<i64>,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerdictInfo {
    pub time_ms: Option<i64>,
    pub target_version: i64,
    pub source_version: i64,
    pub differences_total: i64,
    /// The kind, the subject and the detail of the first ones.
    pub differences: Vec<(String, String, String)>,
    pub objects: i64,
    pub objects_compared: i64,
    pub bytes_compared: i64,
    /// Millionths of the bytes, and the number that draws the same again; `None` without a sample.
    pub sample: Option<(i32, i64)>,
    pub target_bytes_read: i64,
    pub source_bytes_read: i64,
    pub proof: Option<UseProofInfo>,
}

/// What an independent reader found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseProofInfo {
    /// `PROVEN`, `REFUTED` or `NOT_PROVABLE`.
    pub answer: &'static str,
    pub records: Option<i64>,
    pub files_read: i64,
    pub rows_read: i64,
    pub bytes_read: i64,
    /// Empty but for `NOT_PROVABLE`.
    pub reason: String,
}

/// What is known of the vacuums of a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VacuumInfo {
    /// `None` while none has ended.
    pub time_ms: Option<i64>,
    pub objects: i64,
    pub bytes: i64,
    pub failure: Option<UpkeepFailureInfo>,
    pub next_time_ms: Option<i64>,
}

/// Why a try could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpkeepFailureInfo {
    pub time_ms: Option<i64>,
    pub reason: String,
    pub message: String,
}

impl From<KeptVerdict> for AuditVerdictInfo {
    fn from(kept: KeptVerdict) -> Self {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let found = kept.found.into_iter();
        let sample = kept.sample.map(|(millionths, seed)| {
            (i32::try_from(millionths).unwrap_or(i32::MAX), number(seed))
        });
        Self {
            time_ms: Some(kept.time_ms),
            target_version: number(kept.replica_version),
            source_version: number(kept.source_version),
            differences_total: number(kept.differences),
            differences: found
                .map(|one| (one.kind.name().to_owned(), one.subject, one.detail))
                .collect(),
            objects: number(kept.objects),
            objects_compared: number(kept.objects_compared),
            bytes_compared: number(kept.bytes_compared),
            sample,
            target_bytes_read: number(kept.target_bytes_read),
            source_bytes_read: number(kept.source_bytes_read),
            proof: kept.proof.map(UseProofInfo::from),
        }
    }
}

impl From<UseProof> for UseProofInfo {
    fn from(proof: UseProof) -> Self {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let of = |answer, figures: ProofFigures, reason| Self {
            answer,
            records: figures.records.map(number),
            files_read: number(figures.files_read),
            rows_read: number(figures.rows_read),
            bytes_read: number(figures.bytes_read),
            reason,
        };
        match proof {
            UseProof::Proven(figures) => of("PROVEN", figures, String::new()),
            UseProof::Refuted(figures) => of("REFUTED", figures, String::new()),
            UseProof::NotProvable { reason } => of("NOT_PROVABLE", ProofFigures::default(), reason),
        }
    }
}

pub(super) fn audit(wire: wire::AuditState) -> Result<AuditInfo, Failure> {
    Ok(AuditInfo {
        verdict: wire.verdict.map(verdict).transpose()?,
        failure: wire.failure.map(failure),
        next_time_ms: wire.next_time.as_ref().map(milliseconds),
    })
}

pub(super) fn verdict(wire: wire::AuditVerdict) -> Result<AuditVerdictInfo, Failure> {
    let differences = wire.differences.into_iter();
    Ok(AuditVerdictInfo {
        time_ms: wire.time.as_ref().map(milliseconds),
        target_version: wire.target_version,
        source_version: wire.source_version,
        differences_total: wire.differences_total,
        differences: differences.map(|one| (one.kind, one.subject, one.detail)).collect(),
        objects: wire.objects,
        objects_compared: wire.objects_compared,
        bytes_compared: wire.bytes_compared,
        sample: (wire.sample_millionths > 0).then_some((wire.sample_millionths, wire.seed)),
        target_bytes_read: wire.target_bytes_read,
        source_bytes_read: wire.source_bytes_read,
        proof: wire.proof.map(proof).transpose()?,
    })
}

fn proof(wire: wire::UseProof) -> Result<UseProofInfo, Failure> {
    let answer = match wire.answer() {
        wire::use_proof::Answer::Unspecified => {
            return Err(malformed(format!("UseProof.answer is {}", wire.answer)));
        }
        answer => answer.as_str_name(),
    };
    Ok(UseProofInfo {
        answer,
        records: wire.records,
        files_read: wire.files_read,
        rows_read: wire.rows_read,
        bytes_read: wire.bytes_read,
        reason: wire.reason,
    })
}

pub(super) fn vacuum(wire: wire::VacuumState) -> VacuumInfo {
    VacuumInfo {
        time_ms: wire.time.as_ref().map(milliseconds),
        objects: wire.objects,
        bytes: wire.bytes,
        failure: wire.failure.map(failure),
        next_time_ms: wire.next_time.as_ref().map(milliseconds),
    }
}

fn failure(wire: wire::UpkeepFailure) -> UpkeepFailureInfo {
    let time_ms = wire.time.as_ref().map(milliseconds);
    UpkeepFailureInfo { time_ms, reason: wire.reason, message: wire.message }
}
