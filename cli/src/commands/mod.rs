//! The commands, from their checked arguments to their answers.
//!
//! A [`CommandContext`] holds the options of every command; a [`session::Session`] is the
//! coordinator that a command talks to, in this process or elsewhere.

pub mod admin;
pub mod audit;
pub mod clone;
pub mod completions;
pub mod context;
pub mod cost;
pub mod deleted;
pub mod describe;
pub mod doctor;
pub mod follow;
pub mod history;
pub mod job;
pub mod plan;
pub mod repair;
pub mod replication;
pub mod session;
pub mod token;
pub mod vacuum;
pub mod verify;
pub mod worker;

use deepclone_core::failure::Failure;

use context::CommandContext;

use crate::args::{Command, CommandLine, OutputFormat};
use crate::refusal::invalid;
use crate::render::CommandOutput;

/// Runs the command.
///
/// # Errors
/// The reason why the command failed or was refused.
pub async fn run(arguments: CommandLine) -> Result<CommandOutput, Failure> {
    let CommandLine { global, command } = arguments;
    let current_dir = std::env::current_dir()
        .map_err(|error| invalid(format!("the current folder cannot be read: {error}")))?;
    let context = CommandContext { global, current_dir };
    if context.global.output == OutputFormat::Csv && !matches!(command, Command::Cost(_)) {
        return Err(invalid("--output csv goes with `deepclone cost` only"));
    }
    match &command {
        Command::Cost(arguments) => cost::run(arguments, &context).await,
        Command::Clone(arguments) => clone::run(arguments, &context).await,
        Command::Plan(arguments) => plan::run(arguments, &context).await,
        Command::Verify(arguments) => verify::run(arguments, &context).await,
        Command::Repair(arguments) => repair::run(arguments, &context).await,
        Command::Describe(arguments) => describe::run(arguments, &context).await,
        Command::History(arguments) => history::run(arguments, &context).await,
        Command::Vacuum(arguments) => vacuum::run(arguments, &context).await,
        Command::Deleted(arguments) => deleted::run(arguments, &context).await,
        Command::Doctor(arguments) => doctor::run(arguments, &context).await,
        Command::Job(command) => job::run(command, &context).await,
        Command::Worker(command) => worker::run(command, &context).await,
        Command::Replication(command) => replication::run(command, &context).await,
        Command::Audit(command) => audit::run(command, &context).await,
        Command::Admin(command) => admin::run(command, &context).await,
        Command::Token => token::run(),
        Command::Completions(arguments) => completions::run(arguments),
    }
}
