//! A coordinator as a process: it binds its sockets, says when it serves, and stops after the
//! running calls are answered.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::hangup::hangups;
use deepclone_common::http;
use deepclone_common::listener::BoundListener;
use deepclone_common::panics::task_failure;
use deepclone_common::telemetry::spans::Spans;
use deepclone_common::tls::server::{ServerTls, Spoken};
use deepclone_core::failure::Failure;
use deepclone_core::limits::{Limits, STREAMS_PER_CONNECTION_MAX};
use deepclone_core::reason::Reason;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::access::audit::Auditor;
use crate::access::layer::Gate;
use crate::access::observe::Observe;
use crate::alerts::PlannedAlerts;
use crate::config::Settings;
use crate::effects::Context;
use crate::embedded::{Dial, Dialled};
use crate::lineage::Lineage;
use crate::metrics::CoordinatorMetrics;
use crate::observers::SyncObservers;
use crate::pages::access::{PageAccess, PageListener};
use crate::pages::data::LiveData;
use crate::readiness::ReadinessKeeper;
use crate::reload::CoordinatorReload;
use crate::replications::metrics::{follow, rows};
use crate::state::SqliteStore;
use crate::{driver, hooks, pages, replications, rpc};

/// How long running calls may take to end once the coordinator stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How often an idle connection is probed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// The sockets of a coordinator, bound before anything else starts.
#[derive(Debug)]
pub struct Listeners {
    pub grpc: BoundListener,
    pub http: BoundListener,
    dial: Dial,
    /// Calls of this process, which nobody else can make.
    own: Dialled,
}

impl Listeners {
    /// Binds both addresses of the settings.
    ///
    /// # Errors
    /// Names the address that cannot be bound, or the file of a certificate.
    pub async fn bind(settings: &Settings) -> Result<Self, Failure> {
        let tls = |spoken| {
            let files = settings.tls.clone();
            files.map(|files| ServerTls::new(files, spoken)).transpose()
        };
        let (grpc, http) = (tls(Spoken::Http2)?, tls(Spoken::Http1)?);
        let exposure = settings.exposure;
        let (dial, own) = Dial::pair();
        Ok(Self {
            dial,
            own,
            grpc: BoundListener::bind(settings.listen, exposure, grpc).await?,
            http: BoundListener::bind(settings.http_listen, exposure, http).await?,
        })
    }

    /// Returns what leads to the coordinator from within this process.
    #[must_use]
    pub fn dial(&self) -> Dial {
        self.dial.clone()
    }

    /// The one line of stdout that says that the process is ready, with both addresses.
    #[must_use]
    pub fn ready_line(&self) -> String {
        format!("listening on {} http={}", self.grpc.address(), self.http.address())
    }
}

/// Serves until `shutdown`; then takes no new call, and answers the running ones. It calls
/// `serving` once calls are answered.
///
/// # Errors
/// The state cannot be read or written, a socket failed, or what `serving` says.
pub async fn run(
    settings: Settings,
    listeners: Listeners,
    shutdown: CancellationToken,
    serving: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let store = SqliteStore::open(&settings.place).await.map_err(|error| error.failure())?;
    let limits = limits_of(&settings);
    let (metrics, mut catalog) = CoordinatorMetrics::of_process(settings.place.file());
    let lineage = Lineage::start(settings.lineage, &metrics.told.lineage)?;
    let spans = Spans::start(settings.spans, "deepclone-coordinator", &metrics.told.spans)?;
    let (alerts, ends) = PlannedAlerts::new(settings.webhooks, &metrics.told.webhooks);
    let observers = SyncObservers::new(lineage.clone(), ends, spans.clone());
    let (hangups, connections) = (hangups()?, settings.connections.clone());
    let context = Context::new(Arc::new(settings.connections), Arc::new(store), &limits)
        .with_prices(settings.prices)
        .with_observers(observers);
    let stop = shutdown.child_token();
    let (handle, driver) =
        driver::start(context.clone(), limits, Arc::clone(&metrics), stop.clone())
            .await
            .map_err(|error| error.failure())?;
    let (engine, keeping) =
        replications::start(context.clone(), handle.clone(), stop.clone()).await?;
    let alerts = alerts.start(&context, handle.epoch(), &engine).await?;
    let (sources, events) = (settings.sources, metrics.told.lineage.clone());
    let reload =
        CoordinatorReload { sources, connections, lineage: lineage.clone(), events, alerts };
    let following = AbortOnDropHandle::new(tokio::spawn(reload.at_each(hangups)));
    let data = LiveData::new(engine.clone(), handle.clone(), context.clone());
    let auditor = Auditor::new(Arc::clone(&context.store), context.clock, Arc::clone(&metrics));
    let gate = Gate::new(settings.principals.clone(), context.clock, auditor);
    let access = PageAccess::at(PageListener {
        address: listeners.http.address(),
        has_tls: listeners.http.has_tls(),
        knows_callers: gate.asks(),
    });
    let pages = pages::routes::routes(Arc::new(data), access, gate.clone());
    let pages = pages.merge(hooks::routes(engine.clone(), settings.hook_secret.as_ref()));
    catalog.collect(rows(), Box::new(follow(engine.clone())));
    let store = Arc::clone(&context.store);
    let readiness = ReadinessKeeper::start(store, handle.clone(), stop.clone());
    let routes = rpc::with_reflection(rpc::routes(handle, engine, context, limits).await)?;
    let (ready, doorkeeper) = (readiness.follow(), gate.doorkeeper());
    let http = http::serve(listeners.http, catalog, pages, ready, doorkeeper, stop.clone());
    let http = tokio::spawn(http);
    let observe = Observe::new(Arc::clone(&metrics));
    let own = tokio::spawn(serve_own(routes.clone(), observe, listeners.own, stop.clone()));
    let grpc = tokio::spawn(
        Server::builder()
            .max_concurrent_streams(Some(STREAMS_PER_CONNECTION_MAX))
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .layer(Observe::new(metrics))
            .layer(gate)
            .add_routes(routes)
            .serve_with_incoming_shutdown(listeners.grpc.accept(), stop.clone().cancelled_owned()),
    );
    serving()?;
    // It ends at the shutdown, or when facts cannot be made durable.
    let outcome = driver.await.map_err(|error| task_failure("the driver", error));
    readiness.stop();
    drop(following);
    stop.cancel();
    readiness.ended().await;
    end_calls(async { _ = futures::join!(grpc, own, http) }).await;
    futures::join!(lineage.drain(DRAIN_MAX), spans.drain(DRAIN_MAX));
    let kept = keeping.await.map_err(|error| task_failure("the scheduler", error));
    outcome??;
    kept?
}

/// Waits until the calls have ended, or a while has passed.
async fn end_calls(ended: impl Future<Output = ()>) {
    if tokio::time::timeout(DRAIN_MAX, ended).await.is_err() {
        tracing::warn!("stopping although some calls have not ended");
    }
}

/// The limits of a coordinator with these settings.
fn limits_of(settings: &Settings) -> Limits {
    match settings.shared_object {
        None => Limits::default(),
        least => Limits { group_bytes_min: least, ..Limits::default() },
    }
}

/// Answers the calls of this process.
async fn serve_own(
    routes: Routes,
    observe: Observe,
    own: Dialled,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let server = Server::builder().layer(observe).add_routes(routes);
    server.serve_with_incoming_shutdown(own, stop.cancelled_owned()).await
}

/// Prints the ready line to stdout.
///
/// # Errors
/// Stdout is closed.
pub fn announce(line: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::new(Reason::Internal, format!("cannot write to stdout: {error}")))
}
