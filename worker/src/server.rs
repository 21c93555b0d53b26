//! A worker as a process: its HTTP endpoint, the ready line, an end in good order.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::hangup::hangups;
use deepclone_common::http;
use deepclone_common::listener::BoundListener;
use deepclone_common::readiness::ProcessReadiness;
use deepclone_common::telemetry::spans::Spans;
use deepclone_common::tls::server::{ServerTls, Spoken};
use deepclone_core::failure::Failure;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::WorkerSettings;
use crate::metrics::WorkerMetrics;
use crate::options::WorkerOptions;
use crate::reload::Reload;
use crate::session::run;

/// How long a worker that leaves goes on with what it holds: less than most supervisors wait.
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// How long spans of traces may take to be sent after that.
const SPANS_DRAIN_MAX: Duration = Duration::from_secs(5);

/// Binds the HTTP listener.
///
/// # Errors
/// The address that cannot be had, or the file of a certificate.
pub async fn listen(settings: &WorkerSettings) -> Result<BoundListener, Failure> {
    let tls = settings.tls.clone().map(|files| ServerTls::new(files, Spoken::Http1)).transpose()?;
    BoundListener::bind(settings.http_listen, settings.exposure, tls).await
}

/// Serves a coordinator until `shutdown`, or until it is told to drain.
///
/// # Errors
/// A coordinator refuses this worker for good, or the socket failed.
pub async fn serve(
    settings: WorkerSettings,
    listener: BoundListener,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let address = listener.address();
    let WorkerSettings { coordinators, name, limits, sources, connections, spans, .. } = settings;
    let principals = settings.principals;
    let reload = Reload::new(sources, limits.clone(), connections.clone());
    let _reloads = AbortOnDropHandle::new(tokio::spawn(reload.at_each(hangups()?)));
    let (metrics, catalog) = WorkerMetrics::of_process();
    let (registered, seen) = watch::channel(None::<String>);
    let (ready, is_ready) = watch::channel(unknown());
    let more = http::Router::new();
    let http =
        http::serve(listener, catalog, more, is_ready, http::viewers(principals), shutdown.clone());
    let _http = tokio::spawn(http);
    let _announcer = tokio::spawn(announce(seen, ready, name.clone(), address));
    let spans = Spans::start(spans, "deepclone-worker", &metrics.spans)?;
    let options =
        WorkerOptions { name, limits, drain_max: DRAIN_MAX, metrics, spans: spans.clone() };
    let ended = run(options, coordinators, Arc::new(connections), registered, shutdown).await;
    spans.drain(SPANS_DRAIN_MAX).await;
    ended
}

/// The readiness of a worker that no coordinator knows.
fn unknown() -> ProcessReadiness {
    ProcessReadiness::waiting("worker", "no coordinator knows it: they are away, or refuse it")
}

/// Keeps `/readyz` true while a coordinator knows the worker, and prints the ready line the first
/// time.
async fn announce(
    mut seen: watch::Receiver<Option<String>>,
    ready: watch::Sender<ProcessReadiness>,
    name: String,
    address: SocketAddr,
) {
    let mut is_announced = false;
    while seen.changed().await.is_ok() {
        let url = seen.borrow_and_update().clone();
        let is_known = url.is_some();
        ready.send_replace(if is_known { ProcessReadiness::default() } else { unknown() });
        if let (Some(url), false) = (url, is_announced) {
            is_announced = true;
            let line = format!("registered with {url} as {name} http={address}\n");
            // When nobody reads stdout, nobody waits for the line.
            let _result = std::io::stdout().write_all(line.as_bytes());
        }
    }
}
