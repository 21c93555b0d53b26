//! What takes events: an address, tried again for a while, and a file of JSON lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use deepclone_common::metrics::labelled::Counters;
use deepclone_common::post::{PostError, Poster, pause_after};
use deepclone_common::secret::Secret;
use tokio::sync::{mpsc, oneshot};

use super::event::run_event;
use super::moment::LineageMoment;
use super::waiting::WaitingMoment;

/// Attempts at one event before it is given up: half a minute of pauses.
const ATTEMPTS_MAX: u32 = 7;

/// What waits for a sink.
#[derive(Debug)]
pub(super) enum Waiting {
    Event(Arc<WaitingMoment>),
    /// Answered once all before it is sent or given up.
    Drained(oneshot::Sender<()>),
}

/// A file that events are added to.
pub(super) struct FileSink {
    file: File,
    namespace: String,
    events: Counters,
    fails: bool,
}

/// An address that events are sent to.
pub(super) struct HttpSink {
    poster: Poster,
    headers: Vec<(&'static str, Secret)>,
    namespace: String,
    events: Counters,
    fails: bool,
}

impl FileSink {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path, namespace: &str, events: &Counters) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (namespace, events) = (namespace.to_owned(), events.clone());
        let new = Self { file, namespace, events, fails: false };
        new.count("sent", 0);
        Ok(new)
    }

    /// Adds a line in one write, so that lines of several processes do not mix.
    fn add(&mut self, moment: &LineageMoment) {
        let line = format!("{}\n", run_event(&self.namespace, moment));
        match self.file.write_all(line.as_bytes()) {
            Ok(()) => {
                self.count("sent", 1);
                self.fails = false;
            }
            Err(error) => {
                self.count("failed", 1);
                if !std::mem::replace(&mut self.fails, true) {
                    tracing::warn!(%error, "events of lineage cannot be added to their file");
                }
            }
        }
    }

    fn count(&self, outcome: &str, count: u64) {
        self.events.with(&["file", outcome]).inc_by(count);
    }
}

impl HttpSink {
    pub(super) fn new(
        poster: Poster,
        key: Option<&Secret>,
        namespace: &str,
        events: &Counters,
    ) -> Self {
        let bearer = |key: &Secret| Secret::new(format!("Bearer {}", key.expose()));
        let headers = key.map(|key| ("authorization", bearer(key))).into_iter().collect();
        let (namespace, events) = (namespace.to_owned(), events.clone());
        let new = Self { poster, headers, namespace, events, fails: false };
        new.count("sent", 0);
        new
    }

    async fn send(&mut self, moment: &LineageMoment) {
        let body = run_event(&self.namespace, moment).to_string();
        for attempt in 1..=ATTEMPTS_MAX {
            let error = match self.poster.post(&self.headers, body.clone()).await {
                Ok(()) => {
                    self.count("sent", 1);
                    if std::mem::replace(&mut self.fails, false) {
                        tracing::info!("events of lineage are taken again");
                    }
                    return;
                }
                Err(error) => error,
            };
            if matches!(error, PostError::Refused(_)) || attempt == ATTEMPTS_MAX {
                self.count("failed", 1);
                if !std::mem::replace(&mut self.fails, true) {
                    let receiver = self.poster.address();
                    tracing::warn!(%receiver, %error, "an event of lineage is not taken");
                }
                return;
            }
            tokio::time::sleep(pause_after(attempt)).await;
        }
    }

    fn count(&self, outcome: &str, count: u64) {
        self.events.with(&["http", outcome]).inc_by(count);
    }
}

pub(super) async fn serve_file(mut sink: FileSink, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(next) = waiting.recv().await {
        match next {
            Waiting::Event(waiting) => {
                // A disk may make it wait.
                let written = tokio::task::spawn_blocking(move || {
                    sink.add(&waiting.moment);
                    sink
                });
                match written.await {
                    Ok(back) => sink = back,
                    Err(error) => {
                        tracing::error!(%error, "events of lineage are not written any more");
                        return;
                    }
                }
            }
            Waiting::Drained(done) => _ = done.send(()),
        }
    }
}

pub(super) async fn serve_http(mut sink: HttpSink, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(next) = waiting.recv().await {
        match next {
            Waiting::Event(waiting) => sink.send(&waiting.moment).await,
            Waiting::Drained(done) => _ = done.send(()),
        }
    }
}
