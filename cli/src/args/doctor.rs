//! The arguments of `deepclone doctor`.

use std::time::Duration;

use clap::Args;

/// The arguments of `deepclone doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArguments {
    /// The name of a connection, or a place below one: a replica, a path or a URI
    #[arg(value_name = "CONNECTION|TABLE")]
    pub target: String,
    /// Write nothing: for sources
    #[arg(long, conflicts_with = "abort_older_than")]
    pub read_only: bool,
    /// Throw away uploads below it that were opened longer ago, such as 2days or 12h
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub abort_older_than: Option<Duration>,
    /// The connection of the place
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}
