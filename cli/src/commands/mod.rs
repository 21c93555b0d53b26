//! What each command does, between its checked arguments and its answer.
//!
//! Words: the [`Context`] is what a command knows of its surroundings; a [`session::Session`] is
//! the coordinator that it speaks to, in this process or elsewhere.

pub mod clone;
pub mod completions;
pub mod follow;
pub mod history;
pub mod job;
pub mod plan;
pub mod session;
pub mod verify;
pub mod worker;

use std::path::PathBuf;

use deepclone_core::failure::Failure;

use crate::args::convert::{invalid, not_built_yet};
use crate::args::{Arguments, Command, Global};
use crate::client::Coordinator;
use crate::render::Answer;

/// What a command knows of its surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// The options that every command understands.
    pub global: Global,
    /// The base of relative paths.
    pub current_dir: PathBuf,
}

impl Context {
    /// The URL of the coordinator elsewhere; none: this process runs its own.
    #[must_use]
    pub fn coordinator_url(&self) -> Option<&str> {
        // An empty variable is as good as none.
        self.global.coordinator.as_deref().filter(|url| !url.is_empty())
    }

    /// Connects to the coordinator elsewhere, which `command` cannot do without.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when none is named; else as [`Coordinator::connect`].
    pub async fn coordinator(&self, command: &str) -> Result<Coordinator, Failure> {
        let Some(url) = self.coordinator_url() else {
            return Err(invalid(format!(
                "`deepclone {command}` needs a coordinator: give --coordinator URL or set \
                 DEEPCLONE_COORDINATOR"
            )));
        };
        Coordinator::connect(url).await
    }

    /// Refuses `command` against a coordinator elsewhere: it reads the tables itself.
    ///
    /// # Errors
    /// `UNIMPLEMENTED`, naming the command.
    pub fn refuse_coordinator(&self, command: &str) -> Result<(), Failure> {
        match self.coordinator_url() {
            Some(_) => Err(not_built_yet(&format!(
                "`deepclone {command}` with --coordinator (or DEEPCLONE_COORDINATOR)"
            ))),
            None => Ok(()),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Why it failed or was refused.
pub async fn run(arguments: Arguments) -> Result<Answer, Failure> {
    let Arguments { global, command } = arguments;
    let current_dir = std::env::current_dir()
        .map_err(|error| invalid(format!("the current folder cannot be told: {error}")))?;
    let context = Context { global, current_dir };
    match &command {
        Command::Clone(arguments) => clone::run(arguments, &context).await,
        Command::Plan(arguments) => plan::run(arguments, &context).await,
        Command::Verify(arguments) => verify::run(arguments, &context).await,
        Command::History(arguments) => history::run(arguments, &context).await,
        Command::Job(command) => job::run(command, &context).await,
        Command::Worker(command) => worker::run(command, &context).await,
        Command::Replication(_) => Err(not_built_yet("`deepclone replication`")),
        Command::Completions(arguments) => completions::run(arguments),
    }
}
