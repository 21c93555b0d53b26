//! The binary around [`crate::run`]: arguments, configuration, HTTP face, ready line.

#![warn(missing_docs)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use deepclone_common::config::{ByteSize, Config};
use deepclone_common::connections::Connections;
use deepclone_common::listener::Exposure;
use deepclone_common::{http, listener, shutdown};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tonic::transport::Endpoint;

use crate::metrics::Metrics;
use crate::{Coordinator, WorkerOptions, run};

/// Memory without a flag or a setting.
const MEMORY_BYTES: u64 = 512 << 20;
/// How long a connection to a coordinator may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a worker that leaves goes on with what it holds: under what most supervisors wait.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Copies what a coordinator grants, from the source's store to the target's.
#[derive(Debug, Parser)]
#[command(name = "deepclone-worker", version)]
pub struct Arguments {
    /// A coordinator, such as http://127.0.0.1:7420; repeat it for each one
    #[arg(long, value_name = "URL", required = true)]
    coordinator: Vec<String>,
    /// What people call this worker; without it the host's name and the process's number
    #[arg(long)]
    name: Option<String>,
    /// Bytes of objects held in memory at once [default: 512MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Where /livez, /readyz and /metrics are served; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    http_listen: SocketAddr,
    /// The configuration file with the connections
    #[arg(long, value_name = "FILE", env = "DEEPCLONE_CONFIG")]
    config: Option<PathBuf>,
    /// Allow a listener beyond loopback without TLS and authentication
    #[arg(long)]
    insecure: bool,
}

/// Runs the worker until SIGTERM, SIGINT or a coordinator's order to drain.
///
/// # Errors
/// Arguments or a configuration that cannot be meant, or a coordinator's final refusal.
pub async fn start(arguments: Arguments) -> Result<(), Failure> {
    let config = Config::load(arguments.config.as_deref())?;
    let connections = Connections::from_config(&config).map_err(|error| error.failure())?;
    let coordinators =
        arguments.coordinator.iter().map(|url| coordinator(url)).collect::<Result<Vec<_>, _>>()?;
    let memory = arguments.memory.or(config.limits.memory).map_or(MEMORY_BYTES, |size| size.0);
    let name = arguments.name.unwrap_or_else(default_name);
    let exposure = Exposure::from_flag(arguments.insecure);
    let listener = listener::bind(arguments.http_listen, exposure).await?;
    let address = listener.local_addr().map_err(|error| internal(&error))?;
    let stop = shutdown::on_signal().map_err(|error| internal(&error))?;

    let metrics = Metrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let (registered, mut seen) = watch::channel(None::<String>);
    let (ready, is_ready) = watch::channel(false);
    let _face = tokio::spawn(http::serve(listener, registry, is_ready, stop.clone()));
    let shown_name = name.clone();
    let _watcher = tokio::spawn(async move {
        let mut announced = false;
        while seen.changed().await.is_ok() {
            let url = seen.borrow_and_update().clone();
            ready.send_replace(url.is_some());
            if let (Some(url), false) = (url, announced) {
                announced = true;
                let line = format!("registered with {url} as {shown_name} http={address}\n");
                // Nobody reads our stdout: then nobody waits for the line.
                let _result = std::io::stdout().write_all(line.as_bytes());
            }
        }
    });
    let options = WorkerOptions { name, memory_bytes: memory, drain_max: DRAIN_MAX, metrics };
    run(options, coordinators, Arc::new(connections), registered, stop).await
}

fn coordinator(url: &str) -> Result<Coordinator, Failure> {
    let bad = |why: &str| {
        let message = format!("--coordinator {url:?}: {why}");
        Failure::new(Reason::InvalidArgument, message)
    };
    if url.starts_with("https://") {
        let message = format!("--coordinator {url}: TLS is not built yet; use http://");
        return Err(Failure::new(Reason::Unimplemented, message));
    }
    if !url.starts_with("http://") {
        return Err(bad("write it as http://HOST:PORT"));
    }
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| bad("not a URL"))?;
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
    Ok(Coordinator { url: url.to_owned(), channel: endpoint.connect_lazy() })
}

fn default_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "worker" } else { host };
    format!("{host}-{}", std::process::id())
}

fn internal(error: &std::io::Error) -> Failure {
    Failure::new(Reason::Internal, error.to_string())
}
