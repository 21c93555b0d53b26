//! The worker: takes grants of a coordinator, copies their objects, and reports a receipt for each
//! task. It keeps nothing and reads no table log.
//!
//! [`run`] serves a coordinator over any channel: the binary gives it URLs, the command line the
//! coordinator inside its own process.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use deepclone_common::config::{Config, LimitSettings};
//! use deepclone_common::connections::Connections;
//! use deepclone_common::dial::Dialer;
//! use deepclone_common::telemetry::spans::Spans;
//! use deepclone_worker::metrics::WorkerMetrics;
//! use deepclone_worker::{CoordinatorEndpoint, WorkerLimits, WorkerOptions, run};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load(Some("deepclone.toml".as_ref()))?;
//! let connections = Arc::new(Connections::from_config(&config)?);
//! let url = "http://127.0.0.1:7420".to_owned();
//! let channel = Dialer::default().channel("--coordinator", &url)?;
//! let options = WorkerOptions {
//!     name: "rack-7".to_owned(),
//!     limits: WorkerLimits::new(LimitSettings::default())?,
//!     drain_max: Duration::from_secs(20),
//!     metrics: WorkerMetrics::default(),
//!     spans: Spans::default(),
//! };
//! let (registered, _) = tokio::sync::watch::channel(None);
//! let shutdown = tokio_util::sync::CancellationToken::new();
//! run(options, vec![CoordinatorEndpoint { url, channel }], connections, registered, shutdown)
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! Layout, from the process down to the bytes:
//!
//! * [`config`], [`server`]: the binary, from its flags to its HTTP endpoint.
//! * [`reload`]: the binary's limits are read again at a SIGHUP.
//! * [`options`]: what a worker is told by the process that runs it.
//! * `session`: registers with a coordinator, then acquires, heartbeats and reports side by side.
//! * `held`: the grants that the worker works on, and the outcomes that wait to be reported.
//! * `guard`: refuses what no worker may do, whoever asks for it.
//! * `copy`: copies the objects of one task and proves them.
//! * `slots`: finds how many copies run at once, for each pair of stores.
//! * `job_pace`: bounds the copies of one job by the share that the coordinator tells.
//! * `budget`, [`permits`], `open_files`, [`bandwidth`], `lease`: bound the copies in number, in
//!   memory, in speed and in time.
//! * [`metrics`]: counts what was done; `attempt_span`: what a trace shows of it.

mod attempt_span;
pub mod bandwidth;
mod budget;
pub mod config;
mod copy;
mod guard;
mod held;
mod job_pace;
mod lease;
pub mod metrics;
mod open_files;
pub mod options;
pub mod permits;
pub mod reload;
pub mod server;
mod session;
mod slots;

pub use options::{CoordinatorEndpoint, WorkerLimits, WorkerOptions};
pub use session::run;
