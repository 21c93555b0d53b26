//! A coordinator as a process: it binds its sockets, says when it serves, and stops after the
//! running calls are answered.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::http;
use deepclone_common::listener::bind;
use deepclone_core::failure::Failure;
use deepclone_core::limits::{Limits, STREAMS_PER_CONNECTION_MAX};
use deepclone_core::reason::Reason;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::config::Settings;
use crate::effects::Context;
use crate::metrics::Gauges;
use crate::pages::access::PageAccess;
use crate::pages::data::LiveData;
use crate::replications::metrics::follow;
use crate::state::SqliteStore;
use crate::{driver, hooks, pages, replications, rpc};

/// How long running calls may take to end once the coordinator stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How often an idle connection is probed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// The sockets of a coordinator, bound before anything else starts.
#[derive(Debug)]
pub struct Listeners {
    pub grpc: TcpListener,
    pub http: TcpListener,
}

impl Listeners {
    /// Binds both addresses of the settings.
    ///
    /// # Errors
    /// Names the address that cannot be bound.
    pub async fn bind(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            grpc: bind(settings.listen, settings.exposure).await?,
            http: bind(settings.http_listen, settings.exposure).await?,
        })
    }

    /// The one line of stdout that says that the process is ready, with both addresses.
    ///
    /// # Errors
    /// A socket has no address.
    pub fn ready_line(&self) -> Result<String, Failure> {
        Ok(format!("listening on {} http={}", address(&self.grpc)?, address(&self.http)?))
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
    let limits = match settings.shared_object {
        None => Limits::default(),
        least => Limits { group_bytes_min: least, ..Limits::default() },
    };
    let context = Context::new(Arc::new(settings.connections), Arc::new(store), &limits)
        .with_prices(settings.prices);
    let gauges = Arc::new(Gauges::default());
    let stop = shutdown.child_token();
    let (handle, driver) =
        driver::start(context.clone(), limits, Arc::clone(&gauges), stop.clone())
            .await
            .map_err(|error| error.failure())?;
    let (engine, keeping) =
        replications::start(context.clone(), handle.clone(), stop.clone()).await?;
    let data = LiveData::new(engine.clone(), handle.clone(), context.clone());
    let access = PageAccess::at(address(&listeners.http)?);
    let pages = pages::routes::routes(Arc::new(data), access);
    let pages = pages.merge(hooks::routes(engine.clone(), settings.hook_secret.as_ref()));
    let mut registry = gauges.registry();
    registry.register_collector(Box::new(follow(engine.clone())));
    let routes = rpc::routes(handle, engine, context, limits).await?;
    let (ready, is_ready) = watch::channel(true);
    let http = http::serve(listeners.http, registry, pages, is_ready, stop.clone());
    let http = tokio::spawn(http);
    let grpc = tokio::spawn(
        Server::builder()
            .max_concurrent_streams(Some(STREAMS_PER_CONNECTION_MAX))
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                TcpListenerStream::new(listeners.grpc),
                stop.clone().cancelled_owned(),
            ),
    );
    serving()?;
    // It ends at the shutdown, or when facts cannot be made durable.
    let outcome = driver.await.map_err(|error| {
        Failure::new(Reason::Internal, format!("the driver panicked, which is a bug: {error}"))
    });
    ready.send_replace(false);
    stop.cancel();
    let drained = async {
        let _ended = futures::join!(grpc, http);
    };
    if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
        tracing::warn!("stopping although some calls have not ended");
    }
    let kept = keeping.await.map_err(|error| {
        Failure::new(Reason::Internal, format!("the scheduler panicked, which is a bug: {error}"))
    });
    outcome??;
    kept?
}

fn address(listener: &TcpListener) -> Result<std::net::SocketAddr, Failure> {
    listener.local_addr().map_err(|error| {
        Failure::new(Reason::Internal, format!("a socket has no address: {error}"))
    })
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
