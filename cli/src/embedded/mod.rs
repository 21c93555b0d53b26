//! A coordinator and its workers inside this process, for a command without `--coordinator`.
//!
//! The services and the worker are those of the two other binaries, over memory instead of a port.
//! Flow: start the coordinator on the target's state file → cancel the jobs that a process left
//! when it died (what it copied is kept as evidence) → start the workers.

pub mod state_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::connections::Connections;
use deepclone_common::lineage_settings::LineageTarget;
use deepclone_common::telemetry::spans::Spans;
use deepclone_core::failure::Failure;
use deepclone_core::price::PriceTable;
use deepclone_worker::{WorkerLimits, WorkerOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::CoordinatorClient;

/// The longest wait for workers and coordinator to stop.
const STOP_WAIT_MAX: Duration = Duration::from_secs(3);
/// Requests that a first sync begins with, at the same time, to one of its stores.
const LOOKS_AT_ONCE: usize = 3;
/// The most jobs of one target that a process can have left when it died.
const LEFT_MAX: usize = 100;

/// The settings of the embedded coordinator and workers.
#[derive(Debug)]
pub struct EmbeddedSettings {
    /// The connections of both.
    pub connections: Connections,
    /// The names of those that the command is about to use.
    pub used: Vec<String>,
    /// By which costs are estimated.
    pub prices: PriceTable,
    /// Who is told of its syncs; `None`: nobody.
    pub lineage: Option<LineageTarget>,
    /// The target's state file; `None` keeps the state in memory.
    pub database: Option<PathBuf>,
    /// The number of workers.
    pub workers: u16,
    /// How much all workers together may take.
    pub limits: WorkerLimits,
}

/// A coordinator and workers of this process.
#[derive(Debug)]
pub struct EmbeddedCluster {
    connections: Arc<Connections>,
    coordinator: deepclone_coordinator::embedded::Embedded,
    workers: JoinSet<Result<(), Failure>>,
    stop_workers: CancellationToken,
}

impl EmbeddedCluster {
    /// Starts the coordinator and the workers.
    ///
    /// # Errors
    /// The coordinator cannot start.
    pub async fn start(settings: EmbeddedSettings) -> Result<(Self, CoordinatorClient), Failure> {
        let connections = Arc::new(settings.connections);
        for name in &settings.used {
            connections.connect_ahead(name, LOOKS_AT_ONCE);
        }
        let coordinator =
            start_coordinator(&connections, settings.prices, settings.lineage, settings.database)
                .await?;
        let mut client = CoordinatorClient::over(coordinator.channel());
        if settings.workers > 0 {
            end_leftovers(&mut client).await?;
        }
        let stop_workers = CancellationToken::new();
        let mut workers = JoinSet::new();
        // Each of them copies one object at least.
        let count = u32::from(settings.workers).min(settings.limits.copies.most());
        for (number, limits) in (1..=count).zip(settings.limits.shares(count)) {
            let options = WorkerOptions {
                spans: Spans::default(),
                name: format!("embedded-{number}"),
                limits,
                // Workers leave when their job is over: nothing remains to be drained.
                drain_max: Duration::ZERO,
                metrics: deepclone_worker::metrics::WorkerMetrics::default(),
            };
            let channel = coordinator.channel();
            let served = vec![deepclone_worker::CoordinatorEndpoint {
                url: "embedded".to_owned(),
                channel: channel.into(),
            }];
            let connections = Arc::clone(&connections);
            let (registered, _) = watch::channel(None);
            let stop = stop_workers.clone();
            workers.spawn(async move {
                deepclone_worker::run(options, served, connections, registered, stop).await
            });
        }
        Ok((Self { connections, coordinator, workers, stop_workers }, client))
    }

    /// Stops both. What does not stop in time is dropped: a copy can be aborted at any time.
    pub async fn stop(mut self) {
        self.stop_workers.cancel();
        let stopped = async {
            while self.workers.join_next().await.is_some() {}
            self.coordinator.stop().await
        };
        match tokio::time::timeout(STOP_WAIT_MAX, stopped).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => tracing::warn!(%failure, "the embedded coordinator failed"),
            Err(_) => tracing::info!("the embedded workers did not stop in time"),
        }
        // The process ends, and what it is connected to with it: hundreds of connections would each
        // be closed by a task of its own.
        std::mem::forget(self.connections);
    }
}

/// Starts the coordinator on the state file, or in memory when the file cannot be used.
async fn start_coordinator(
    connections: &Arc<Connections>,
    prices: PriceTable,
    lineage: Option<LineageTarget>,
    database: Option<PathBuf>,
) -> Result<deepclone_coordinator::embedded::Embedded, Failure> {
    use deepclone_coordinator::embedded::Embedded;
    let has_file = database.is_some();
    let started = |prices, lineage, database| {
        Embedded::start(Arc::clone(connections), prices, lineage, database)
    };
    match started(prices.clone(), lineage.clone(), database).await {
        Err(failure) if has_file => {
            tracing::warn!(%failure, "the state file cannot be used: the state stays in memory");
            started(prices, lineage, None).await
        }
        other => other,
    }
}

/// Cancels the jobs that a process left when it died: they may be for another version or source
/// than the user wants now.
async fn end_leftovers(client: &mut CoordinatorClient) -> Result<(), Failure> {
    for job in client.list("", "", LEFT_MAX).await? {
        if job.state.is_final() {
            continue;
        }
        client.cancel(job.id).await?;
        let mut watch = client.watch(job.id).await?;
        while let Some(job) = watch.next().await? {
            if job.state.is_final() {
                break;
            }
        }
    }
    Ok(())
}
