//! The answers of `admin`: what is wrong with a database, its copy, and what was dropped of it; a
//! webhook that was tried.

use std::path::Path;

use deepclone_coordinator::state::file::check::{CheckedFile, RowCounts};
use deepclone_coordinator::state::file::purge::{PurgeMode, PurgedRows};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::visible::one_line;
use serde::Serialize;

use super::{CommandOutput, table, units};

/// Returns the answer of `admin check`, with the exit code of a difference when something is wrong.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn checked(database: &Path, checked: &CheckedFile) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct Object<'a> {
        database: String,
        ok: bool,
        findings: Vec<Found<'a>>,
        live_jobs: u64,
        ended_jobs: u64,
        objects: u64,
        replication_rows: u64,
        audit_entries: u64,
    }
    #[derive(Serialize)]
    struct Found<'a> {
        about: &'a str,
        message: &'a str,
    }
    let CheckedFile { findings, counts, .. } = checked;
    let RowCounts { live_jobs, ended_jobs, objects, replication_rows, audit } = *counts;
    let mut lines: Vec<String> = findings
        .iter()
        .map(|finding| one_line(&format!("{}: {}", finding.about, finding.message)).into_owned())
        .collect();
    let name = database.display();
    lines.push(match findings.is_empty() {
        true => format!(
            "{name} is sound: {live_jobs} live jobs, {ended_jobs} ended jobs, {objects} objects \
             seen, {audit} entries of the audit"
        ),
        false => format!("{name} is damaged: restore a backup, or ask for help"),
    });
    let object = Object {
        database: name.to_string(),
        ok: findings.is_empty(),
        findings: findings
            .iter()
            .map(|finding| Found { about: &finding.about, message: &finding.message })
            .collect(),
        live_jobs,
        ended_jobs,
        objects,
        replication_rows,
        audit_entries: audit,
    };
    let exit = match findings.is_empty() {
        true => 0,
        false => Reason::VerifyDifference.row().exit,
    };
    Ok(CommandOutput { exit, ..CommandOutput::new(lines.join("\n"), &object)? })
}

/// Returns the answer of `admin test-webhook`.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn tried(webhook: &str, receiver: &str) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct Object<'a> {
        webhook: &'a str,
        receiver: &'a str,
    }
    let text = format!("{receiver} has taken a message for {webhook}");
    CommandOutput::new(text, &Object { webhook, receiver })
}

/// Returns the answer of `admin backup`.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn copied(database: &Path, to: &Path, bytes: u64) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct Object {
        database: String,
        file: String,
        bytes: u64,
    }
    let size = units::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
    let (database, file) = (database.display().to_string(), to.display().to_string());
    let text = format!("{database} is copied to {file}: {size}");
    CommandOutput::new(one_line(&text).into_owned(), &Object { database, file, bytes })
}

/// Returns the answer of `admin purge`.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn purged(
    database: &Path,
    rows: &PurgedRows,
    mode: PurgeMode,
) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct Object {
        database: String,
        dry_run: bool,
        facts: u64,
        objects: u64,
        jobs: u64,
        audit_entries: u64,
        usage_months: u64,
    }
    let PurgedRows { facts, objects, jobs, audit, usage } = *rows;
    let what = match mode {
        PurgeMode::DryRun => "would be dropped; nothing was",
        PurgeMode::Drop => "were dropped",
    };
    let counts = [
        ("ended jobs", jobs),
        ("facts of them", facts),
        ("objects seen", objects),
        ("audit entries", audit),
        ("sums of months", usage),
    ];
    let pairs = table::pairs(&counts.map(|(label, count)| (label, count.to_string())));
    let database = database.display().to_string();
    let text = format!("of {} {what}:\n{pairs}", one_line(&database));
    let object = Object {
        database,
        dry_run: mode == PurgeMode::DryRun,
        facts,
        objects,
        jobs,
        audit_entries: audit,
        usage_months: usage,
    };
    CommandOutput::new(text, &object)
}
