//! Process plumbing, no decisions.
//!
//! Layout:
//!
//! * [`config`]: `deepclone.toml`, one form for all three binaries.
//! * [`secret`]: a value that never prints; [`scrub`]: texts of others without secrets.
//! * [`connections`]: names and URIs → stores; the only place that reads credentials.
//! * [`table_store`]: a table's folder in an object store; [`local_folder`]: one on disk.
//! * [`http_client`]: stall time-outs below every store; `store_counts` counts its answers,
//!   `listed_keys` takes what the client cannot name out of listings.
//! * [`store_ext`]: requests that the stores' own interface does not have.
//! * [`store_errors`]: the one classification of what stores answer.
//! * [`target_probe`]: what a target lacks, before anything is copied to it.
//! * [`telemetry`], [`shutdown`], [`listener`], [`http`]: what every process needs around its work.

pub mod config;
pub mod connections;
pub mod http;
pub mod http_client;
mod listed_keys;
pub mod listener;
pub mod local_folder;
pub mod scrub;
pub mod secret;
pub mod shutdown;
mod store_counts;
pub mod store_errors;
pub mod store_ext;
pub mod table_store;
pub mod target_probe;
pub mod telemetry;
