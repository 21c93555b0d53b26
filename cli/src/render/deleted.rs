//! The answer of `deleted`: of each replica, when a deletion arrived, and what is left.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::visible::visible;
use deepclone_delta::deletion::{DeletionArrival, DeletionProof, DeletionVerdict, KeysLeft};
use serde::Serialize;

use super::vacuum::{bytes, count};
use super::{CommandOutput, table, units};

/// The most keys of one kind that the text lists.
const SHOWN_MAX: usize = 5;

/// A replica's URI, and what was found of it.
type Found = (String, Result<DeletionProof, Failure>);

#[derive(Debug, Serialize)]
struct Object<'a> {
    before_time: Option<String>,
    time: Option<String>,
    gone: bool,
    replicas: Vec<Replica<'a>>,
}

#[derive(Debug, Serialize)]
struct Replica<'a> {
    target: &'a str,
    verdict: &'static str,
    gone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureObject<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    proof: Option<Proof<'a>>,
}

#[derive(Debug, Serialize)]
struct FailureObject<'a> {
    reason: &'static str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct Proof<'a> {
    target_version: u64,
    source: Option<&'a str>,
    newest_source_time: Option<String>,
    arrived: Option<Arrived>,
    removed: Left<'a>,
    unreferenced: Left<'a>,
    hidden_rows: u64,
    hidden: Left<'a>,
    readable: Option<Readable>,
    notices: &'a [String],
}

#[derive(Debug, Serialize)]
struct Arrived {
    target_version: u64,
    time: Option<String>,
    source_version: u64,
    source_time: Option<String>,
    job_id: String,
    is_first: bool,
}

#[derive(Debug, Serialize)]
struct Left<'a> {
    objects: u64,
    bytes: u64,
    keys: &'a [String],
}

#[derive(Debug, Serialize)]
struct Readable {
    first_version: u64,
    last_version: u64,
    versions: u64,
    until_time: Option<String>,
}

/// Returns the answer. Its exit code is that of the first replica that could not be judged, else 6
/// when one of them still holds something.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(before_ms: i64, now_ms: i64, found: &[Found]) -> Result<CommandOutput, Failure> {
    let replicas: Vec<Replica<'_>> = found.iter().map(replica).collect();
    let gone = replicas.iter().all(|replica| replica.gone);
    let texts: Vec<String> = found.iter().map(text).collect();
    let failed = found.iter().find_map(|(_, proof)| proof.as_ref().err());
    let time = |ms| units::time(ms);
    let object = Object { before_time: time(before_ms), time: time(now_ms), gone, replicas };
    let mut answer = CommandOutput::new(texts.join("\n\n"), &object)?;
    answer.exit = match failed {
        Some(failure) => failure.reason.row().exit,
        None if gone => 0,
        None => Reason::VerifyDifference.row().exit,
    };
    Ok(answer)
}

fn replica((target, proof): &Found) -> Replica<'_> {
    match proof {
        Err(failure) => Replica {
            target,
            verdict: "FAILED",
            gone: false,
            failure: Some(FailureObject {
                reason: failure.reason.row().name,
                message: &failure.message,
            }),
            proof: None,
        },
        Ok(proof) => Replica {
            target,
            verdict: verdict_name(proof.verdict()),
            gone: proof.verdict() == DeletionVerdict::Gone,
            failure: None,
            proof: Some(object(proof)),
        },
    }
}

fn object(proof: &DeletionProof) -> Proof<'_> {
    let newest = proof.newest.as_ref();
    Proof {
        target_version: proof.version,
        source: newest.map(|record| record.source_uri.as_str()),
        newest_source_time: newest.and_then(|record| units::time(record.source_commit_ms)),
        arrived: proof.arrived.as_ref().map(arrived),
        removed: left(&proof.removed),
        unreferenced: left(&proof.unreferenced),
        hidden_rows: proof.hidden.rows,
        hidden: left(&proof.hidden.files),
        readable: proof.readable.map(|found| Readable {
            first_version: found.first,
            last_version: found.last,
            versions: found.versions,
            until_time: found.until_ms.and_then(units::time),
        }),
        notices: &proof.notices,
    }
}

fn arrived(found: &DeletionArrival) -> Arrived {
    let DeletionArrival { record, is_first } = found;
    Arrived {
        target_version: record.version,
        time: units::time(record.timestamp_ms),
        source_version: record.source_version,
        source_time: units::time(record.source_commit_ms),
        job_id: record.sync_id.to_string(),
        is_first: *is_first,
    }
}

fn left(left: &KeysLeft) -> Left<'_> {
    Left { objects: left.objects, bytes: left.bytes, keys: &left.keys }
}

fn text((target, proof): &Found) -> String {
    match proof {
        Err(failure) => format!("FAILED  {}\n  {failure}", visible(target)),
        Ok(proof) => proof_text(target, proof),
    }
}

fn proof_text(target: &str, proof: &DeletionProof) -> String {
    let name = verdict_name(proof.verdict());
    let head = format!("{name}  {}  (version {})", visible(target), proof.version);
    let mut rows = vec![("arrived", arrival_text(proof))];
    if proof.arrived.is_some() {
        rows.push(("readable", readable_text(proof)));
        let (hidden, files) = (proof.hidden.rows, proof.hidden.files.objects);
        rows.push(("removed", left_text(&proof.removed)));
        rows.push(("unreferenced", left_text(&proof.unreferenced)));
        rows.push((
            "hidden rows",
            match hidden {
                0 => "none".to_owned(),
                _ => format!(
                    "{} behind deletion vectors in {}: they go when the source rewrites its files",
                    count(hidden, "row"),
                    count(files, "file")
                ),
            },
        ));
    }
    let mut lines = vec![head, table::pairs(&rows)];
    for (kind, left) in [("removed", &proof.removed), ("unreferenced", &proof.unreferenced)] {
        for key in left.keys.iter().take(SHOWN_MAX) {
            lines.push(format!("  {kind}: {}", visible(key)));
        }
    }
    lines.extend(proof.notices.iter().map(|notice| format!("  note: {}", visible(notice))));
    lines.join("\n")
}

fn arrival_text(proof: &DeletionProof) -> String {
    let time = |ms| units::time(ms).unwrap_or_default();
    match (&proof.arrived, &proof.newest) {
        (Some(DeletionArrival { record, is_first }), _) => format!(
            "{}with version {}, {} (source version {} of {})",
            if *is_first { "" } else { "at the latest " },
            record.version,
            time(record.timestamp_ms),
            record.source_version,
            time(record.source_commit_ms),
        ),
        (None, Some(newest)) => format!(
            "not known: the newest sync holds source version {} of {}; if the source has committed \
             nothing since, --source tells",
            newest.source_version,
            time(newest.source_commit_ms),
        ),
        (None, None) => "not known: the log records no sync".to_owned(),
    }
}

fn readable_text(proof: &DeletionProof) -> String {
    match proof.readable {
        None => "no version before".to_owned(),
        Some(found) => format!(
            "{} before, from {} to {}; kept until {}",
            count(found.versions, "version"),
            found.first,
            found.last,
            found
                .until_ms
                .and_then(units::time)
                .unwrap_or_else(|| { "the source rewrites the files with hidden rows".to_owned() }),
        ),
    }
}

fn left_text(left: &KeysLeft) -> String {
    match left.objects {
        0 => "none".to_owned(),
        objects => format!("{}, {}", count(objects, "object"), bytes(left.bytes)),
    }
}

fn verdict_name(verdict: DeletionVerdict) -> &'static str {
    match verdict {
        DeletionVerdict::NotArrived => "NOT_ARRIVED",
        DeletionVerdict::Diverged => "DIVERGED",
        DeletionVerdict::Readable => "READABLE",
        DeletionVerdict::BytesLeft => "BYTES_LEFT",
        DeletionVerdict::Gone => "GONE",
    }
}
