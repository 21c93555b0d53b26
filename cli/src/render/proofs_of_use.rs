//! What an independent reader found in a replica, in words and as an object.

use deepclone_delta::verify::{ProofFigures, UseProof};
use serde::Serialize;

use super::units;
use crate::client::upkeep::UseProofInfo;

/// What an independent reader found.
#[derive(Debug, Serialize)]
pub(super) struct UseProofObject<'a> {
    pub(super) answer: &'static str,
    pub(super) records: Option<i64>,
    pub(super) files_read: i64,
    pub(super) rows_read: i64,
    pub(super) bytes_read: i64,
    pub(super) reason: Option<&'a str>,
}

/// Returns the object of a proof that this process made, or read beside a replica.
pub(super) fn object(proof: &UseProof) -> UseProofObject<'_> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let of = |answer, figures: &ProofFigures| UseProofObject {
        answer,
        records: figures.records.map(number),
        files_read: number(figures.files_read),
        rows_read: number(figures.rows_read),
        bytes_read: number(figures.bytes_read),
        reason: None,
    };
    match proof {
        UseProof::Proven(figures) => of("PROVEN", figures),
        UseProof::Refuted(figures) => of("REFUTED", figures),
        UseProof::NotProvable { reason } => {
            let nothing = of("NOT_PROVABLE", &ProofFigures::default());
            UseProofObject { reason: Some(reason), ..nothing }
        }
    }
}

/// Returns the object of a proof that a coordinator told, or that is kept beside a replica.
pub(super) fn of_info(info: &UseProofInfo) -> UseProofObject<'_> {
    UseProofObject {
        answer: info.answer,
        records: info.records,
        files_read: info.files_read,
        rows_read: info.rows_read,
        bytes_read: info.bytes_read,
        reason: Some(info.reason.as_str()).filter(|reason| !reason.is_empty()),
    }
}

/// Writes a proof that this process made, or read beside a replica.
pub(super) fn text(proof: &UseProof) -> String {
    words(&object(proof))
}

/// Writes a proof as `PROVEN: 57 records, 12 rows read`.
pub(super) fn words(proof: &UseProofObject<'_>) -> String {
    if let Some(reason) = proof.reason {
        return format!("not provable by this reader: {reason}");
    }
    let rows = units::count(proof.rows_read, "row");
    let records = proof.records.map(|records| format!("{records} records, "));
    format!("{}: {}{rows} read", proof.answer, records.unwrap_or_default())
}
