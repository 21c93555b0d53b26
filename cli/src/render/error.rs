//! Prints a failure: one line, and a hint if there is one, on stderr, or one JSON object.

use deepclone_common::store::redact::redact;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::visible::{one_line, visible_json};
use serde::Serialize;

use crate::args::OutputFormat;
use crate::client::status::REQUEST;
use crate::render::output;

/// The detail with a hint from the place that failed, which knows more than the reason.
pub const HINT: &str = "hint";

/// Prints a failure on stderr, and on stdout as JSON if asked for. Returns its exit code. Secrets
/// in URIs are removed.
#[must_use]
pub fn report(failure: &Failure, format: OutputFormat) -> u8 {
    let exit = failure.reason.row().exit;
    output::aside(&text(failure));
    if format == OutputFormat::Json {
        // When stdout is closed, the exit code remains.
        drop(output::answer(&json(failure)));
    }
    exit
}

/// Returns `error: …`, then `hint: …` and `request: …` if there are any.
#[must_use]
pub fn text(failure: &Failure) -> String {
    let mut text = format!("error: {}", one_line(&redact(&failure.message)));
    for (word, line) in [("hint", hint(failure)), ("request", request(failure))] {
        if let Some(line) = line {
            text = format!("{text}\n {word}: {}", one_line(&redact(line)));
        }
    }
    text
}

/// Returns `{"error":{"code","reason","message","request_id"}}` with the exit code; the last one is
/// absent when no coordinator answered.
#[must_use]
pub fn json(failure: &Failure) -> String {
    #[derive(Serialize)]
    struct Object<'a> {
        error: Inner<'a>,
    }
    #[derive(Serialize)]
    struct Inner<'a> {
        code: u8,
        reason: &'a str,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
    }
    let row = failure.reason.row();
    let message = redact(&failure.message);
    let (code, reason, request_id) = (row.exit, row.name, request(failure));
    let object = Object { error: Inner { code, reason, message, request_id } };
    visible_json(&serde_json::to_string(&object).unwrap_or_default()).into_owned()
}

/// Returns the id by which an operator finds the coordinator's lines about it.
fn request(failure: &Failure) -> Option<&str> {
    failure.details.get(REQUEST).map(String::as_str)
}

/// Returns what to do next, if the message does not say it.
fn hint(failure: &Failure) -> Option<&str> {
    if let Some(hint) = failure.details.get(HINT) {
        return Some(hint);
    }
    match failure.reason {
        Reason::UnsupportedFeature if failure.details.contains_key("feature") => Some(
            "a feature that changes nothing about files can be carried with --allow-feature NAME",
        ),
        Reason::SourceReplaced => {
            Some("--on-source-replaced reclone starts the replica anew from this source")
        }
        Reason::TargetDiverged => {
            Some("--on-divergence overwrite makes the replica the source's state again")
        }
        Reason::TargetNotOurs => Some("give a target that is empty, or a replica of this source"),
        Reason::PermissionDenied => Some(
            "check the connection in the configuration file, or the variables of the environment \
             (`deepclone clone --help` names them)",
        ),
        Reason::CoordinatorUnavailable => {
            Some("is it running, and is --coordinator (DEEPCLONE_COORDINATOR) its address?")
        }
        Reason::NoWorkers => Some("`deepclone worker list` shows the workers and connections"),
        Reason::TargetBusy => Some("another sync of this target is at work: try again later"),
        _ => None,
    }
}
