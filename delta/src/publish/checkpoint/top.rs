//! The file of a V2 checkpoint that readers begin with: JSON, one action a line, with everything
//! but the files, and the names of the sidecars that hold these.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#v2-spec>

use std::io;

use serde_json::json;

use super::state::CheckpointState;
use crate::actions::LogAction;
use crate::error::DeltaError;
use crate::log::named;
use crate::spool::{Spool, lost};

/// A sidecar that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrittenSidecar {
    /// Its name in the sidecars' folder.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) actions: u64,
}

/// Writes the file for the checkpoint of `version`, whose commit has the time `at_ms`; `paths` is
/// what the sidecars say of all paths. Returns it and the number of its actions.
///
/// # Errors
/// A temporary file cannot be read.
pub(super) fn write(
    state: &CheckpointState<'_>,
    (version, at_ms): (u64, i64),
    sidecars: &[WrittenSidecar],
    paths: &str,
) -> Result<(Spool, u64), DeltaError> {
    let (mut file, mut actions) = (Spool::new(), 0);
    let mut put = |line: &str| {
        actions += 1;
        file.append_anywhere(line.as_bytes()).and_then(|()| file.append_anywhere(b"\n"))
    };
    let written: io::Result<()> = (|| {
        // As Spark names them, for those who look at a checkpoint without its sidecars.
        let tags = json!({
            named::PLAIN_PATHS: paths,
            "numOfAddFiles": state.adds.len().to_string(),
            "sidecarNumActions": sum(sidecars, |sidecar| sidecar.actions).to_string(),
            "sidecarSizeInBytes": sum(sidecars, |sidecar| sidecar.size).to_string(),
        });
        let metadata = json!({"checkpointMetadata": {"version": version, "tags": tags}});
        put(&metadata.to_string())?;
        for sidecar in sidecars {
            // The time is the commit's, so that the file's content follows from the state.
            let sidecar = json!({"sidecar": {"path": sidecar.name, "sizeInBytes": sidecar.size,
                "modificationTime": at_ms}});
            put(&sidecar.to_string())?;
        }
        put(&LogAction::Protocol(state.protocol.clone()).to_json())?;
        put(&LogAction::Metadata(state.metadata.clone()).to_json())?;
        for txn in &state.txns {
            put(&LogAction::Txn(txn.clone()).to_json())?;
        }
        for domain in &state.domains {
            put(&LogAction::DomainMetadata(domain.clone()).to_json())?;
        }
        Ok(())
    })();
    written.map_err(|error| lost("a checkpoint", &error))?;
    Ok((file, actions))
}

/// Adds up a figure of all sidecars.
pub(super) fn sum(sidecars: &[WrittenSidecar], figure: impl Fn(&WrittenSidecar) -> u64) -> u64 {
    sidecars.iter().map(figure).sum()
}
