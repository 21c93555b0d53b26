//! The command line as clap parses it: unchecked values, in the order of `--help`.
//!
//! Words: a *location* is what a user types for a table (a path or a URI); [`location`] makes it
//! a URI. Flow: `CommandLine` (here) → one checked conversion ([`convert`]) → `CloneSpec`.
//! A flag or value that is not implemented yet is hidden here, and the conversion refuses it by
//! name.

#![warn(missing_docs)]

pub mod admin;
pub mod audit;
pub mod convert;
pub mod cost;
pub mod doctor;
pub mod help;
mod job_list;
pub mod location;
pub mod retention;
mod share;
#[cfg(test)]
mod tests;
mod verify;
pub mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use deepclone_common::config::ByteRate;
use deepclone_common::dial::DialArguments;

pub use admin::{
    AdminCommand, BackupArguments, DatabaseArgument, PurgeArguments, TestWebhookArguments,
};
pub use audit::{AuditCommand, AuditListArguments};
pub use cost::{CostArguments, CostBy};
pub use doctor::DoctorArguments;
pub use job_list::JobListArguments;
pub use retention::{DeletedArguments, VacuumArguments};
pub use share::Share;
pub use verify::VerifyArguments;
pub use worker::{WorkerCommand, WorkerName};

/// Keeps replicas of Delta Lake tables: copies what changed, publishes it in one atomic commit.
#[derive(Clone, Debug, Parser)]
#[command(name = "deepclone", version, after_help = help::TOP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct CommandLine {
    /// The options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command and its arguments.
    #[command(subcommand)]
    pub command: Command,
}

/// The heading of these options in `--help`.
const GLOBAL: &str = "Options of every command";

/// The options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Text for people, or one JSON object on stdout (everything else goes to stderr)
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = GLOBAL)]
    pub output: OutputFormat,
    /// Use this coordinator, such as https://coordinator:7420, instead of one inside this process
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
    /// The id of this command's calls in the coordinator's log, instead of a new one
    #[arg(
        long,
        global = true,
        value_name = "ID",
        env = "DEEPCLONE_REQUEST_ID",
        hide_env_values = true
    )]
    #[arg(help_heading = GLOBAL)]
    pub request_id: Option<String>,
    /// What is shown to the coordinator, and whom this process believes.
    #[command(flatten)]
    pub dial: DialArguments,
}

/// The format of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables and sentences for people.
    #[default]
    Text,
    /// One object on stdout.
    Json,
    /// Rows for a spreadsheet; of `cost` alone.
    Csv,
}

/// A command with its arguments.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Bring TARGET to SOURCE's newest version; a later run copies only what has changed
    #[command(after_help = help::CLONE)]
    Clone(CloneArguments),
    /// Show what a sync would copy: files, bytes, requests; copies nothing
    #[command(after_help = help::PLAN)]
    Plan(SpecArguments),
    /// Compare a replica with its source: log state and object sizes
    #[command(after_help = help::VERIFY)]
    Verify(VerifyArguments),
    /// Bring back what of a replica is damaged: objects that are missing, cut or changed
    #[command(after_help = help::REPAIR)]
    Repair(RepairArguments),
    /// Show what a replica is: its table, source, last sync and owner
    #[command(after_help = help::DESCRIBE)]
    Describe(HistoryArguments),
    /// List the syncs recorded in a replica's log
    #[command(after_help = help::HISTORY)]
    History(HistoryArguments),
    /// Delete from a replica what no reader within its retention needs
    #[command(after_help = help::VACUUM)]
    Vacuum(VacuumArguments),
    /// Tell whether what a source deleted is gone from its replicas, too
    #[command(after_help = help::DELETED)]
    Deleted(DeletedArguments),
    /// Check a connection, one thing after another, and find uploads that killed processes left
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArguments),
    /// Create, follow and cancel jobs of a coordinator
    #[command(subcommand, after_help = help::JOB)]
    Job(JobCommand),
    /// List and drain the workers of a coordinator
    #[command(subcommand, after_help = help::WORKER)]
    Worker(WorkerCommand),
    /// Declare replicas that are kept on a schedule, and see how they stand
    #[command(subcommand, after_help = help::REPLICATION)]
    Replication(ReplicationCommand),
    /// Show what was sent in a month, and what that cost by list prices or those of a file
    #[command(after_help = help::COST)]
    Cost(CostArguments),
    /// Show who asked a coordinator for what
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check, copy and purge the database of a coordinator, on its machine
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Make a token by which a coordinator knows somebody, and the digest that it keeps
    #[command(after_help = help::TOKEN)]
    Token,
    /// Print the completion script of a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArguments),
}

/// The arguments that `clone`, `plan` and `job create` share.
#[derive(Clone, Debug, Args)]
pub struct SpecArguments {
    /// The table to copy: a path or a URI (s3://, abfss://, az://, gs://, file://)
    pub source: String,
    /// The place of its replica: a path or a URI
    pub target: String,
    /// The kind of replica; clone: a table with its own history, one commit for each sync
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub mode: ModeArgument,
    /// Sync this version of the source instead of the newest
    #[arg(long, value_name = "N", conflicts_with = "timestamp")]
    pub version: Option<u64>,
    /// Sync the newest version at or before this time, such as 2024-05-01T00:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub timestamp: Option<String>,
    /// Copy only files whose partition matches, such as "country = 'DE' AND year >= 2024"
    #[arg(long = "where", value_name = "PREDICATE")]
    pub partition_filter: Option<String>,
    /// Set a table property on the replica; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub property: Vec<String>,
    /// How copied bytes are checked: by size, by the checksums of stores, or by reading them back
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub verify: VerifyLevel,
    /// When another writer changed the replica: refuse, or overwrite its changes
    #[arg(long, value_enum, default_value_t, value_name = "POLICY")]
    pub on_divergence: OnDivergence,
    /// When the source is another table than before: refuse, or start the replica again
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

/// The limits that a job is created with.
#[derive(Clone, Debug, Args)]
pub struct JobLimitArguments {
    /// The most bytes of objects that all workers of the job copy per second, such as 100MiB/s
    #[arg(long, value_name = "RATE")]
    pub job_bandwidth: Option<ByteRate>,
    /// The most objects and parts that all workers of the job copy at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub job_concurrency: Option<u32>,
}

/// The arguments of `deepclone clone`.
#[derive(Clone, Debug, Args)]
pub struct CloneArguments {
    /// The source, the target and the policies.
    #[command(flatten)]
    pub spec: SpecArguments,
    /// The limits of the job.
    #[command(flatten)]
    pub limits: JobLimitArguments,
    /// The number of workers inside this process (default: 2)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
    /// The most objects and parts copied at once in this process (default: 512)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub concurrency: Option<u32>,
    /// The most bytes of objects copied per second in this process, such as 200MiB/s
    #[arg(long, value_name = "RATE")]
    pub bandwidth: Option<ByteRate>,
    /// Show what would be copied, and copy nothing, as `deepclone plan` does
    #[arg(long)]
    pub dry_run: bool,
}

/// The arguments of `deepclone repair`.
#[derive(Clone, Debug, Args)]
pub struct RepairArguments {
    /// The replica and its source, and the policies of its last sync.
    #[command(flatten)]
    pub clone: CloneArguments,
    /// Also find objects of the right length and other bytes: by the digests of all
    #[arg(long)]
    pub deep: bool,
}

/// The arguments of `deepclone history` and `deepclone describe`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArguments {
    /// The replica: a path or a URI
    pub target: String,
    /// The connection of the replica
    #[arg(long, value_name = "NAME")]
    pub target_connection: Option<String>,
}

/// The commands of `deepclone job`.
#[derive(Clone, Debug, Subcommand)]
pub enum JobCommand {
    /// Create a job at the coordinator, and return at once
    #[command(after_help = help::JOB_CREATE)]
    Create(JobCreateArguments),
    /// Show the state of a job
    Get(JobName),
    /// List jobs, the newest first
    #[command(after_help = help::JOB_LIST)]
    List(JobListArguments),
    /// Follow a job until it ends
    Watch(JobName),
    /// Cancel a job; the replica is unchanged, and copied objects stay
    Cancel(JobName),
    /// Let no worker get a task of a job for now; what they copy already they copy to the end
    Hold(JobName),
    /// Let workers get tasks of a job that is held
    Release(JobName),
    /// Change how fast the workers of a job copy, while it runs
    #[command(after_help = help::JOB_LIMIT)]
    Limit(JobLimitChange),
}

/// The arguments of `deepclone job create`.
#[derive(Clone, Debug, Args)]
pub struct JobCreateArguments {
    /// The source, the target and the policies.
    #[command(flatten)]
    pub spec: SpecArguments,
    /// The limits of the job.
    #[command(flatten)]
    pub limits: JobLimitArguments,
}

/// The arguments of `deepclone job limit`.
#[derive(Clone, Debug, Args)]
pub struct JobLimitChange {
    /// The job's id, as `job create` and `job list` print it
    #[arg(value_name = "JOB")]
    pub job: String,
    /// The most bytes of objects that all workers of the job copy per second, or none
    #[arg(long, value_name = "RATE|none", required_unless_present = "concurrency")]
    pub bandwidth: Option<Limit<ByteRate>>,
    /// The most objects and parts that all workers of the job copy at once, or none
    #[arg(long, value_name = "N|none")]
    pub concurrency: Option<Limit<u32>>,
}

/// A limit that is set, or lifted by `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<T>(pub Option<T>);

impl<T: std::str::FromStr> std::str::FromStr for Limit<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "none" => Ok(Self(None)),
            _ => text.parse().map(|limit| Self(Some(limit))),
        }
    }
}

/// The arguments of commands for one job.
#[derive(Clone, Debug, Args)]
pub struct JobName {
    /// The job's id, as `job create` and `job list` print it
    #[arg(value_name = "JOB")]
    pub job: String,
}

/// The commands of `deepclone replication`.
#[derive(Clone, Debug, Subcommand)]
pub enum ReplicationCommand {
    /// Make the replications of a file those that are kept; the same file again changes nothing
    #[command(after_help = help::REPLICATION_APPLY)]
    Apply(ApplyArguments),
    /// Show what applying a file would change, and change nothing
    Diff(FileArgument),
    /// List replications and how far each is behind
    List(GroupArgument),
    /// Show a replication with its tables, its next slots and what ran
    Get(ReplicationArgument),
    /// Begin no more rounds; one that is under way goes on to its end
    Pause(PauseArguments),
    /// End a pause; `on_resume` of the file says what comes first
    Resume(ReplicationArgument),
    /// Begin a round as soon as one may, beside the schedule
    Run(ReplicationArgument),
    /// Let tables be copied that patterns found and that wait for approval, from the next round on
    Approve(ApproveArguments),
    /// End a replication for good; its replicas stay as they are
    Retire(ReplicationArgument),
    /// Say whether a group can be failed over to, and what that would lose; exit code 6 if not
    #[command(after_help = help::REPLICATION_READY)]
    Ready(GroupArgument),
    /// Keep the replications of a file by a coordinator and workers in this process
    #[command(after_help = help::REPLICATION_SERVE)]
    Serve(ServeArguments),
}

/// The arguments of `deepclone replication apply`.
#[derive(Clone, Debug, Args)]
pub struct ApplyArguments {
    /// The file: TOML, or YAML by its ending
    pub file: PathBuf,
    /// Also retire what the file does not name any more
    #[arg(long)]
    pub yes: bool,
}

/// The arguments of `deepclone replication serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArguments {
    /// The file with what to keep.
    #[command(flatten)]
    pub apply: ApplyArguments,
    /// Address for gRPC; port 0 takes a free one [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address for the pages and /metrics [default: 127.0.0.1:7421]
    #[arg(long, value_name = "ADDRESS")]
    pub http_listen: Option<SocketAddr>,
    /// Where the state lives: sqlite:FILE [default: sqlite:deepclone.db]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// The number of workers inside this process
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,
    /// Listen beyond loopback without TLS and authentication
    #[arg(long)]
    pub insecure: bool,
}

/// The arguments of `deepclone replication diff`.
#[derive(Clone, Debug, Args)]
pub struct FileArgument {
    /// The file: TOML, or YAML by its ending
    pub file: PathBuf,
}

/// The arguments of commands for a group of replications.
#[derive(Clone, Debug, Args)]
pub struct GroupArgument {
    /// Only the replications of this group (default: all)
    pub group: Option<String>,
}

/// The arguments of commands for one replication.
#[derive(Clone, Debug, Args)]
pub struct ReplicationArgument {
    /// The replication's name, as the file has it
    #[arg(value_name = "NAME")]
    pub replication: String,
}

/// The arguments of `deepclone replication pause`.
#[derive(Clone, Debug, Args)]
pub struct PauseArguments {
    /// The replication to pause.
    #[command(flatten)]
    pub name: ReplicationArgument,
    /// End the pause at this time, such as 2026-12-01T08:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub until: Option<String>,
}

/// The arguments of `deepclone replication approve`.
#[derive(Clone, Debug, Args)]
pub struct ApproveArguments {
    /// The replication of the tables.
    #[command(flatten)]
    pub name: ReplicationArgument,
    /// The tables, as `get` shows them
    #[arg(value_name = "PATH", required = true)]
    pub tables: Vec<String>,
}

/// The arguments of `deepclone completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArguments {
    /// The shell of the script
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// The values of `--mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ModeArgument {
    /// A history of its own, with one commit for each sync.
    #[default]
    Clone,
    /// The source's log, byte for byte: not implemented yet.
    #[value(hide = true)]
    Mirror,
}

/// The values of `--verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyLevel {
    /// The length of each object.
    Size,
    /// Every checksum that a store says of the bytes.
    #[default]
    Digest,
    /// The same, and a read-back at the target.
    ReadBack,
}

/// The values of `--on-divergence`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnDivergence {
    /// Refuse to change it.
    #[default]
    Fail,
    /// Replace the other writer's changes by the source's state.
    Overwrite,
}

/// The values of `--on-source-replaced`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnSourceReplaced {
    /// Refuse to change it.
    #[default]
    Fail,
    /// Start a new lineage on the same replica.
    Reclone,
}
