//! The surroundings of a command: its common options and the current folder.

use std::path::PathBuf;

use deepclone_common::dial::Dialer;
use deepclone_common::request_id::RequestId;
use deepclone_core::failure::Failure;

use crate::args::Global;
use crate::client::CoordinatorClient;
use crate::refusal::{invalid, not_built_yet};

/// The options of every command, and the current folder.
#[derive(Clone, Debug)]
pub struct CommandContext {
    /// The options of every command.
    pub global: Global,
    /// The base of relative paths.
    pub current_dir: PathBuf,
}

impl CommandContext {
    /// Returns the URL of the coordinator elsewhere, or `None` when this process runs its own.
    #[must_use]
    pub fn coordinator_url(&self) -> Option<&str> {
        // An empty variable counts as unset.
        self.global.coordinator.as_deref().filter(|url| !url.is_empty())
    }

    /// Connects to the coordinator elsewhere, which `command` needs.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when no coordinator is named; else as [`CoordinatorClient::connect`].
    pub async fn coordinator(&self, command: &str) -> Result<CoordinatorClient, Failure> {
        let Some(url) = self.coordinator_url() else {
            return Err(invalid(format!(
                "`deepclone {command}` needs a coordinator: give --coordinator URL or set \
                 DEEPCLONE_COORDINATOR"
            )));
        };
        self.connect(url).await
    }

    /// Connects to the coordinator at `url`.
    ///
    /// # Errors
    /// As [`CoordinatorClient::connect`], or a file or an id of a flag that cannot be used.
    pub async fn connect(&self, url: &str) -> Result<CoordinatorClient, Failure> {
        let dialer = Dialer::new(&self.global.dial)?.with_request_id(&self.request_id()?);
        CoordinatorClient::connect(url, &dialer).await
    }

    /// Returns the id that was given, or a new one.
    fn request_id(&self) -> Result<RequestId, Failure> {
        match self.global.request_id.as_deref().filter(|id| !id.is_empty()) {
            None => Ok(RequestId::new()),
            Some(id) => id.parse().map_err(|error: Failure| {
                invalid(format!("--request-id (or DEEPCLONE_REQUEST_ID): {error}"))
            }),
        }
    }

    /// Refuses `command` with a coordinator elsewhere, because it reads the tables itself.
    ///
    /// # Errors
    /// `UNIMPLEMENTED` with the command.
    pub fn refuse_coordinator(&self, command: &str) -> Result<(), Failure> {
        match self.coordinator_url() {
            Some(_) => Err(not_built_yet(&format!(
                "`deepclone {command}` with --coordinator (or DEEPCLONE_COORDINATOR)"
            ))),
            None => Ok(()),
        }
    }
}
