//! `deepclone audit …`: who asked a coordinator for what.

use deepclone_core::failure::Failure;

use super::context::CommandContext;
use crate::args::AuditCommand;
use crate::args::convert::time_ms;
use crate::client::audit::AuditFilter;
use crate::render::{self, CommandOutput};

/// Runs a command of `deepclone audit`.
///
/// # Errors
/// The refusal of the coordinator, or a malformed time.
pub async fn run(
    command: &AuditCommand,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let AuditCommand::List(arguments) = command;
    let since = arguments.since.as_deref().map(|since| time_ms("--since", since));
    let filter = AuditFilter {
        principal: arguments.principal.clone(),
        resource: arguments.resource.clone(),
        since_ms: since.transpose()?,
        limit: arguments.limit as usize,
    };
    let mut coordinator = context.coordinator("audit list").await?;
    render::audit::many(&coordinator.audit(&filter).await?)
}
