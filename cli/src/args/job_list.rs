//! The arguments of `deepclone job list`: which jobs, and in which order.

use clap::Args;

/// The arguments of `deepclone job list`.
#[derive(Clone, Debug, Args)]
pub struct JobListArguments {
    /// Only jobs in this state, such as failed or waiting-for-workers
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Only jobs from this source; a * at the end stands for any rest
    #[arg(long, value_name = "URI")]
    pub source: Option<String>,
    /// Only jobs to this target; a * at the end stands for any rest
    #[arg(long, value_name = "URI")]
    pub target: Option<String>,
    /// Only jobs that this principal asked for
    #[arg(long, value_name = "NAME")]
    pub submitter: Option<String>,
    /// Only jobs created at this time or later, such as 2026-11-27T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only jobs created before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The oldest first, not the newest
    #[arg(long)]
    pub oldest_first: bool,
    /// The most jobs to show
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub limit: u16,
}
