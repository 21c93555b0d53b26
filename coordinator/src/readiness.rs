//! Whether a coordinator can do its work now: its database takes writes, and its loop messages.
//!
//! Both are tried again and again. A trial that does not end is waited for, and no other one is
//! begun meanwhile: the coordinator is not ready until it ends well.

use std::sync::Arc;
use std::time::Duration;

use deepclone_common::readiness::ProcessReadiness;
use deepclone_core::failure::Failure;
use deepclone_core::limits::{READINESS_INTERVAL, READINESS_WAIT_MAX};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::driver::Handle;
use crate::driver::message::Message;
use crate::state::Store;

/// The part of a readiness that says that the process ends.
const STOPPING: &str = "coordinator";

/// Keeps the readiness of a coordinator up to date.
#[derive(Debug)]
pub struct ReadinessKeeper {
    ready: watch::Sender<ProcessReadiness>,
    trying: JoinHandle<()>,
}

impl ReadinessKeeper {
    /// Begins to try the database and the loop, until `shutdown`.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, handle: Handle, shutdown: CancellationToken) -> Self {
        let (ready, _) = watch::channel(ProcessReadiness::default());
        let trying = tokio::spawn(keep(store, handle, ready.clone(), shutdown));
        Self { ready, trying }
    }

    /// Returns what is known, and follows it.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<ProcessReadiness> {
        self.ready.subscribe()
    }

    /// Says that the process ends.
    pub fn stop(&self) {
        self.ready.send_modify(|ready| {
            ready.set(STOPPING, Some("it is stopping".to_owned()));
        });
    }

    /// Waits until nothing is tried any more: the shutdown has come.
    pub async fn ended(self) {
        let _panicked = self.trying.await;
    }
}

/// Tries both until `shutdown`, and keeps `ready` up to date.
async fn keep(
    store: Arc<dyn Store>,
    handle: Handle,
    ready: watch::Sender<ProcessReadiness>,
    shutdown: CancellationToken,
) {
    let epoch = handle.epoch();
    let write = move || -> Trial {
        let store = Arc::clone(&store);
        Box::pin(async move { store.probe(epoch).await.map_err(|error| error.failure()) })
    };
    let ask = move || -> Trial {
        let handle = handle.clone();
        Box::pin(async move { handle.ask(Message::Ping).await })
    };
    let kept = async {
        futures::join!(try_again(DATABASE, &ready, write), try_again(DRIVER, &ready, ask),)
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        _ = kept => {}
    }
}

/// One try of a part.
type Trial = BoxFuture<'static, Result<(), Failure>>;

/// A part that is tried.
#[derive(Clone, Copy, Debug)]
struct Tried {
    name: &'static str,
    /// What is said of a trial that does not end.
    stuck: &'static str,
    interval: Duration,
    /// How long a trial may take before it counts as one that does not end.
    wait_max: Duration,
}

impl Tried {
    const fn new(name: &'static str, stuck: &'static str) -> Self {
        Self { name, stuck, interval: READINESS_INTERVAL, wait_max: READINESS_WAIT_MAX }
    }
}

const DATABASE: Tried = Tried::new("database", "a write has not ended for");
const DRIVER: Tried = Tried::new("driver", "its loop has not taken a message for");
/// The pause between two trials of a part that takes long.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// Tries one part for ever.
async fn try_again(
    part: Tried,
    ready: &watch::Sender<ProcessReadiness>,
    trial: impl Fn() -> Trial,
) {
    loop {
        let begun = Instant::now();
        let mut running = trial();
        let outcome = loop {
            match tokio::time::timeout(part.wait_max, &mut running).await {
                Ok(outcome) => break outcome,
                Err(_) => {
                    let seconds = begun.elapsed().as_secs();
                    tell(part, ready, Some(format!("{} {seconds} s", part.stuck)));
                }
            }
        };
        tell(part, ready, outcome.err().map(|failure| failure.message));
        let pause = part.interval.saturating_sub(begun.elapsed());
        tokio::time::sleep(pause.max(PAUSE_MIN.min(part.interval))).await;
    }
}

/// Notes what keeps a part from its work, and logs when that begins and ends.
fn tell(part: Tried, ready: &watch::Sender<ProcessReadiness>, cause: Option<String>) {
    let name = part.name;
    ready.send_if_modified(|ready| {
        let was_ready = ready.is_ready();
        let is_new = ready.set(name, cause);
        match (was_ready, ready.is_ready()) {
            (true, false) => tracing::warn!("{}", ready.line().trim_end()),
            (false, true) => tracing::info!("ready again"),
            _ => {}
        }
        is_new
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use deepclone_core::reason::Reason;
    use tokio::sync::Semaphore;

    use super::*;

    const FAST: Tried = Tried {
        interval: Duration::from_millis(10),
        wait_max: Duration::from_millis(200),
        ..DATABASE
    };

    #[tokio::test]
    async fn a_trial_that_does_not_end_or_fails_is_told_until_one_ends_well() {
        let (sender, mut ready) = watch::channel(ProcessReadiness::default());
        let gate = Arc::new(Semaphore::new(0));
        let broken = Arc::new(Mutex::new(None));
        let (opens, fails) = (Arc::clone(&gate), Arc::clone(&broken));
        let begun = Instant::now();
        let trying = tokio::spawn(async move {
            let trial = move || -> Trial {
                let (opens, fails) = (Arc::clone(&opens), Arc::clone(&fails));
                Box::pin(async move {
                    let _open = opens.acquire().await.unwrap();
                    let broken: Option<&str> = *fails.lock().unwrap();
                    broken.map_or(Ok(()), |why| Err(Failure::new(Reason::Internal, why)))
                })
            };
            try_again(FAST, &sender, trial).await;
        });
        let mut next = async |wanted: &str| {
            let told = tokio::time::timeout(Duration::from_secs(20), ready.changed()).await;
            told.unwrap().unwrap();
            assert_eq!(ready.borrow_and_update().line(), format!("{wanted}\n"));
        };
        next("not ready: database: a write has not ended for 0 s").await;
        assert!(begun.elapsed() >= FAST.wait_max, "patience");
        gate.add_permits(1);
        next("ok").await;
        *broken.lock().unwrap() = Some("database or disk is full");
        next("not ready: database: database or disk is full").await;
        *broken.lock().unwrap() = None;
        next("ok").await;
        trying.abort();
    }
}
