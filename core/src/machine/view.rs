//! What others may see of the machine: read-only, computed when asked.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Route;
use super::fact::End;
use super::job_state::JobState;
use super::moment::Moment;
use super::progress::Progress;
use crate::ids::{ConnectionKey, JobId, TargetKey, WorkerId};
use crate::job_limits::JobLimits;

/// A job as others see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JobView<'a> {
    pub job: JobId,
    /// The table that it writes to.
    pub target: TargetKey,
    /// The connections that its workers need.
    pub route: Route,
    /// The spec as it was submitted.
    pub spec: &'a [u8],
    /// What its workers may take together, as it is now.
    pub limits: JobLimits,
    pub state: JobState,
    /// The source's version that it leads to; `None` before it is planned.
    pub source_version: Option<u64>,
    /// The replica version that it starts from; `None` before it is planned, or without a replica.
    pub replica_version: Option<u64>,
    pub progress: Progress,
    /// How it ended; `None` while it lives.
    pub end: Option<&'a End>,
}

/// Where a worker stands; the names of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerState {
    /// Gets tasks as long as some fit.
    Active,
    /// Finishes its tasks and gets no more.
    Draining,
    /// Sent nothing for the time of a lease.
    Lost,
}

/// A worker as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerView<'a> {
    pub worker: WorkerId,
    pub state: WorkerState,
    /// When its last message came.
    pub last_seen: Moment,
    /// Connections that it can read.
    pub readable: &'a BTreeSet<ConnectionKey>,
    /// Connections that it can write.
    pub writable: &'a BTreeSet<ConnectionKey>,
    /// Tasks that it holds.
    pub tasks_held: u32,
    /// Tasks that it finished, since the coordinator started.
    pub tasks_done: u64,
    /// Bytes of the tasks that it finished, since the coordinator started.
    pub bytes_done: u64,
    /// The last failure that it reported.
    pub last_error: Option<&'a str>,
    /// Connections whose tasks it does not get for a while.
    pub set_aside: &'a BTreeMap<ConnectionKey, SetAside>,
}

/// A worker failed at a connection where others did not, and gets no task of it for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    pub until: Moment,
    /// What it reported last.
    pub reason: String,
}
