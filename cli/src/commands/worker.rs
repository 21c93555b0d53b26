//! `deepclone worker …`: the workers of a coordinator elsewhere.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use uuid::Uuid;

use super::context::CommandContext;
use crate::args::WorkerCommand;
use crate::client::worker::{WorkerInfo, WorkerStatus};
use crate::refusal::invalid;
use crate::render::{self, CommandOutput};

/// Runs a command of `deepclone worker`.
///
/// # Errors
/// The refusal of the coordinator.
pub async fn run(
    command: &WorkerCommand,
    context: &CommandContext,
) -> Result<CommandOutput, Failure> {
    match command {
        WorkerCommand::List => {
            let mut coordinator = context.coordinator("worker list").await?;
            render::worker::many(&coordinator.workers().await?)
        }
        WorkerCommand::Drain(name) => {
            let mut coordinator = context.coordinator("worker drain").await?;
            let id = match worker_id(&name.worker) {
                Some(id) => id,
                None => by_name(&coordinator.workers().await?, &name.worker)?,
            };
            render::worker::one(&coordinator.drain(id).await?)
        }
    }
}

fn worker_id(typed: &str) -> Option<Uuid> {
    typed.strip_prefix("workers/").unwrap_or(typed).parse().ok()
}

/// Returns the id of the worker with this name. Lost workers may have had the same name.
fn by_name(workers: &[WorkerInfo], name: &str) -> Result<Uuid, Failure> {
    let named = || workers.iter().filter(|worker| worker.name == name);
    let there: Vec<Uuid> = named()
        .filter(|worker| worker.state != WorkerStatus::Lost)
        .map(|worker| worker.id)
        .collect();
    match (&there[..], named().count()) {
        ([id], _) => Ok(*id),
        ([], 0) => {
            let message = format!("no worker is called {name:?}: see `deepclone worker list`");
            Err(Failure::new(Reason::WorkerNotFound, message))
        }
        ([], _) => {
            let message = format!("the worker {name:?} is lost: there is nothing to drain");
            Err(Failure::new(Reason::WorkerNotFound, message))
        }
        (several, _) => {
            let ids = several.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
            Err(invalid(format!("several workers are called {name:?}: give an id, of {ids}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(id: u128, name: &str, state: WorkerStatus) -> WorkerInfo {
        WorkerInfo {
            id: Uuid::from_u128(id),
            name: name.to_owned(),
            state,
            version: "0.1.0".to_owned(),
            connections: Vec::new(),
            last_seen_time_ms: None,
            set_aside: Vec::new(),
        }
    }

    #[test]
    fn a_name_means_the_process_that_is_there() {
        let workers = [
            worker(1, "a", WorkerStatus::Lost),
            worker(2, "a", WorkerStatus::Active),
            worker(3, "twin", WorkerStatus::Active),
            worker(4, "twin", WorkerStatus::Draining),
            worker(5, "gone", WorkerStatus::Lost),
        ];
        let check = |name: &str| by_name(&workers, name).map_err(|failure| failure.reason);
        assert_eq!(check("a"), Ok(Uuid::from_u128(2)));
        assert_eq!(check("twin"), Err(Reason::InvalidArgument));
        assert_eq!(check("gone"), Err(Reason::WorkerNotFound));
        assert_eq!(check("nobody"), Err(Reason::WorkerNotFound));
    }
}
