//! The arguments of `deepclone cost`.

use clap::{Args, ValueEnum};

/// The arguments of `cost`.
#[derive(Clone, Debug, Args)]
pub struct CostArguments {
    /// A month of UTC, such as 2026-11 [default: the month that runs]
    #[arg(long, value_name = "MONTH")]
    pub month: Option<String>,
    /// What becomes one line
    #[arg(long, value_enum, default_value_t)]
    pub by: CostBy,
}

/// What becomes one sum of `cost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CostBy {
    /// The owner of the replication.
    #[default]
    Owner,
    /// The table of a source.
    Table,
    /// The two connections that it is between.
    Pair,
    /// The replication that it is for.
    Replication,
}
