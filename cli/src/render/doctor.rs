//! The answer of `doctor`: what was found at a connection.

use deepclone_common::checkup::check::{Check, CheckVerdict};
use deepclone_common::checkup::{Checkup, CheckupAccess};
use deepclone_common::store::redact::redact;
use deepclone_common::store::uploads::OpenUpload;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::Serialize;

use super::{CommandOutput, table, units};

#[derive(Debug, Serialize)]
struct Object<'a> {
    target: &'a str,
    fit: bool,
    read_only: bool,
    checks: Vec<Checked<'a>>,
    notices: &'a [String],
    open_uploads: Option<Vec<Upload<'a>>>,
    aborted: usize,
}

#[derive(Debug, Serialize)]
struct Checked<'a> {
    name: &'a str,
    verdict: &'a str,
    reason: Option<&'a str>,
    message: String,
    advice: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Upload<'a> {
    key: &'a str,
    id: &'a str,
    begun_time: Option<String>,
    aborted: bool,
}

/// Returns the answer of a checkup. Its exit code is that of the first check that failed.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(
    uri: &str,
    access: CheckupAccess,
    checkup: &Checkup,
    aborted: &[String],
) -> Result<CommandOutput, Failure> {
    let rows: Vec<[String; 3]> = checkup.checks.iter().map(check_row).collect();
    let mut lines = vec![table::grid(["CHECK", "", "FOUND"], &rows), String::new()];
    lines.extend(checkup.checks.iter().filter_map(|check| {
        let Check { name, advice, .. } = check;
        (!advice.is_empty()).then(|| format!("{name}: {advice}"))
    }));
    lines.extend(checkup.notices.iter().map(|notice| format!("note: {notice}")));
    let uploads = checkup.open_uploads.as_deref();
    let uploads = uploads.map(|uploads| uploads.iter().map(|one| upload(one, aborted)));
    let uploads: Option<Vec<Upload>> = uploads.map(Iterator::collect);
    if let Some(uploads) = uploads.as_ref().filter(|uploads| !uploads.is_empty()) {
        let rows: Vec<[String; 4]> = uploads.iter().map(row).collect();
        lines.push(table::grid(["KEY", "BEGUN", "ID", "ABORTED"], &rows));
        lines.push(format!("{} uploads were left open", uploads.len()));
    }
    let failed = checkup.checks.iter().find_map(failed_of);
    lines.push(match (failed, access) {
        (Some(_), _) => format!("{uri} is not fit for syncs: see above"),
        (None, CheckupAccess::Write) => format!("{uri} can hold replicas"),
        (None, CheckupAccess::ReadOnly) => format!("{uri} can be read; nothing was written"),
    });
    let object = Object {
        target: uri,
        fit: checkup.is_fit(),
        read_only: access == CheckupAccess::ReadOnly,
        checks: checkup.checks.iter().map(checked).collect(),
        notices: &checkup.notices,
        open_uploads: uploads,
        aborted: aborted.len(),
    };
    let exit = failed.map_or(0, |reason| reason.row().exit);
    Ok(CommandOutput { exit, ..CommandOutput::new(lines.join("\n"), &object)? })
}

fn failed_of(check: &Check) -> Option<Reason> {
    match check.verdict {
        CheckVerdict::Failed(reason) => Some(reason),
        CheckVerdict::Ok | CheckVerdict::Warn | CheckVerdict::Skipped => None,
    }
}

/// Messages may quote an error with a URI.
fn checked(check: &Check) -> Checked<'_> {
    Checked {
        name: check.name,
        verdict: check.verdict.word(),
        reason: failed_of(check).map(|reason| reason.row().name),
        message: redact(&check.message),
        advice: Some(check.advice).filter(|advice| !advice.is_empty()),
    }
}

fn check_row(check: &Check) -> [String; 3] {
    let message = redact(&check.message);
    [check.name.to_owned(), check.verdict.word().to_owned(), message]
}

fn upload<'a>(upload: &'a OpenUpload, aborted: &[String]) -> Upload<'a> {
    Upload {
        key: upload.path.as_ref(),
        id: &upload.id,
        begun_time: upload.begun_ms.and_then(units::time),
        aborted: aborted.contains(&upload.id),
    }
}

fn row(upload: &Upload<'_>) -> [String; 4] {
    let begun = upload.begun_time.clone().unwrap_or_default();
    let aborted = if upload.aborted { "yes" } else { "no" };
    [upload.key.to_owned(), begun, upload.id.to_owned(), aborted.to_owned()]
}
