//! A file's replications become those that a coordinator keeps.

use deepclone_core::failure::Failure;

use super::file::DeclaredSet;
use crate::args::ApplyArguments;
use crate::client::CoordinatorClient;
use crate::client::replication::{ChangeInfo, SetChanges};
use crate::refusal::invalid;
use crate::render::output::aside;
use crate::render::{self, CommandOutput};

/// Makes the replications of a file those that are kept. Some that it does not name are retired
/// with `--yes` only.
pub(super) async fn apply(
    coordinator: &mut CoordinatorClient,
    read: &DeclaredSet,
    arguments: &ApplyArguments,
) -> Result<CommandOutput, Failure> {
    let planned = coordinator.apply(&read.specs, &read.budgets, true).await;
    let planned = planned.map_err(|error| read.located(error))?;
    let retired: Vec<&str> =
        of_kind(&planned.replications, "RETIRE").map(|change| &*change.name).collect();
    if !retired.is_empty() && !arguments.yes {
        return Err(invalid(format!(
            "{} does not name {}, which would be retired (the replicas are kept): give --yes if \
             that is meant",
            arguments.file.display(),
            retired.join(", ")
        )));
    }
    if planned.is_change() {
        aside(&render::declared::grid(&planned));
    }
    let changes = coordinator.apply(&read.specs, &read.budgets, false).await;
    let changes = changes.map_err(|error| read.located(error))?;
    render::declared::changes(&with_bytes(changes, &planned.replications), true)
}

/// What was done, with the bytes that were counted before.
fn with_bytes(changes: SetChanges, planned: &[ChangeInfo]) -> SetChanges {
    let counted = |change: ChangeInfo| {
        let Some(known) = planned.iter().find(|known| known.name == change.name) else {
            return change;
        };
        let (bytes, bytes_at_least) = (known.bytes, known.bytes_at_least);
        let (cost, notices) = (known.cost, known.notices.clone());
        ChangeInfo { bytes, bytes_at_least, cost, notices, ..change }
    };
    let replications = changes.replications.into_iter().map(counted).collect();
    SetChanges { replications, ..changes }
}

fn of_kind<'a>(changes: &'a [ChangeInfo], kind: &str) -> impl Iterator<Item = &'a ChangeInfo> {
    changes.iter().filter(move |change| change.kind == kind)
}
