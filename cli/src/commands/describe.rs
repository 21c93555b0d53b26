//! `deepclone describe`: what a replica is, as its log says it.

use deepclone_core::failure::Failure;

use super::context::CommandContext;
use super::session;
use crate::args::HistoryArguments;
use crate::render::{self, CommandOutput};

/// Runs `deepclone describe`.
///
/// # Errors
/// The reason why the log cannot be read, or the table is no replica.
pub async fn run(
    arguments: &HistoryArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    context.refuse_coordinator("describe")?;
    let connection = arguments.target_connection.as_deref();
    let store = session::open_replica(context, &arguments.target, connection)?;
    let found =
        deepclone_delta::describe::describe(&store).await.map_err(|error| error.failure())?;
    render::describe::answer(&store.uri, &found)
}
