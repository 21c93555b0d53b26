//! What is known of audits and vacuums → wire types.

use deepclone_core::unix_time::UnixTime;
use deepclone_delta::verify::{Difference, KeptVerdict, ProofFigures, UseProof};
use deepclone_proto::convert::time::timestamp_to_wire;
use deepclone_proto::v1::replication as wire;

use super::show::signed;
use crate::replications::upkeep_kept::UpkeepFailure;
use crate::replications::view::TableView;

/// Returns what is known of the audits of a table; `None` where there is nothing to tell.
pub(super) fn audit(view: &TableView) -> Option<wire::AuditState> {
    let known = view.audit.as_ref();
    if known.is_none() && view.next_audit.is_none() {
        return None;
    }
    Some(wire::AuditState {
        verdict: known.and_then(|known| known.verdict.as_ref()).map(verdict),
        failure: known.and_then(|known| known.failure.as_ref()).map(failure),
        next_time: view.next_audit.map(time),
    })
}

/// Returns what is known of the vacuums of a table; `None` where there is nothing to tell.
pub(super) fn vacuum(view: &TableView) -> Option<wire::VacuumState> {
    let known = view.vacuum.as_ref();
    if known.is_none() && view.next_vacuum.is_none() {
        return None;
    }
    let done = known.and_then(|known| known.done);
    Some(wire::VacuumState {
        time: done.map(|done| time(done.at)),
        objects: done.map_or(0, |done| signed(done.objects)),
        bytes: done.map_or(0, |done| signed(done.bytes)),
        failure: known.and_then(|known| known.failure.as_ref()).map(failure),
        next_time: view.next_vacuum.map(time),
    })
}

/// Returns what an audit found.
pub(super) fn verdict(verdict: &KeptVerdict) -> wire::AuditVerdict {
    let (millionths, seed) = verdict.sample.unwrap_or_default();
    wire::AuditVerdict {
        time: Some(timestamp_to_wire(verdict.time_ms)),
        target_version: signed(verdict.replica_version),
        source_version: signed(verdict.source_version),
        differences_total: signed(verdict.differences),
        differences: verdict.found.iter().map(difference).collect(),
        objects: signed(verdict.objects),
        objects_compared: signed(verdict.objects_compared),
        bytes_compared: signed(verdict.bytes_compared),
        sample_millionths: i32::try_from(millionths).unwrap_or(i32::MAX),
        seed: signed(seed),
        target_bytes_read: signed(verdict.target_bytes_read),
        source_bytes_read: signed(verdict.source_bytes_read),
        proof: verdict.proof.as_ref().map(proof),
    }
}

/// Returns something that is not as it should be.
pub(super) fn difference(found: &Difference) -> wire::Difference {
    let kind = found.kind.name().to_owned();
    wire::Difference { kind, subject: found.subject.clone(), detail: found.detail.clone() }
}

/// Returns what an independent reader found.
pub(super) fn proof(proof: &UseProof) -> wire::UseProof {
    use wire::use_proof::Answer;
    let of = |answer: Answer, figures: &ProofFigures| wire::UseProof {
        answer: answer.into(),
        records: figures.records.map(signed),
        files_read: signed(figures.files_read),
        rows_read: signed(figures.rows_read),
        bytes_read: signed(figures.bytes_read),
        columns_read: signed(figures.columns_read),
        reason: String::new(),
    };
    match proof {
        UseProof::Proven(figures) => of(Answer::Proven, figures),
        UseProof::Refuted(figures) => of(Answer::Refuted, figures),
        UseProof::NotProvable { reason } => wire::UseProof {
            reason: reason.clone(),
            ..of(Answer::NotProvable, &ProofFigures::default())
        },
    }
}

fn failure(failure: &UpkeepFailure) -> wire::UpkeepFailure {
    let UpkeepFailure { at, reason, message } = failure.clone();
    wire::UpkeepFailure { time: Some(time(at)), reason, message }
}

fn time(time: UnixTime) -> prost_types::Timestamp {
    timestamp_to_wire(time.0)
}
