//! The coordinator of Deepclone: the one process that decides and publishes.
//!
//! Clients submit jobs over gRPC. For each job the coordinator reads the logs of both tables,
//! computes what changed, grants the copying to workers as tasks, and publishes the new state of
//! the replica by one conditional write. Every decision is the machine's
//! ([`deepclone_core::machine`]); this crate does what the machine asks for, and keeps the facts
//! that survive a crash.
//!
//! Layout, in the order of a request:
//!
//! * [`config`]: flags, environment, file → settings.
//! * [`server`]: a coordinator as a process of its own; [`embedded`]: one inside another process.
//! * [`access`]: who may call what; [`rpc`]: the gRPC services.
//! * [`driver`]: the loop that owns the machine.
//! * [`effects`]: planning and publishing; [`job_plan`]: what planning makes; [`kept_objects`]:
//!   what there is to copy.
//! * [`costs`]: what copies cost, and what was sent.
//! * [`shared_steps`]: what workers recorded of objects that several of them copy.
//! * [`state`]: facts and evidence, in SQLite; [`database_check`]: whether its file is sound.
//! * [`replications`]: replicas that are kept; [`pages`]: what people read of them.
//! * [`hooks`]: notices that a source has changed.
//! * [`alerts`]: receivers are told of failures, and of their end.
//! * [`observers`]: those who look on while syncs begin and end; [`lineage`]: events for others;
//!   [`traces`]: spans of phases and tasks.
//! * [`readiness`]: what `/readyz` says.
//! * [`metrics`]: what `/metrics` shows; `flow`: how fast bytes are copied.
//!
//! The command line embeds a coordinator when it is not given one:
//!
//! ```
//! use std::sync::Arc;
//!
//! use deepclone_common::connections::Connections;
//! use deepclone_coordinator::embedded::Embedded;
//! use deepclone_core::price::list_prices;
//! use deepclone_proto::v1::ListJobsRequest;
//! use deepclone_proto::v1::job_service_client::JobServiceClient;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connections = Arc::new(Connections::default());
//! // Without connections no job can be submitted; without a file the state stays in memory.
//! let coordinator = Embedded::start(connections, list_prices(), None, None).await?;
//! let mut client = JobServiceClient::new(coordinator.channel());
//! let page = client.list_jobs(ListJobsRequest::default()).await?.into_inner();
//! assert!(page.jobs.is_empty());
//! drop(client);
//! coordinator.stop().await?;
//! # Ok(())
//! # }
//! ```

pub mod access;
pub mod alerts;
pub mod config;
pub mod costs;
pub mod database_check;
pub mod driver;
pub mod effects;
pub mod embedded;
mod flow;
pub mod hooks;
pub mod job_plan;
pub mod kept_objects;
pub mod lineage;
pub mod metrics;
pub mod observers;
pub mod pages;
pub mod readiness;
pub mod reload;
pub mod replications;
pub mod rpc;
pub mod server;
pub mod shared_steps;
pub mod state;
pub mod traces;
