//! Process plumbing, no decisions.
//!
//! Layout:
//!
//! * [`config`]: `deepclone.toml`, one form for all three binaries.
//! * [`lineage_settings`], [`webhook_settings`], [`telemetry_settings`]: who is told what becomes
//!   of syncs; [`post`] sends it.
//! * [`prices`]: a table of prices in a file.
//! * [`secret`]: a value that never prints.
//! * [`connections`]: names and URIs → stores; the only place that reads credentials.
//! * [`checkup`]: whether syncs can rely on a connection.
//! * [`store`]: requests to object stores, and what their answers mean.
//! * [`local_folder`]: a table's folder on this machine's disk.
//! * [`staged_file`]: a file that appears whole.
//! * [`clock`] and [`random`]: the time of day and random ids, which a simulation sets.
//! * `allocator`: the memory allocator of every process; [`runtime`]: its threads.
//! * [`access`]: who asks: tokens, JWTs, certificates, and the file with the principals.
//! * [`tls`], [`dial`] and [`listener`]: connections between our processes.
//! * [`reloaded`]: a value that follows its files.
//! * `this_machine`: which hosts never leave it.
//! * [`request_id`]: names a request in the logs of both sides.
//! * [`metrics`]: what a process counts, and how it is shown and documented.
//! * [`panics`]: what is said of a panic.
//! * [`telemetry`], [`shutdown`], [`hangup`], [`http`]: what every process needs around its work;
//!   [`readiness`]: whether it can do that.

pub mod access;
mod allocator;
pub mod checkup;
pub mod clock;
pub mod config;
pub mod connections;
pub mod dial;
pub mod hangup;
pub mod http;
pub mod lineage_settings;
pub mod listener;
pub mod local_folder;
pub mod metrics;
pub mod panics;
pub mod post;
pub mod prices;
pub mod random;
pub mod readiness;
pub mod reloaded;
pub mod request_id;
pub mod runtime;
pub mod secret;
pub mod shutdown;
pub mod staged_file;
pub mod store;
pub mod telemetry;
pub mod telemetry_settings;
mod this_machine;
pub mod tls;
pub mod webhook_settings;
