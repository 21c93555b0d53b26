//! The command line as clap reads it: dumb values, in the order in which `--help` teaches them.
//!
//! Words: a *location* is what a user types for a table (a path or a URI); [`location`] makes it
//! a URI. Flow: `CommandLine` (here) → one checked conversion ([`convert`]) → `CloneSpec`.
//! A flag or value of the fixed command line that is not built yet is hidden here and refused by
//! the conversion, naming it.

#![warn(missing_docs)]

pub mod convert;
pub mod help;
pub mod location;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps replicas of Delta Lake tables: copies what changed, publishes it in one atomic commit.
#[derive(Clone, Debug, Parser)]
#[command(name = "deepclone", version, after_help = help::TOP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct CommandLine {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where `--help` shows what every command understands.
const GLOBAL: &str = "Options of every command";

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Text for people, or one JSON object on stdout (everything else goes to stderr)
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = GLOBAL)]
    pub output: OutputFormat,
    /// Use this coordinator, such as http://127.0.0.1:7420, instead of one inside this process
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DEEPCLONE_COORDINATOR",
        hide_env_values = true
    )]
    #[arg(help_heading = GLOBAL)]
    pub coordinator: Option<String>,
    /// The file with named connections (deepclone.toml)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "DEEPCLONE_CONFIG",
        hide_env_values = true
    )]
    #[arg(help_heading = GLOBAL)]
    pub config: Option<PathBuf>,
}

/// Text or JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables and sentences.
    #[default]
    Text,
    /// One object on stdout.
    Json,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Bring TARGET to SOURCE's newest version; again = only what changed
    #[command(after_help = help::CLONE)]
    Clone(CloneArguments),
    /// Show what a sync would move: files, bytes, requests; moves nothing
    #[command(after_help = help::PLAN)]
    Plan(SpecArguments),
    /// Compare a replica with its source: log state and object sizes
    #[command(after_help = help::VERIFY)]
    Verify(VerifyArguments),
    /// List the syncs recorded in a replica's log
    #[command(after_help = help::HISTORY)]
    History(HistoryArguments),
    /// Create, follow and cancel jobs of a coordinator
    #[command(subcommand, after_help = help::JOB)]
    Job(JobCommand),
    /// See and drain the workers of a coordinator
    #[command(subcommand, after_help = help::WORKER)]
    Worker(WorkerCommand),
    /// Standing orders of a coordinator
    #[command(hide = true, disable_help_flag = true)]
    Replication(NotBuiltYet),
    /// Print the completion script of a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArguments),
}

/// Takes whatever follows, so that the refusal comes before any complaint about a flag.
#[derive(Clone, Debug, Args)]
pub struct NotBuiltYet {
    /// Ignored.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<String>,
}

/// One table copied to one place: `clone`, `plan` and `job create` share it.
#[derive(Clone, Debug, Args)]
pub struct SpecArguments {
    /// The table copied from: a path or a URI (s3://, abfss://, az://, gs://, file://)
    pub source: String,
    /// Where its replica is kept: a path or a URI
    pub target: String,
    /// What the replica is; clone: a table with a history of its own, one commit for each sync
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub mode: ModeArgument,
    /// Sync this version of the source instead of the newest
    #[arg(long, value_name = "N", conflicts_with = "timestamp")]
    pub version: Option<u64>,
    /// Sync the newest version at or before this time, such as 2024-05-01T00:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub timestamp: Option<String>,
    /// Only files whose partition matches, such as "country = 'DE' AND year >= 2024"
    #[arg(long = "where", value_name = "PREDICATE")]
    pub partition_filter: Option<String>,
    /// Set a table property on the replica; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub property: Vec<String>,
    /// How copied bytes are proved: their size, a CRC-64 digest, or also reading them back
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub verify: VerifyLevel,
    /// When somebody else changed the replica: refuse, or make it the source's state again
    #[arg(long, value_enum, default_value_t, value_name = "POLICY")]
    pub on_divergence: OnDivergence,
    /// When the source is another table than before: refuse, or start the replica anew
    #[arg(long, value_enum, default_value_t, value_name = "POLICY")]
    pub on_source_replaced: OnSourceReplaced,
    /// Carry a table feature that deepclone does not know; may be repeated
    #[arg(long, value_name = "NAME")]
    pub allow_feature: Vec<String>,
    /// The connection of the source (default: the one with the longest root above it)
    #[arg(long, value_name = "NAME")]
    pub source_connection: Option<String>,
    /// The connection of the target (default: the one with the longest root above it)
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}

/// `clone`.
#[derive(Clone, Debug, Args)]
pub struct CloneArguments {
    /// What to bring where.
    #[command(flatten)]
    pub spec: SpecArguments,
    /// How many workers copy inside this process (default: 2)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
    /// Show what would be moved, and move nothing: `deepclone plan`
    #[arg(long)]
    pub dry_run: bool,
}

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// The table copied from: a path or a URI
    pub source: String,
    /// Its replica: a path or a URI
    pub target: String,
    /// Also compare the digests of all bytes
    #[arg(long)]
    pub deep: bool,
    /// The connection of the source
    #[arg(long, value_name = "NAME")]
    pub source_connection: Option<String>,
    /// The connection of the target
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}

/// `history`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArguments {
    /// The replica: a path or a URI
    pub target: String,
    /// Its connection
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}

/// `job …`.
#[derive(Clone, Debug, Subcommand)]
pub enum JobCommand {
    /// Give a coordinator a sync to do, and return at once
    #[command(after_help = help::JOB_CREATE)]
    Create(SpecArguments),
    /// Show one job
    Get(JobName),
    /// List jobs, newest first
    #[command(after_help = help::JOB_LIST)]
    List(JobListArguments),
    /// Follow a job to its end
    Watch(JobName),
    /// End a job; what was copied stays, the replica is unchanged
    Cancel(JobName),
}

/// One job.
#[derive(Clone, Debug, Args)]
pub struct JobName {
    /// The job's id, as `job create` and `job list` print it
    #[arg(value_name = "JOB")]
    pub job: String,
}

/// `job list`.
#[derive(Clone, Debug, Args)]
pub struct JobListArguments {
    /// Show at most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub limit: u16,
}

/// `worker …`.
#[derive(Clone, Debug, Subcommand)]
pub enum WorkerCommand {
    /// List the workers that the coordinator knows
    List,
    /// Let a worker end what it does and take nothing new
    Drain(WorkerName),
}

/// One worker.
#[derive(Clone, Debug, Args)]
pub struct WorkerName {
    /// The worker's name, as `worker list` prints it
    #[arg(value_name = "WORKER")]
    pub worker: String,
}

/// `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `--mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ModeArgument {
    /// One commit of the replica's own for each sync.
    #[default]
    Clone,
    /// Not built yet.
    #[value(hide = true)]
    Mirror,
}

/// `--verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyLevel {
    /// The length.
    Size,
    /// The CRC-64/NVME of the bytes.
    #[default]
    Digest,
    /// Also read back at the target.
    ReadBack,
}

/// `--on-divergence`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnDivergence {
    /// Refuse.
    #[default]
    Fail,
    /// Make it the source's state again.
    Overwrite,
}

/// `--on-source-replaced`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnSourceReplaced {
    /// Refuse.
    #[default]
    Fail,
    /// Start a new lineage on the same replica.
    Reclone,
}
