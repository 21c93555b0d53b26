//! `deepclone history`: the syncs recorded in a replica's log.

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;

use super::context::CommandContext;
use super::session;
use crate::args::{HistoryArguments, convert};
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
    let target = convert::table(
        Side::Target,
        &arguments.target,
        arguments.target_connection.as_deref(),
        &context.current_dir,
    )?;
    let connections = session::connections(context, &[(&target, Side::Target)])?;
    let store = session::open(&connections, &target, Side::Target)?;
    let records =
        deepclone_delta::history::history(&store).await.map_err(|error| error.failure())?;
    render::history::answer(&store.uri, &records)
}
