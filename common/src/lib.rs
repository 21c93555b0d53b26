//! Process plumbing, no decisions.
//!
//! Layout:
//!
//! * [`config`]: `deepclone.toml`, one form for all three binaries.
//! * [`prices`]: a table of prices in a file.
//! * [`secret`]: a value that never prints.
//! * [`connections`]: names and URIs → stores; the only place that reads credentials.
//! * [`store`]: requests to object stores, and what their answers mean.
//! * [`local_folder`]: a table's folder on this machine's disk.
//! * [`clock`] and [`random`]: the time of day and random ids, which a simulation sets.
//! * `allocator`: the memory allocator of every process.
//! * [`telemetry`], [`shutdown`], [`listener`], [`http`]: what every process needs around its work.

mod allocator;
pub mod clock;
pub mod config;
pub mod connections;
pub mod http;
pub mod listener;
pub mod local_folder;
pub mod prices;
pub mod random;
pub mod secret;
pub mod shutdown;
pub mod store;
pub mod telemetry;
