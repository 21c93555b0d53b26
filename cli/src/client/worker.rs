//! A worker as the coordinator shows it, converted from the wire.

use deepclone_core::failure::Failure;
use deepclone_proto::v1;
use uuid::Uuid;

use super::job::milliseconds;
use super::status::malformed;

/// A worker process and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// The worker's id, derived from its name and the incarnation of the process.
    pub id: Uuid,
    /// The name that the worker was started with.
    pub name: String,
    /// The state of the worker.
    pub state: WorkerStatus,
    /// The worker's version of Deepclone.
    pub version: String,
    /// The connections that the worker knows.
    pub connections: Vec<String>,
    /// The time of its last message, in milliseconds since 1970.
    pub last_seen_time_ms: Option<i64>,
    /// Connections whose tasks the worker does not get for a while.
    pub set_aside: Vec<SetAsideInfo>,
}

/// A connection whose tasks a worker does not get for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAsideInfo {
    /// The name of the connection.
    pub connection: String,
    /// The last failure that the worker reported with it.
    pub reason: String,
    /// In milliseconds since 1970.
    pub until_time_ms: Option<i64>,
}

/// The state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerStatus {
    /// The worker takes tasks.
    Active,
    /// The worker finishes its tasks and takes no more.
    Draining,
    /// The worker has sent nothing for longer than a lease.
    Lost,
}

impl WorkerStatus {
    /// Returns the name on the wire and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            WorkerStatus::Active => "ACTIVE",
            WorkerStatus::Draining => "DRAINING",
            WorkerStatus::Lost => "LOST",
        }
    }
}

/// Returns the resource name of a worker.
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
