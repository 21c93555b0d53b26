//! A coordinator and its workers inside this process, for a command without `--coordinator`.

pub mod state_file;

use deepclone_common::connections::Connections;
use deepclone_core::failure::Failure;
use deepclone_core::spec::CloneSpec;

use crate::args::convert::not_built_yet;
use crate::client::Coordinator;

/// A coordinator and workers of this process.
#[derive(Debug)]
pub struct Embedded {}

impl Embedded {
    /// Starts them for `spec`.
    ///
    /// # Errors
    /// What keeps them from starting.
    pub async fn start(
        _connections: Connections,
        _spec: &CloneSpec,
        _workers: u16,
    ) -> Result<(Self, Coordinator), Failure> {
        Err(not_built_yet("a command without --coordinator"))
    }

    /// Ends them.
    pub async fn stop(self) {}
}
