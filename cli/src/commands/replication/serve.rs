//! `deepclone replication serve`: a coordinator and its workers in this process, which keep the
//! replications of a file until a signal ends them.

use std::sync::Arc;

use deepclone_common::config::Config;
use deepclone_common::connections::Connections;
use deepclone_common::panics::task_failure;
use deepclone_common::shutdown;
use deepclone_common::telemetry::spans::Spans;
use deepclone_coordinator::config::{Args, Settings};
use deepclone_coordinator::embedded::Dial;
use deepclone_coordinator::server::{self, Listeners};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_worker::metrics::WorkerMetrics;
use deepclone_worker::{CoordinatorEndpoint, WorkerLimits, WorkerOptions};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::apply::apply;
use super::file;
use crate::args::ServeArguments;
use crate::client::CoordinatorClient;
use crate::commands::context::CommandContext;
use crate::refusal::invalid;
use crate::render::CommandOutput;
use crate::render::output::aside;

/// How long workers may finish what they hold once they are stopped.
const DRAIN_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// Serves until a signal.
///
/// # Errors
/// A mistake in the file or the configuration, or an address that cannot be bound.
pub(super) async fn serve(
    arguments: &ServeArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    if context.coordinator_url().is_some() {
        return Err(invalid("`deepclone replication serve` runs a coordinator of its own"));
    }
    let read = file::read(&arguments.apply.file, context)?;
    let settings = Settings::load(&Args {
        listen: arguments.listen,
        http_listen: arguments.http_listen,
        database: arguments.database.clone(),
        config: context.global.config.clone(),
        insecure: arguments.insecure,
    })?;
    let limits = Config::load(context.global.config.as_deref())?.limits;
    let limits = WorkerLimits::new(limits)?;
    let connections = Arc::new(settings.connections.clone());
    let stop = shutdown::on_signal().map_err(|error| {
        Failure::new(Reason::Internal, format!("cannot watch for signals: {error}"))
    })?;
    let listeners = Listeners::bind(&settings).await?;
    let (ready, dial) = (listeners.ready_line(), listeners.dial());
    let mut server = tokio::spawn(server::run(settings, listeners, stop.clone(), || Ok(())));
    let mut workers = start_workers(arguments.workers, &limits, &dial, &connections, &stop);
    let declared = async {
        let mut coordinator = CoordinatorClient::over(dial.channel());
        let changes = apply(&mut coordinator, &read, &arguments.apply).await?;
        // Whoever waits for this line finds what the file declares.
        server::announce(&ready)?;
        Ok(changes)
    };
    let outcome = tokio::select! {
        biased;
        // It ends early when it cannot start.
        ended = &mut server => ended.map_err(|error| task_failure("the server", error))?,
        declared = declared => {
            match declared {
                Ok(changes) => aside(&changes.text),
                Err(failure) => {
                    end(&stop, &mut workers).await;
                    let _ended = server.await;
                    return Err(failure);
                }
            }
            server.await.map_err(|error| task_failure("the server", error))?
        }
    };
    end(&stop, &mut workers).await;
    outcome?;
    #[derive(Serialize)]
    struct Stopped {
        stopped: bool,
    }
    CommandOutput::new(
        "stopped: the replicas stay as they are".to_owned(),
        &Stopped { stopped: true },
    )
}

/// Starts workers that serve the coordinator of this process.
fn start_workers(
    count: u16,
    limits: &WorkerLimits,
    dial: &Dial,
    connections: &Arc<Connections>,
    stop: &CancellationToken,
) -> JoinSet<Result<(), Failure>> {
    let mut workers = JoinSet::new();
    for (number, limits) in (1..).zip(limits.shares(u32::from(count))) {
        let options = WorkerOptions {
            spans: Spans::default(),
            name: format!("own-{number}"),
            limits,
            drain_max: DRAIN_MAX,
            metrics: WorkerMetrics::default(),
        };
        let (url, channel) = ("this process".to_owned(), dial.channel().into());
        let served = vec![CoordinatorEndpoint { url, channel }];
        let (connections, (registered, _)) = (Arc::clone(connections), watch::channel(None));
        let stop = stop.child_token();
        workers.spawn(deepclone_worker::run(options, served, connections, registered, stop));
    }
    workers
}

async fn end(stop: &CancellationToken, workers: &mut JoinSet<Result<(), Failure>>) {
    stop.cancel();
    let ended = async { while workers.join_next().await.is_some() {} };
    let _late = tokio::time::timeout(DRAIN_MAX, ended).await;
}
