//! `deepclone history`: the syncs recorded in a replica's log.

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;

use super::context::CommandContext;
use super::session;
use crate::args::{HistoryArguments, convert};
use crate::client::history::SyncInfo;
use crate::render::{self, CommandOutput};

/// Runs `deepclone history`.
///
/// # Errors
/// The reason why the log cannot be read.
pub async fn run(
    arguments: &HistoryArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let connection = arguments.target_connection.as_deref();
    if let Some(url) = context.coordinator_url() {
        let (side, folder) = (Side::Target, &context.current_dir);
        let target = convert::table(side, &arguments.target, connection, folder)?;
        let (uri, syncs) = context.connect(url).await?.history(&target).await?;
        return render::history::answer(&uri, &syncs);
    }
    let store = session::open_replica(context, &arguments.target, connection)?;
    let records =
        deepclone_delta::history::history(&store).await.map_err(|error| error.failure())?;
    let syncs: Vec<_> = records.into_iter().map(SyncInfo::from).collect();
    render::history::answer(&store.uri, &syncs)
}
