//! The arguments of `deepclone admin`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::help;

/// The commands of `deepclone admin`.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Check a coordinator's database; exit code 6 when something is wrong with it
    #[command(after_help = help::ADMIN_CHECK)]
    Check(DatabaseArgument),
    /// Copy a coordinator's database to FILE, also while the coordinator runs
    #[command(after_help = help::ADMIN_BACKUP)]
    Backup(BackupArguments),
    /// Drop what a stopped coordinator's database needs no more
    #[command(after_help = help::ADMIN_PURGE)]
    Purge(PurgeArguments),
    /// Send a webhook of --config one message, to see whether it arrives
    #[command(after_help = help::ADMIN_TEST_WEBHOOK)]
    TestWebhook(TestWebhookArguments),
}

/// The arguments of `admin test-webhook`.
#[derive(Clone, Debug, Args)]
pub struct TestWebhookArguments {
    /// The name of the webhook, as its section of the configuration has it
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Which database is meant.
#[derive(Clone, Debug, Args)]
pub struct DatabaseArgument {
    /// The coordinator's database: sqlite:FILE [default: that of --config, or sqlite:deepclone.db]
    #[arg(long, value_name = "URL", env = "DEEPCLONE_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
}

/// The arguments of `admin backup`.
#[derive(Clone, Debug, Args)]
pub struct BackupArguments {
    /// The copy; nothing may be there
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which database is meant.
    #[command(flatten)]
    pub database: DatabaseArgument,
}

/// The arguments of `admin purge`.
#[derive(Clone, Debug, Args)]
pub struct PurgeArguments {
    /// Drop jobs that ended longer ago than this, with their evidence, such as 7days [default: 90
    /// days, and their evidence after 30]
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub older_than: Option<Duration>,
    /// Count what would be dropped, and drop nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Which database is meant.
    #[command(flatten)]
    pub database: DatabaseArgument,
}
