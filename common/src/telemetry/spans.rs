//! The queue of spans: whoever tells of one never waits for the collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::limits::{SPANS_PER_REQUEST_MAX, SPANS_WAITING_MAX};
use deepclone_core::reason::Reason;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::otlp::OtlpExporter;
use super::span::EndedSpan;
use crate::metrics::catalog::Catalog;
use crate::metrics::labelled::Counters;
use crate::post::{PostError, pause_after};
use crate::telemetry_settings::OtlpTarget;

/// How long a span waits for others that are sent with it.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Attempts at one request before its spans are given up: four seconds of pauses.
const ATTEMPTS_MAX: u32 = 4;

/// Takes spans, and has them sent; cheap to clone. The default takes none.
#[derive(Clone, Debug, Default)]
pub struct Spans(Option<Arc<SpanQueue>>);

#[derive(Debug)]
struct SpanQueue {
    sender: mpsc::Sender<WaitingSpan>,
    outcomes: Counters,
    has_dropped: AtomicBool,
}

/// What waits for the collector.
enum WaitingSpan {
    Ended(Box<EndedSpan>),
    /// Answered once all before it is sent or given up.
    Drained(oneshot::Sender<()>),
}

/// Spans that are sent together, and who waits for them.
#[derive(Default)]
struct SpanBatch {
    spans: Vec<EndedSpan>,
    waiting: Vec<oneshot::Sender<()>>,
}

/// Makes the counters of spans.
#[must_use]
pub fn span_counters(catalog: &mut Catalog) -> Counters {
    catalog.counters(
        "deepclone_trace_spans_total",
        &["outcome"],
        "Spans of traces by what became of them: sent, failed after all attempts, or dropped \
         because too many waited",
    )
}

impl Spans {
    /// Starts what sends spans to `target`, as those of a `service` (`deepclone-worker`). It ends
    /// when the last clone is dropped. Needs a runtime.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the client cannot be made.
    pub fn start(
        target: Option<OtlpTarget>,
        service: &'static str,
        outcomes: &Counters,
    ) -> Result<Self, Failure> {
        let Some(target) = target else { return Ok(Self::default()) };
        let exporter = OtlpExporter::new(target, service).map_err(|what| {
            Failure::new(Reason::InvalidArgument, format!("telemetry.otlp: {what}"))
        })?;
        let (sender, waiting) = mpsc::channel(SPANS_WAITING_MAX);
        let (outcomes, has_dropped) = (outcomes.clone(), AtomicBool::new(false));
        outcomes.with(&["sent"]).inc_by(0);
        tokio::spawn(serve(exporter, waiting, outcomes.clone()));
        Ok(Self(Some(Arc::new(SpanQueue { sender, outcomes, has_dropped }))))
    }

    /// Returns whether anybody takes spans.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Has a span sent. One for which there is no room is counted and dropped.
    pub fn tell(&self, span: EndedSpan) {
        let Some(queue) = &self.0 else { return };
        if queue.sender.try_send(WaitingSpan::Ended(Box::new(span))).is_err() {
            self.drop_one();
        }
    }

    /// Counts a span for which there was no room, and says so once.
    pub fn drop_one(&self) {
        let Some(queue) = &self.0 else { return };
        queue.outcomes.with(&["dropped"]).inc();
        if !queue.has_dropped.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                waiting = SPANS_WAITING_MAX,
                "spans of traces are dropped: too many wait for their collector"
            );
        }
    }

    /// Waits until all that was told before is sent or given up, for `most` at the longest.
    pub async fn drain(&self, most: Duration) {
        let Some(queue) = &self.0 else { return };
        let drained = async {
            let (done, is_done) = oneshot::channel();
            if queue.sender.send(WaitingSpan::Drained(done)).await.is_ok() {
                let _gone = is_done.await;
            }
        };
        if tokio::time::timeout(most, drained).await.is_err() {
            tracing::warn!("stopping although some spans of traces are not sent");
        }
    }
}

async fn serve(
    mut exporter: OtlpExporter,
    mut waiting: mpsc::Receiver<WaitingSpan>,
    outcomes: Counters,
) {
    let mut fails = false;
    while let Some(SpanBatch { spans, waiting }) = batch(&mut waiting).await {
        let count = spans.len() as u64;
        if count > 0 {
            match send(&mut exporter, &spans).await {
                Ok(()) => {
                    outcomes.with(&["sent"]).inc_by(count);
                    if std::mem::replace(&mut fails, false) {
                        tracing::info!("spans of traces are taken again");
                    }
                }
                Err(error) => {
                    outcomes.with(&["failed"]).inc_by(count);
                    if !std::mem::replace(&mut fails, true) {
                        let collector = exporter.address();
                        tracing::warn!(%collector, %error, "spans of traces are not taken");
                    }
                }
            }
        }
        for done in waiting {
            let _gone = done.send(());
        }
    }
}

/// Collects what is sent at once. `None` when nobody tells of spans any more.
async fn batch(waiting: &mut mpsc::Receiver<WaitingSpan>) -> Option<SpanBatch> {
    let mut batch = SpanBatch::default();
    let mut next = Some(waiting.recv().await?);
    let until = Instant::now() + WAIT_MAX;
    while let Some(found) = next {
        match found {
            WaitingSpan::Ended(span) => batch.spans.push(*span),
            // Whoever stops waits for no others.
            WaitingSpan::Drained(done) => {
                batch.waiting.push(done);
                break;
            }
        }
        if batch.spans.len() >= SPANS_PER_REQUEST_MAX {
            break;
        }
        next = tokio::time::timeout_at(until, waiting.recv()).await.ok().flatten();
    }
    Some(batch)
}

async fn send(exporter: &mut OtlpExporter, spans: &[EndedSpan]) -> Result<(), PostError> {
    for attempt in 1.. {
        let error = match exporter.export(spans).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if matches!(error, PostError::Refused(_)) || attempt == ATTEMPTS_MAX {
            return Err(error);
        }
        tokio::time::sleep(pause_after(attempt)).await;
    }
    Ok(())
}
