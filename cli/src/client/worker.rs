//! A worker as a client sees it.

use deepclone_core::failure::Failure;
use deepclone_proto::v1;
use uuid::Uuid;

use super::job::{malformed, milliseconds};

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Derived from its name and the process's incarnation.
    pub id: Uuid,
    /// The name that it was started with.
    pub name: String,
    /// What state it is in.
    pub state: WorkerStatus,
    /// Its version of Deepclone.
    pub version: String,
    /// The connections that it knows.
    pub connections: Vec<String>,
    /// In milliseconds since 1970.
    pub last_seen_time_ms: Option<i64>,
    /// Connections that it is given no tasks of for a while.
    pub set_aside: Vec<SetAsideInfo>,
}

/// A connection that a worker is given no tasks of for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAsideInfo {
    /// The connection's name.
    pub connection: String,
    /// The last failure that the worker reported there.
    pub reason: String,
    /// In milliseconds since 1970.
    pub until_time_ms: Option<i64>,
}

/// What state a worker is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerStatus {
    /// Takes tasks.
    Active,
    /// Ends its tasks, takes no more.
    Draining,
    /// Was not heard of for longer than a lease.
    Lost,
}

impl WorkerStatus {
    /// Its name on the wire and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            WorkerStatus::Active => "ACTIVE",
            WorkerStatus::Draining => "DRAINING",
            WorkerStatus::Lost => "LOST",
        }
    }
}

/// The resource name of a worker.
#[must_use]
pub fn name(worker: Uuid) -> String {
    format!("workers/{worker}")
}

impl TryFrom<v1::Worker> for WorkerInfo {
    type Error = Failure;

    fn try_from(wire: v1::Worker) -> Result<Self, Failure> {
        use v1::worker::State as Wire;
        let id = wire.name.strip_prefix("workers/").and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| malformed(format!("Worker.name is {:?}", wire.name)))?;
        let state = match Wire::try_from(wire.state) {
            Ok(Wire::Active) => WorkerStatus::Active,
            Ok(Wire::Draining) => WorkerStatus::Draining,
            Ok(Wire::Lost) => WorkerStatus::Lost,
            Ok(Wire::Unspecified) | Err(_) => {
                return Err(malformed(format!("Worker.state is {}", wire.state)));
            }
        };
        Ok(Self {
            id,
            name: wire.display_name,
            state,
            version: wire.version,
            connections: wire.connections,
            last_seen_time_ms: wire.last_seen_time.as_ref().map(milliseconds),
            set_aside: wire
                .set_aside
                .into_iter()
                .map(|aside| SetAsideInfo {
                    connection: aside.connection,
                    reason: aside.reason,
                    until_time_ms: aside.until_time.as_ref().map(milliseconds),
                })
                .collect(),
        })
    }
}
