//! The answers of `worker list` and `worker drain`.

use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use serde::Serialize;
use uuid::Uuid;

use super::{CommandOutput, table, units};
use crate::client::worker::WorkerInfo;

#[derive(Debug, Serialize)]
struct Object<'a> {
    worker_id: Uuid,
    name: &'a str,
    state: &'static str,
    version: &'a str,
    connections: &'a [String],
    last_seen_time: Option<String>,
    set_aside: Vec<Aside<'a>>,
}

#[derive(Debug, Serialize)]
struct Aside<'a> {
    connection: &'a str,
    reason: &'a str,
    until_time: Option<String>,
}

/// Returns the answer for one worker.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn one(worker: &WorkerInfo) -> Result<CommandOutput, Failure> {
    CommandOutput::new(grid(std::slice::from_ref(worker)), &object(worker))
}

/// Returns the answer for several workers.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn many(workers: &[WorkerInfo]) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct List<'a> {
        workers: Vec<Object<'a>>,
    }
    let text = match workers.is_empty() {
        true => "no workers".to_owned(),
        false => grid(workers),
    };
    CommandOutput::new(text, &List { workers: workers.iter().map(object).collect() })
}

fn object(worker: &WorkerInfo) -> Object<'_> {
    Object {
        worker_id: worker.id,
        name: &worker.name,
        state: worker.state.name(),
        version: &worker.version,
        connections: &worker.connections,
        last_seen_time: worker.last_seen_time_ms.and_then(units::time),
        set_aside: worker
            .set_aside
            .iter()
            .map(|aside| Aside {
                connection: &aside.connection,
                reason: &aside.reason,
                until_time: aside.until_time_ms.and_then(units::time),
            })
            .collect(),
    }
}

fn grid(workers: &[WorkerInfo]) -> String {
    let row = |worker: &WorkerInfo| {
        [
            worker.name.clone(),
            worker.state.name().to_owned(),
            worker.version.clone(),
            worker.last_seen_time_ms.and_then(units::time).unwrap_or_default(),
            worker.connections.join(", "),
            worker.id.to_string(),
        ]
    };
    let rows: Vec<_> = workers.iter().map(row).collect();
    let mut text =
        table::grid(["NAME", "STATE", "VERSION", "LAST SEEN", "CONNECTIONS", "ID"], &rows);
    for worker in workers {
        for aside in &worker.set_aside {
            let until = aside.until_time_ms.and_then(units::time).unwrap_or_default();
            text.push_str(&format!(
                "\n{}: set aside for the connection {} until {until}: {}",
                visible(&worker.name),
                visible(&aside.connection),
                visible(&aside.reason)
            ));
        }
    }
    text
}
