//! What a command knows of its surroundings.

use std::path::PathBuf;

use deepclone_core::failure::Failure;

use crate::args::Global;
use crate::client::CoordinatorClient;
use crate::refusal::{invalid, not_built_yet};

/// What a command knows of its surroundings.
#[derive(Clone, Debug)]
pub struct CommandContext {
    /// The options that every command understands.
    pub global: Global,
    /// The base of relative paths.
    pub current_dir: PathBuf,
}

impl CommandContext {
    /// The URL of the coordinator elsewhere; none: this process runs its own.
    #[must_use]
    pub fn coordinator_url(&self) -> Option<&str> {
        // An empty variable is as good as none.
        self.global.coordinator.as_deref().filter(|url| !url.is_empty())
    }

    /// Connects to the coordinator elsewhere, which `command` cannot do without.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when none is named; else as [`CoordinatorClient::connect`].
    pub async fn coordinator(&self, command: &str) -> Result<CoordinatorClient, Failure> {
        let Some(url) = self.coordinator_url() else {
            return Err(invalid(format!(
                "`deepclone {command}` needs a coordinator: give --coordinator URL or set \
                 DEEPCLONE_COORDINATOR"
            )));
        };
        CoordinatorClient::connect(url).await
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
