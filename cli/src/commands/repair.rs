//! `deepclone repair`: a job that keeps the replica's version and brings back what is damaged.

use deepclone_core::failure::Failure;
use deepclone_core::spec::Repair;

use super::clone;
use super::context::CommandContext;
use crate::args::RepairArguments;
use crate::render::CommandOutput;

/// Runs `deepclone repair`.
///
/// # Errors
/// As [`clone::run`]; `INVALID_ARGUMENT` when another part or version is asked for than the
/// replica has.
pub async fn run(
    arguments: &RepairArguments,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    let repair = if arguments.deep { Repair::Bytes } else { Repair::Sizes };
    clone::run_as(repair, &arguments.clone, context).await
}
