//! The queue of events: whoever tells of a moment never waits for its receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use deepclone_common::lineage_settings::LineageTarget;
use deepclone_common::metrics::labelled::Counters;
use deepclone_common::post::Poster;
use deepclone_core::failure::Failure;
use deepclone_core::limits::LINEAGE_EVENTS_WAITING_MAX;
use deepclone_core::reason::Reason;
use tokio::sync::{mpsc, oneshot};

use super::moment::LineageMoment;
use super::sink::{FileSink, HttpSink, Waiting, serve_file, serve_http};
use super::waiting::WaitingMoment;

/// Takes moments, and has their events sent; cheap to clone. The default takes none.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    sinks: Arc<Vec<SinkQueue>>,
    /// Bytes of schemas in what waits.
    waiting_bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct SinkQueue {
    name: &'static str,
    sender: mpsc::Sender<Waiting>,
    events: Counters,
    has_dropped: AtomicBool,
}

impl Lineage {
    /// Starts what sends events to `target`. It ends when the last clone is dropped.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the file cannot be written, or the client cannot be made.
    pub fn start(target: Option<LineageTarget>, events: &Counters) -> Result<Self, Failure> {
        let Some(LineageTarget { namespace, address, file }) = target else {
            return Ok(Self::default());
        };
        let invalid =
            |what: String| Failure::new(Reason::InvalidArgument, format!("lineage: {what}"));
        let mut sinks = Vec::new();
        let mut queue = |name: &'static str| {
            let (sender, waiting) = mpsc::channel(LINEAGE_EVENTS_WAITING_MAX);
            let has_dropped = AtomicBool::new(false);
            sinks.push(SinkQueue { name, sender, events: events.clone(), has_dropped });
            waiting
        };
        if let Some(path) = file {
            let sink = FileSink::open(&path, &namespace, events)
                .map_err(|error| invalid(format!("file {}: {error}", path.display())))?;
            tokio::spawn(serve_file(sink, queue("file")));
        }
        if let Some((address, key)) = address {
            let poster = Poster::new(address).map_err(invalid)?;
            let sink = HttpSink::new(poster, key.as_ref(), &namespace, events);
            tokio::spawn(serve_http(sink, queue("http")));
        }
        Ok(Self { sinks: Arc::new(sinks), waiting_bytes: Arc::default() })
    }

    /// Returns whether anybody takes events.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.sinks.is_empty()
    }

    /// Has the event of a moment sent. One for which there is no room is counted and dropped.
    pub fn tell(&self, moment: LineageMoment) {
        if !self.is_wanted() {
            return;
        }
        let moment = Arc::new(WaitingMoment::new(moment, &self.waiting_bytes));
        for sink in &*self.sinks {
            if sink.sender.try_send(Waiting::Event(Arc::clone(&moment))).is_ok() {
                continue;
            }
            sink.events.with(&[sink.name, "dropped"]).inc();
            if !sink.has_dropped.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    sink = sink.name,
                    waiting = LINEAGE_EVENTS_WAITING_MAX,
                    "events of lineage are dropped: too many wait for their receiver"
                );
            }
        }
    }

    /// Waits until all that was told before is sent or given up, for `most` at the longest.
    pub async fn drain(&self, most: Duration) {
        let drained = async {
            for sink in &*self.sinks {
                let (done, is_done) = oneshot::channel();
                if sink.sender.send(Waiting::Drained(done)).await.is_ok() {
                    let _gone = is_done.await;
                }
            }
        };
        if tokio::time::timeout(most, drained).await.is_err() {
            tracing::warn!("stopping although some events of lineage are not sent");
        }
    }
}
