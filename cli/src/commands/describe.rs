//! `deepclone describe`: what a replica is, as its log says it.

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;

use super::context::CommandContext;
use super::session;
use crate::args::{HistoryArguments, convert};
use crate::client::replicas::ReplicaInfo;
use crate::render::{self, CommandOutput};

/// Runs `deepclone describe`.
///
/// # Errors
/// The reason why the log cannot be read, or the table is no replica.
pub async fn run(
    arguments: &HistoryArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let connection = arguments.target_connection.as_deref();
    if let Some(url) = context.coordinator_url() {
        let (side, folder) = (Side::Target, &context.current_dir);
        let target = convert::table(side, &arguments.target, connection, folder)?;
        let found = context.connect(url).await?.describe(&target).await?;
        return render::describe::answer(&found);
    }
    let store = session::open_replica(context, &arguments.target, connection)?;
    let found =
        deepclone_delta::describe::describe(&store).await.map_err(|error| error.failure())?;
    render::describe::answer(&ReplicaInfo::of(&store.uri, found))
}
