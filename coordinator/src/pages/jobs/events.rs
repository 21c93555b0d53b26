//! The figures of a job as they change: a `text/event-stream` for the script of its page.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::limits::PAGE_STREAMS_MAX;
use deepclone_core::machine::Moment;
use deepclone_core::reason::Reason;
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::figures::{done, figures};
use super::keeper::zone_of;
use super::state;
use crate::driver::snapshot::JobSnapshot;
use crate::flow::ByteFlow;
use crate::pages::clock::PageClock;
use crate::pages::data::PageData;

/// The least time between two events.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often something is sent, so that a browser that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bounds the streams that are open.
#[derive(Clone, Debug)]
pub(in crate::pages) struct JobStreams(Arc<Semaphore>);

impl Default for JobStreams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PAGE_STREAMS_MAX)))
    }
}

/// What is sent next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Now,
    AtAChange,
    End,
    Nothing,
}

/// A stream that follows a job.
struct Following {
    changes: watch::Receiver<Arc<JobSnapshot>>,
    data: Arc<dyn PageData>,
    zone: String,
    flow: ByteFlow,
    began: Instant,
    sent: Instant,
    next: Next,
    _turn: OwnedSemaphorePermit,
}

/// Returns the figures of a job as a stream: as they are, then at each change but at most once a
/// second, and `end` after those of its end.
///
/// # Errors
/// There is no such job, or too many streams are open.
pub(in crate::pages) async fn events(
    data: Arc<dyn PageData>,
    streams: &JobStreams,
    job: JobId,
) -> Result<Response, Failure> {
    let turn = Arc::clone(&streams.0).try_acquire_owned().map_err(|_| {
        let message = format!("{PAGE_STREAMS_MAX} pages are kept up to date already");
        Failure::new(Reason::Overloaded, message)
    })?;
    let (fleet, changes) = (data.fleet().await?, data.watch(job).await?);
    let zone = zone_of(&changes.borrow().job_spec, &fleet).to_owned();
    let (flow, began, next) = (ByteFlow::default(), Instant::now(), Next::Now);
    let following = Following { changes, data, zone, flow, began, sent: began, next, _turn: turn };
    let events = stream::unfold(following, |following| async {
        let (event, following) = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

impl Following {
    /// `None` at its end, or when the coordinator stops: a browser asks again after that.
    async fn next(mut self) -> Option<(Event, Self)> {
        match self.next {
            Next::Now => {}
            Next::AtAChange => {
                self.changes.changed().await.ok()?;
                tokio::time::sleep_until(self.sent + INTERVAL).await;
            }
            Next::End => {
                self.next = Next::Nothing;
                return Some((Event::default().event("end").data("over"), self));
            }
            Next::Nothing => return None,
        }
        let job = Arc::clone(&self.changes.borrow_and_update());
        self.sent = Instant::now();
        self.next = if job.state.is_final() { Next::End } else { Next::AtAChange };
        let event = self.event(&job);
        Some((event, self))
    }

    fn event(&mut self, job: &JobSnapshot) -> Event {
        let ms = self.began.elapsed().as_millis();
        let moment = Moment(u64::try_from(ms).unwrap_or(u64::MAX));
        self.flow.note(done(job), moment);
        let clock = PageClock::new(&self.zone, self.data.now());
        let shown = figures(job, self.flow.bytes_per_second(moment), &clock);
        let now = serde_json::json!({
            "state": state::sentence(job),
            "figures": shown.into_string(),
        });
        Event::default().data(now.to_string())
    }
}
