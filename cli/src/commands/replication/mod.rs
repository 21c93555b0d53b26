//! `deepclone replication …`: the standing orders of a coordinator elsewhere, or of this process.

mod apply;
mod file;
mod serve;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::context::CommandContext;
use crate::args::ReplicationCommand;
use crate::args::convert::time_ms;
use crate::render::{self, CommandOutput};

/// Runs a command of `deepclone replication`.
///
/// # Errors
/// The refusal of the coordinator, or every mistake of a file.
pub async fn run(
    command: &ReplicationCommand,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    match command {
        ReplicationCommand::Apply(arguments) => {
            let read = file::read(&arguments.file, context)?;
            let mut coordinator = context.coordinator("replication apply").await?;
            apply::apply(&mut coordinator, &read, arguments).await
        }
        ReplicationCommand::Diff(arguments) => {
            let read = file::read(&arguments.file, context)?;
            let mut coordinator = context.coordinator("replication diff").await?;
            let changes = coordinator.apply(&read.specs, &read.budgets, true).await;
            render::declared::changes(&changes.map_err(|error| read.located(error))?, false)
        }
        ReplicationCommand::List(arguments) => {
            let mut coordinator = context.coordinator("replication list").await?;
            let group = arguments.group.as_deref();
            let (replications, _) = coordinator.replications(group).await?;
            render::replication::many(&replications)
        }
        ReplicationCommand::Get(name) => {
            let mut coordinator = context.coordinator("replication get").await?;
            render::replication::one(&coordinator.replication(&name.replication).await?)
        }
        ReplicationCommand::Pause(arguments) => {
            let until = arguments.until.as_deref().map(|until| time_ms("--until", until));
            let until = until.transpose()?;
            let mut coordinator = context.coordinator("replication pause").await?;
            let paused = coordinator.pause(&arguments.name.replication, until).await?;
            render::replication::one(&paused)
        }
        ReplicationCommand::Resume(name) => {
            let mut coordinator = context.coordinator("replication resume").await?;
            render::replication::one(&coordinator.resume(&name.replication).await?)
        }
        ReplicationCommand::Run(name) => {
            let mut coordinator = context.coordinator("replication run").await?;
            render::replication::one(&coordinator.run_round(&name.replication).await?)
        }
        ReplicationCommand::Approve(arguments) => {
            let mut coordinator = context.coordinator("replication approve").await?;
            let name = &arguments.name.replication;
            render::replication::one(&coordinator.approve(name, &arguments.tables).await?)
        }
        ReplicationCommand::Retire(name) => {
            let mut coordinator = context.coordinator("replication retire").await?;
            render::replication::one(&coordinator.retire(&name.replication).await?)
        }
        ReplicationCommand::Serve(arguments) => serve::serve(arguments, context).await,
        ReplicationCommand::Ready(arguments) => {
            let mut coordinator = context.coordinator("replication ready").await?;
            let group = arguments.group.as_deref();
            let (replications, verdict) = coordinator.replications(group).await?;
            if let (Some(group), true) = (group, replications.is_empty()) {
                let message = format!("no replication is of the group {group}");
                return Err(Failure::new(Reason::ReplicationNotFound, message));
            }
            render::replication::verdict(&verdict)
        }
    }
}
