//! A file's replications become those that a coordinator keeps.

use deepclone_core::failure::Failure;

use super::file::DeclaredSet;
use crate::args::ApplyArguments;
use crate::client::CoordinatorClient;
use crate::client::replication::ChangeInfo;
use crate::refusal::invalid;
use crate::render::{self, CommandOutput};

/// Makes the replications of a file those that are kept. Some that it does not name are retired
/// with `--yes` only.
pub(super) async fn apply(
    coordinator: &mut CoordinatorClient,
    read: &DeclaredSet,
    arguments: &ApplyArguments,
) -> Result<CommandOutput, Failure> {
    let planned = coordinator.apply(&read.specs, true).await;
    let planned = planned.map_err(|error| read.located(error))?;
    let retired: Vec<&str> = of_kind(&planned, "RETIRE").map(|change| &*change.name).collect();
    if !retired.is_empty() && !arguments.yes {
        return Err(invalid(format!(
            "{} does not name {}, which would be retired (the replicas are kept): give --yes if \
             that is meant",
            arguments.file.display(),
            retired.join(", ")
        )));
    }
    let changes = coordinator.apply(&read.specs, false).await;
    render::replication::changes(&changes.map_err(|error| read.located(error))?, true)
}

fn of_kind<'a>(changes: &'a [ChangeInfo], kind: &str) -> impl Iterator<Item = &'a ChangeInfo> {
    changes.iter().filter(move |change| change.kind == kind)
}
