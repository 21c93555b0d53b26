//! A coordinator inside another process: the same services over connections in memory, without a
//! port.
//!
//! The command line starts one for itself and its workers, which all connect through
//! [`Embedded::channel`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::connections::Connections;
use deepclone_common::lineage_settings::LineageTarget;
use deepclone_common::panics::task_failure;
use deepclone_core::failure::Failure;
use deepclone_core::limits::Limits;
use deepclone_core::price::PriceTable;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint, Server};

use crate::effects::Context;
use crate::lineage::Lineage;
use crate::metrics::CoordinatorMetrics;
use crate::observers::SyncObservers;
use crate::state::{Place, SqliteStore, StateError, Store};
use crate::{driver, replications, rpc};

/// Bytes in flight on a connection in memory.
const DUPLEX_BYTES: usize = 256 << 10;
/// How often workers of this process send a heartbeat: often enough for a progress bar.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How long running calls may take to end once the coordinator stops.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// How long events of lineage may take to be sent once it stops.
const LINEAGE_DRAIN_MAX: Duration = Duration::from_secs(2);
/// Connections that may wait to be accepted.
const ACCEPT_MAX: usize = 16;

/// A coordinator of this process.
#[derive(Debug)]
pub struct Embedded {
    channel: Channel,
    dial: Dial,
    stop: DropGuard,
    driver: JoinHandle<Result<(), Failure>>,
    replications: JoinHandle<Result<(), Failure>>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    lineage: Lineage,
}

impl Embedded {
    /// Starts one with these connections and prices, that tells `lineage` of its syncs. Its state
    /// lives in `database`; when that is none, or another process's, in memory.
    ///
    /// # Errors
    /// The state cannot be used, or lineage cannot be sent.
    pub async fn start(
        connections: Arc<Connections>,
        prices: PriceTable,
        lineage: Option<LineageTarget>,
        database: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let place = database.map_or(Place::Private, Place::File);
        let store = match SqliteStore::open(&place).await {
            Err(StateError::Locked { path }) => {
                tracing::info!("{path} is another process's: the state stays in memory");
                SqliteStore::open(&Place::Private).await
            }
            other => other,
        };
        let store = store.map_err(|error| error.failure())?;
        // Its workers are one process: none is slower than another, or alone too slow for a large
        // object.
        let limits = Limits {
            heartbeat_interval: HEARTBEAT_INTERVAL,
            task_rate_min: 0,
            group_bytes_min: None,
            ..Limits::default()
        };
        let metrics = Arc::<CoordinatorMetrics>::default();
        let lineage = Lineage::start(lineage, &metrics.told.lineage)?;
        let observers = SyncObservers { lineage, ..SyncObservers::default() };
        let context = Context::new(connections, Arc::new(store), &limits)
            .with_prices(prices)
            .with_observers(observers)
            .copying_here();
        Self::start_counted(context, limits, metrics).await
    }

    /// Starts one over this state, with these limits.
    ///
    /// # Errors
    /// The state cannot be used.
    pub async fn start_with(
        connections: Arc<Connections>,
        store: Arc<dyn Store>,
        limits: Limits,
    ) -> Result<Self, Failure> {
        Self::start_in(Context::new(connections, store, &limits), limits).await
    }

    /// Starts one in this context, with these limits.
    ///
    /// # Errors
    /// The state cannot be used.
    pub async fn start_in(context: Context, limits: Limits) -> Result<Self, Failure> {
        Self::start_counted(context, limits, Arc::default()).await
    }

    /// Starts one in this context, with these limits, that counts here what it does.
    ///
    /// # Errors
    /// The state cannot be used.
    pub async fn start_counted(
        context: Context,
        limits: Limits,
        metrics: Arc<CoordinatorMetrics>,
    ) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let lineage = context.observers.lineage.clone();
        let (handle, driver) = driver::start(context.clone(), limits, metrics, stop.clone())
            .await
            .map_err(|error| error.failure())?;
        let (engine, replications) =
            replications::start(context.clone(), handle.clone(), stop.clone()).await?;
        let routes = rpc::routes(handle, engine, context, limits).await;
        let (dial, incoming) = Dial::pair();
        let server = Server::builder()
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
        let server = tokio::spawn(server);
        let channel = dial.channel();
        let stop = stop.drop_guard();
        Ok(Self { channel, dial, stop, driver, replications, server, lineage })
    }

    /// Returns a channel to it, for clients and workers of this process.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Returns what opens single connections to it, for those who make the channels themselves.
    #[must_use]
    pub fn dial(&self) -> Dial {
        self.dial.clone()
    }

    /// Stops it and closes its state; running calls fail with `COORDINATOR_UNAVAILABLE`. When it
    /// is dropped instead, it stops a little later.
    ///
    /// # Errors
    /// The failure that stopped it before.
    pub async fn stop(self) -> Result<(), Failure> {
        let Self { channel, dial, stop, driver, replications, mut server, lineage } = self;
        drop((channel, dial, stop));
        let _ended = replications.await;
        let outcome = driver.await.map_err(|error| task_failure("the driver", error));
        if tokio::time::timeout(DRAIN_MAX, &mut server).await.is_err() {
            server.abort();
            let _aborted = server.await;
        }
        lineage.drain(LINEAGE_DRAIN_MAX).await;
        outcome?
    }
}

/// Opens connections to a coordinator of this process.
#[derive(Clone, Debug)]
pub struct Dial(mpsc::Sender<Result<DuplexStream, std::io::Error>>);

/// Connections that were opened by a [`Dial`].
pub type Dialled = ReceiverStream<Result<DuplexStream, std::io::Error>>;

impl Dial {
    /// Returns what opens connections, and what takes them.
    #[must_use]
    pub fn pair() -> (Self, Dialled) {
        let (dial, incoming) = mpsc::channel(ACCEPT_MAX);
        (Self(dial), ReceiverStream::new(incoming))
    }

    /// Returns a channel to the coordinator, for clients and workers of this process.
    #[must_use]
    pub fn channel(&self) -> Channel {
        let dial = self.clone();
        // The address is never resolved: the connector ignores it.
        Endpoint::from_static("http://embedded").connect_with_connector_lazy(tower::service_fn(
            move |_| {
                let dial = dial.clone();
                async move { dial.connect().await.map(TokioIo::new) }
            },
        ))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// The coordinator has stopped.
    pub async fn connect(&self) -> Result<DuplexStream, std::io::Error> {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        self.0.send(Ok(theirs)).await.map_err(std::io::Error::other)?;
        Ok(ours)
    }
}
