//! The queue of events: whoever tells of a moment never waits for its receiver.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
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

/// The names of the two kinds of sinks, in metrics.
const FILE: &str = "file";
const HTTP: &str = "http";

/// Takes moments, and has their events sent; cheap to clone. The default takes none.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    sinks: Arc<RwLock<LineageSinks>>,
    /// Bytes of schemas in what waits.
    waiting_bytes: Arc<AtomicUsize>,
}

/// What takes events, ready to.
#[derive(Debug, Default)]
pub struct LineageSinks {
    target: Option<LineageTarget>,
    queues: Vec<Arc<SinkQueue>>,
}

#[derive(Debug)]
struct SinkQueue {
    name: &'static str,
    sender: mpsc::Sender<Waiting>,
    events: Counters,
    has_dropped: AtomicBool,
}

impl SinkQueue {
    fn new(name: &'static str, events: &Counters) -> (Arc<Self>, mpsc::Receiver<Waiting>) {
        let (sender, waiting) = mpsc::channel(LINEAGE_EVENTS_WAITING_MAX);
        let (events, has_dropped) = (events.clone(), AtomicBool::new(false));
        (Arc::new(Self { name, sender, events, has_dropped }), waiting)
    }
}

impl Lineage {
    /// Starts what sends events to `target`. It ends when the last clone is dropped.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the file cannot be written, or the client cannot be made.
    pub fn start(target: Option<LineageTarget>, events: &Counters) -> Result<Self, Failure> {
        let lineage = Self::default();
        lineage.replace(lineage.prepare(target, events)?);
        Ok(lineage)
    }

    /// Makes ready what sends events to `target`. A file is opened again, for it may have been
    /// moved away; an address that stays keeps its queue, and so its order.
    ///
    /// # Errors
    /// As [`Lineage::start`].
    pub fn prepare(
        &self,
        target: Option<LineageTarget>,
        events: &Counters,
    ) -> Result<LineageSinks, Failure> {
        let invalid =
            |what: String| Failure::new(Reason::InvalidArgument, format!("lineage: {what}"));
        let mut queues = Vec::new();
        if let Some(LineageTarget { namespace, file: Some(path), .. }) = &target {
            let sink = FileSink::open(path, namespace, events)
                .map_err(|error| invalid(format!("file {}: {error}", path.display())))?;
            let (queue, waiting) = SinkQueue::new(FILE, events);
            tokio::spawn(serve_file(sink, waiting));
            queues.push(queue);
        }
        if let Some(wanted @ LineageTarget { namespace, address: Some((address, key)), .. }) =
            &target
        {
            match self.sinks().queue_of_address(wanted) {
                Some(same) => queues.push(same),
                None => {
                    let poster = Poster::new(address.clone()).map_err(invalid)?;
                    let sink = HttpSink::new(poster, key.as_ref(), namespace, events);
                    let (queue, waiting) = SinkQueue::new(HTTP, events);
                    tokio::spawn(serve_http(sink, waiting));
                    queues.push(queue);
                }
            }
        }
        Ok(LineageSinks { target, queues })
    }

    /// Sends events to these from now on. What waits for those of before is still sent. Returns
    /// whether they are others.
    pub fn replace(&self, next: LineageSinks) -> bool {
        let mut sinks = self.sinks.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = sinks.target != next.target;
        *sinks = next;
        is_other
    }

    fn sinks(&self) -> RwLockReadGuard<'_, LineageSinks> {
        self.sinks.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether anybody takes events.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.sinks().queues.is_empty()
    }

    /// Has the event of a moment sent. One for which there is no room is counted and dropped.
    pub fn tell(&self, moment: LineageMoment) {
        if !self.is_wanted() {
            return;
        }
        let moment = Arc::new(WaitingMoment::new(moment, &self.waiting_bytes));
        for sink in &self.sinks().queues {
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
        let queues = self.sinks().queues.clone();
        let drained = async {
            for sink in &queues {
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

impl LineageSinks {
    /// Returns the queue of the same address, in the same namespace and with the same key.
    fn queue_of_address(&self, wanted: &LineageTarget) -> Option<Arc<SinkQueue>> {
        let now = self.target.as_ref()?;
        let is_same = now.namespace == wanted.namespace && now.address == wanted.address;
        let queue = self.queues.iter().find(|queue| queue.name == HTTP)?;
        is_same.then(|| Arc::clone(queue))
    }
}
