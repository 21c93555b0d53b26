//! `deepclone history`: the syncs recorded in a replica's log.

use deepclone_core::failure::Failure;

use super::context::CommandContext;
use super::session;
use crate::args::HistoryArguments;
use crate::render::{self, CommandOutput};

/// Runs `deepclone history`.
///
/// # Errors
/// The reason why the log cannot be read.
pub async fn run(
    arguments: &HistoryArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    context.refuse_coordinator("history")?;
    let connection = arguments.target_connection.as_deref();
    let store = session::open_replica(context, &arguments.target, connection)?;
    let records =
        deepclone_delta::history::history(&store).await.map_err(|error| error.failure())?;
    render::history::answer(&store.uri, &records)
}
