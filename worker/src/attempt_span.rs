//! What a trace shows of a worker: one span for each grant, below the span of its task.

use deepclone_common::clock::Clock;
use deepclone_common::store::redact::redact_line;
use deepclone_common::telemetry::span::{EndedSpan, SpanRole, SpanValue};
use deepclone_common::telemetry::spans::Spans;
use deepclone_core::machine::TaskOutcome;
use deepclone_core::task::{Grant, TaskWork};
use deepclone_core::trace::{SpanId, TraceContext};
use deepclone_core::unix_time::UnixTime;
use tokio::time::Instant;

/// Tells of the grants of one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttemptTracer {
    spans: Spans,
    worker: String,
}

/// A grant that is worked on.
#[derive(Debug)]
pub(crate) struct AttemptSpan {
    context: TraceContext,
    task: SpanId,
    began: UnixTime,
    /// Spans last as long as this says, whatever becomes of the time of day.
    began_at: Instant,
    attributes: Vec<(&'static str, SpanValue)>,
}

impl AttemptTracer {
    pub(crate) fn new(spans: Spans, worker: String) -> Self {
        Self { spans, worker }
    }

    /// Begins the span of a grant; `None` where nobody wants it.
    pub(crate) fn begin(&self, grant: &Grant) -> Option<AttemptSpan> {
        let TraceContext { trace, span: task } = grant.trace.filter(|_| self.spans.is_wanted())?;
        let (key, work) = (&grant.key, &grant.spec.work);
        let id: String = key.fingerprint.0[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let attributes = vec![
            ("deepclone.job.id", key.job.to_string().into()),
            ("deepclone.task.id", id.into()),
            ("deepclone.task.attempt", key.attempt.0.into()),
            ("deepclone.task.kind", kind(work).into()),
            ("deepclone.table", grant.spec.target.root.as_str().into()),
            ("deepclone.worker.name", self.worker.as_str().into()),
            ("deepclone.objects.total", work.objects().len().into()),
            ("deepclone.bytes.total", work.bytes().into()),
        ];
        Some(AttemptSpan {
            context: TraceContext { trace, span: SpanId::of_attempt(task, key) },
            task,
            began: UnixTime(Clock::System.now_ms()),
            began_at: Instant::now(),
            attributes,
        })
    }

    /// Ends the span. A grant that is not wanted any more was stopped, and did not fail.
    pub(crate) fn end(&self, span: Option<AttemptSpan>, outcome: &TaskOutcome, is_wanted: bool) {
        let Some(AttemptSpan { context, task, began, began_at, mut attributes }) = span else {
            return;
        };
        let spent = match outcome {
            TaskOutcome::Done(receipt) => receipt.spent(),
            TaskOutcome::Failed(failure) => failure.spent,
        };
        attributes.push(("deepclone.bytes.read", spent.bytes_read.into()));
        attributes.push(("deepclone.bytes.written", spent.bytes_written.into()));
        attributes.push(("deepclone.requests", spent.requests.into()));
        let mut error = None;
        match outcome {
            TaskOutcome::Failed(failure) if is_wanted => {
                attributes.push(("error.type", failure.kind.name().into()));
                error = Some(redact_line(&failure.message));
            }
            TaskOutcome::Failed(_) => attributes.push(("deepclone.outcome", "given_up".into())),
            TaskOutcome::Done(_) => {}
        }
        self.spans.tell(EndedSpan {
            context,
            parent: Some(task),
            name: "attempt",
            role: SpanRole::Server,
            began,
            ended: began.after(began_at.elapsed()),
            attributes,
            events: Vec::new(),
            error,
        });
    }
}

/// What a grant asks for.
fn kind(work: &TaskWork) -> &'static str {
    match work {
        TaskWork::Objects(_) => "objects",
        TaskWork::Open(_) => "open",
        TaskWork::Parts { .. } => "parts",
        TaskWork::Finish { .. } => "finish",
    }
}
