//! The answers of `job create`, `job get`, `job list` and `job cancel`.

use std::collections::BTreeMap;

use deepclone_common::config::ByteRate;
use deepclone_common::store::redact::redact;
use deepclone_core::failure::Failure;
use deepclone_core::job_limits::JobLimits;
use serde::Serialize;
use uuid::Uuid;

use super::cost::{self, SentObject};
use super::proofs::{self, ProofsObject};
use super::{CommandOutput, table, units};
use crate::client::job::{JobInfo, JobProgress, JobStatus};

/// The JSON object of a job, which is the same in every command.
#[derive(Debug, Serialize)]
struct Object<'a> {
    job_id: Uuid,
    state: &'static str,
    source: &'a str,
    target: &'a str,
    mode: &'static str,
    limits: LimitsObject,
    create_time: Option<String>,
    end_time: Option<String>,
    progress: ProgressObject<'a>,
    result: Option<ResultObject>,
    failure: Option<FailureObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<SentObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct LimitsObject {
    bytes_per_second: Option<u64>,
    concurrency: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ProgressObject<'a> {
    source_version: Option<i64>,
    objects_total: i64,
    objects_done: i64,
    bytes_total: i64,
    bytes_copied: i64,
    tasks_total: i32,
    tasks_done: i32,
    workers: i32,
    notices: &'a [String],
}

#[derive(Debug, Serialize)]
struct ResultObject {
    source_version: i64,
    target_version: i64,
    up_to_date: bool,
    proofs: ProofsObject,
}

#[derive(Debug, Serialize)]
struct FailureObject {
    code: u8,
    reason: &'static str,
    message: String,
    details: BTreeMap<String, String>,
}

/// Returns the answer for one job.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn one(job: &JobInfo) -> Result<CommandOutput, Failure> {
    CommandOutput::new(text(job), &object(job))
}

/// Returns the answer for several jobs.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn many(jobs: &[JobInfo]) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct List<'a> {
        jobs: Vec<Object<'a>>,
    }
    let rows: Vec<_> = jobs.iter().map(row).collect();
    let text = match rows.is_empty() {
        true => "no jobs".to_owned(),
        false => table::grid(["JOB", "STATE", "CREATED", ">COST", "SOURCE", "TARGET"], &rows),
    };
    CommandOutput::new(text, &List { jobs: jobs.iter().map(object).collect() })
}

fn object(job: &JobInfo) -> Object<'_> {
    let progress = &job.progress;
    Object {
        job_id: job.id,
        state: job.state.name(),
        source: &job.spec.source.uri,
        target: &job.spec.target.uri,
        mode: job.spec.mode.name(),
        limits: LimitsObject {
            bytes_per_second: job.spec.limits.bytes_per_second,
            concurrency: job.spec.limits.concurrency,
        },
        create_time: job.create_time_ms.and_then(units::time),
        end_time: job.end_time_ms.and_then(units::time),
        progress: ProgressObject {
            source_version: progress.source_version,
            objects_total: progress.objects_total,
            objects_done: progress.objects_done,
            bytes_total: progress.bytes_total,
            bytes_copied: progress.bytes_copied,
            tasks_total: progress.tasks_total,
            tasks_done: progress.tasks_done,
            workers: progress.workers,
            notices: &progress.notices,
        },
        result: match &job.state {
            JobStatus::Succeeded(result) => Some(ResultObject {
                source_version: result.source_version,
                target_version: result.target_version,
                up_to_date: result.up_to_date,
                proofs: result.proofs.into(),
            }),
            _ => None,
        },
        failure: match &job.state {
            JobStatus::Failed(failure) => Some(failure_object(failure)),
            _ => None,
        },
        sent: cost::sent_object(job.sent.as_ref()),
        submitter: job.submitter.as_deref(),
    }
}

fn failure_object(failure: &Failure) -> FailureObject {
    let row = failure.reason.row();
    FailureObject {
        code: row.exit,
        reason: row.name,
        message: redact(&failure.message),
        details: failure.details.iter().map(|(k, v)| (k.clone(), redact(v))).collect(),
    }
}

fn row(job: &JobInfo) -> [String; 6] {
    [
        job.id.to_string(),
        job.state.name().to_owned(),
        job.create_time_ms.and_then(units::time).unwrap_or_default(),
        cost::short(job.sent.as_ref().and_then(|sent| sent.cost.as_ref())),
        job.spec.source.uri.clone(),
        job.spec.target.uri.clone(),
    ]
}

fn text(job: &JobInfo) -> String {
    let mut rows = vec![
        ("job", job.id.to_string()),
        ("state", job.state.name().to_owned()),
        ("source", job.spec.source.uri.clone()),
        ("target", job.spec.target.uri.clone()),
    ];
    rows.extend(limits(job.spec.limits).map(|limits| ("limits", limits)));
    rows.extend(job.create_time_ms.and_then(units::time).map(|time| ("created", time)));
    rows.extend(job.end_time_ms.and_then(units::time).map(|time| ("ended", time)));
    match &job.state {
        JobStatus::Succeeded(result) => {
            let versions = (result.source_version, result.target_version);
            let shows =
                format!("target version {} shows source version {}", versions.1, versions.0);
            rows.push(("result", shows));
            rows.extend(proofs::text(result.proofs).map(|proofs| ("proved", proofs)));
        }
        JobStatus::Failed(failure) => {
            let failed = format!("{} ({})", redact(&failure.message), failure.reason.row().name);
            rows.push(("failure", failed));
        }
        _ => {}
    }
    if job.progress.objects_total > 0 {
        rows.push(("progress", progress(&job.progress)));
    }
    if let Some(sent) = &job.sent {
        rows.push(("sent", cost::sent(sent)));
        rows.extend(sent.cost.as_ref().map(|cost| ("cost", cost::text(cost))));
    }
    rows.extend(job.progress.notices.iter().map(|notice| ("note", notice.clone())));
    table::pairs(&rows)
}

/// Writes limits as `50MiB/s, 64 copies at once`; `None` when there are none.
fn limits(limits: JobLimits) -> Option<String> {
    let rate = limits.bytes_per_second.map(|rate| ByteRate(rate).to_string());
    let copies = limits.concurrency.map(|copies| match copies {
        1 => "1 copy at once".to_owned(),
        copies => format!("{copies} copies at once"),
    });
    let parts: Vec<String> = rate.into_iter().chain(copies).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Writes progress as `3/12 objects, 1.0 MiB of 2.0 MiB, 2 workers`.
fn progress(progress: &JobProgress) -> String {
    format!(
        "{}/{} objects, {} of {}, {}",
        progress.objects_done,
        progress.objects_total,
        units::bytes(progress.bytes_copied),
        units::bytes(progress.bytes_total),
        units::count(i64::from(progress.workers), "worker"),
    )
}
