//! The arguments of `deepclone worker`.

use clap::{Args, Subcommand};

/// The commands of `deepclone worker`.
#[derive(Clone, Debug, Subcommand)]
pub enum WorkerCommand {
    /// List the workers that the coordinator knows
    List,
    /// Let a worker finish its tasks, take no more, and leave
    Drain(WorkerName),
}

/// The arguments of commands for one worker.
#[derive(Clone, Debug, Args)]
pub struct WorkerName {
    /// The worker's name, as `worker list` prints it
    #[arg(value_name = "WORKER")]
    pub worker: String,
}
