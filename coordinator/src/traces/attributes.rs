//! The names of what spans say, and what may be said of tables and errors. The one name of
//! OpenTelemetry's conventions is `error.type`; nothing of theirs is about tables or copies.

use deepclone_common::store::redact::{redact_line, without_credentials};
use deepclone_common::telemetry::span::SpanValue;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{JobId, TaskFingerprint};
use deepclone_core::machine::{End, Progress};
use deepclone_core::receipt::{Receipt, TaskFailure};

use crate::state::JobSpec;

/// The kind of what went wrong, of which there are few.
pub(super) const ERROR_TYPE: &str = "error.type";
/// The longest error that is told.
const ERROR_CHARS_MAX: usize = 1_000;

/// Attributes of one span.
pub(super) type SpanAttributes = Vec<(&'static str, SpanValue)>;

pub(super) fn of_job(job: JobId) -> SpanAttributes {
    vec![("deepclone.job.id", job.to_string().into())]
}

/// What was asked for.
pub(super) fn of_spec(job_spec: &JobSpec) -> SpanAttributes {
    let mut found: SpanAttributes = vec![
        ("deepclone.table", job_spec.target.root.as_str().into()),
        ("deepclone.source.uri", without_credentials(&job_spec.source.uri).into()),
        ("deepclone.target.uri", without_credentials(&job_spec.target.uri).into()),
    ];
    if let Some(origin) = &job_spec.origin {
        found.push(("deepclone.replication.name", origin.replication.as_str().into()));
        let round = origin.round.map(|round| ("deepclone.replication.round", round.number.into()));
        found.extend(round);
    }
    found
}

/// How far a sync was, and what it took.
pub(super) fn of_progress(progress: &Progress) -> SpanAttributes {
    vec![
        ("deepclone.task.count", progress.tasks_total.into()),
        ("deepclone.task.attempts", progress.attempts.into()),
        ("deepclone.objects.total", progress.objects_total.into()),
        ("deepclone.objects.copied", progress.objects_copied.into()),
        ("deepclone.objects.skipped", progress.objects_skipped.into()),
        ("deepclone.bytes.total", progress.bytes_total.into()),
        ("deepclone.bytes.read", progress.bytes_read.into()),
        ("deepclone.bytes.written", progress.bytes_written.into()),
        ("deepclone.worker.count", progress.workers_used.into()),
    ]
}

/// What there is to copy.
pub(super) fn of_plan(progress: &Progress) -> SpanAttributes {
    vec![
        ("deepclone.task.count", progress.tasks_total.into()),
        ("deepclone.objects.total", progress.objects_total.into()),
        ("deepclone.bytes.total", progress.bytes_total.into()),
    ]
}

/// How a sync ended.
pub(super) fn of_end(end: &End) -> SpanAttributes {
    match end {
        End::Succeeded { source_version, replica_version, up_to_date } => vec![
            ("deepclone.outcome", if *up_to_date { "up_to_date" } else { "succeeded" }.into()),
            ("deepclone.source.version", (*source_version).into()),
            ("deepclone.replica.version", (*replica_version).into()),
        ],
        End::Failed(failure) => vec![
            ("deepclone.outcome", "failed".into()),
            (ERROR_TYPE, failure.reason.row().name.into()),
        ],
        End::Cancelled => vec![("deepclone.outcome", "cancelled".into())],
    }
}

pub(super) fn of_task(job: JobId, task: TaskFingerprint) -> SpanAttributes {
    let id: String = task.0[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    vec![("deepclone.job.id", job.to_string().into()), ("deepclone.task.id", id.into())]
}

pub(super) fn of_receipt(receipt: &Receipt) -> SpanAttributes {
    vec![
        ("deepclone.worker.name", receipt.worker.as_str().into()),
        ("deepclone.objects.total", receipt.objects.len().into()),
        ("deepclone.bytes.read", receipt.bytes_read.into()),
        ("deepclone.bytes.written", receipt.bytes_written.into()),
        ("deepclone.requests", receipt.requests.into()),
    ]
}

/// An attempt that failed.
pub(super) fn of_failure(attempt: u32, worker: &str, failure: &TaskFailure) -> SpanAttributes {
    vec![
        ("deepclone.task.attempt", attempt.into()),
        ("deepclone.worker.name", worker.into()),
        (ERROR_TYPE, failure.kind.name().into()),
        ("error.message", told(&failure.message).into()),
    ]
}

pub(super) fn failure_text(failure: &Failure) -> String {
    format!("{}: {}", failure.reason.row().name, told(&failure.message))
}

/// Returns a text in one line without secrets and queries.
pub(super) fn told(text: &str) -> String {
    redact_line(text).chars().take(ERROR_CHARS_MAX).collect()
}
