//! The answer of `verify`: the differences that it found.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::visible::visible;
use deepclone_delta::verify::{Difference, SecondOpinion, VerifyReport};
use serde::Serialize;

use super::proofs_of_use::{self, UseProofObject};
use super::{CommandOutput, table, units};

/// The most differences that the text shows; the JSON object holds them all.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct Object<'a> {
    source: &'a str,
    target: &'a str,
    equal: bool,
    source_version: u64,
    target_version: u64,
    files: u64,
    objects: u64,
    bytes: u64,
    deep: Option<DeepObject>,
    second_opinion: Opinion<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_of_use: Option<UseProofObject<'a>>,
    differences: Vec<DifferenceObject<'a>>,
}

#[derive(Debug, Serialize)]
struct DeepObject {
    objects: u64,
    source_bytes_read: u64,
    target_bytes_read: u64,
    bytes: u64,
    bytes_total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Opinion<'a> {
    verdict: &'static str,
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct DifferenceObject<'a> {
    kind: &'static str,
    subject: &'a str,
    detail: &'a str,
}

/// Returns the answer for a report. Its exit code says whether there is a difference.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(source: &str, target: &str, report: &VerifyReport) -> Result<CommandOutput, Failure> {
    let equal = report.differences.is_empty();
    let object = Object {
        source,
        target,
        equal,
        source_version: report.source_version,
        target_version: report.replica_version,
        files: report.files,
        objects: report.objects,
        bytes: report.bytes,
        deep: report.deep.map(|deep| DeepObject {
            objects: deep.objects,
            source_bytes_read: deep.source_bytes_read,
            target_bytes_read: deep.target_bytes_read,
            bytes: deep.bytes,
            bytes_total: deep.bytes_total,
            seed: deep.sample.map(|sample| sample.seed),
        }),
        second_opinion: opinion(&report.second_opinion),
        proof_of_use: report.proof.as_ref().map(proofs_of_use::object),
        differences: report.differences.iter().map(difference).collect(),
    };
    let mut answer = CommandOutput::new(text(source, target, report), &object)?;
    if !equal {
        answer.exit = Reason::VerifyDifference.row().exit;
    }
    Ok(answer)
}

fn text(source: &str, target: &str, report: &VerifyReport) -> String {
    let differences = report.differences.len();
    let head = match i64::try_from(differences) {
        Ok(0) => "the replica is what the source is".to_owned(),
        Ok(number) => format!("the replica differs: {}", units::count(number, "difference")),
        Err(_) => "the replica differs".to_owned(),
    };
    let bytes = |count: u64| units::bytes(i64::try_from(count).unwrap_or(i64::MAX));
    let opinion = match &report.second_opinion {
        SecondOpinion::Agrees => "agrees".to_owned(),
        SecondOpinion::Disagrees => "disagrees".to_owned(),
        SecondOpinion::Skipped { reason } => format!("skipped: {reason}"),
    };
    let mut rows = vec![
        ("source", format!("{source}  (version {})", report.source_version)),
        ("target", format!("{target}  (version {})", report.replica_version)),
        ("files", report.files.to_string()),
        ("objects", format!("{}, {}", report.objects, bytes(report.bytes))),
        ("delta-rs", opinion),
    ];
    if let Some(deep) = &report.deep {
        let (source, target) = (bytes(deep.source_bytes_read), bytes(deep.target_bytes_read));
        let read = format!("{source} read at the source, {target} at the target");
        rows.push(("bytes", format!("{} objects compared, {read}", deep.objects)));
        if let Some(sample) = deep.sample {
            rows.push((
                "sample",
                format!(
                    "{} of {} (--seed {})",
                    bytes(deep.bytes),
                    bytes(deep.bytes_total),
                    sample.seed
                ),
            ));
        }
    }
    rows.extend(report.proof.as_ref().map(|proof| ("proof of use", proofs_of_use::text(proof))));
    let mut lines = vec![head, table::pairs(&rows)];
    for found in report.differences.iter().take(SHOWN_MAX) {
        let kind = found.kind.name();
        lines.push(format!("{kind}  {}: {}", visible(&found.subject), visible(&found.detail)));
    }
    if differences > SHOWN_MAX {
        let more = differences - SHOWN_MAX;
        lines.push(format!("… and {more} more: --output json lists them all"));
    }
    lines.join("\n")
}

fn opinion(opinion: &SecondOpinion) -> Opinion<'_> {
    match opinion {
        SecondOpinion::Agrees => Opinion { verdict: "AGREES", reason: None },
        SecondOpinion::Disagrees => Opinion { verdict: "DISAGREES", reason: None },
        SecondOpinion::Skipped { reason } => Opinion { verdict: "SKIPPED", reason: Some(reason) },
    }
}

fn difference(found: &Difference) -> DifferenceObject<'_> {
    let kind = found.kind.name();
    DifferenceObject { kind, subject: &found.subject, detail: &found.detail }
}
