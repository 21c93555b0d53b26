//! The arguments of `deepclone audit`.

use clap::{Args, Subcommand};

use super::help;

/// The commands of `deepclone audit`.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// List changes and refusals, the newest first
    #[command(after_help = help::AUDIT_LIST)]
    List(AuditListArguments),
}

/// The arguments of `audit list`.
#[derive(Clone, Debug, Args)]
pub struct AuditListArguments {
    /// Only what this principal asked for
    #[arg(long, value_name = "NAME")]
    pub principal: Option<String>,
    /// Only what this was asked for, such as jobs/… or replications/…
    #[arg(long, value_name = "RESOURCE")]
    pub resource: Option<String>,
    /// Only from this time on, such as 2026-11-27T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}
