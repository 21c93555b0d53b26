//! What operators are told of, and nothing follows from: it is counted and logged.

use crate::ids::{GrantKey, WorkerId};

/// Something that happened by time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A worker sent nothing for the time of a lease.
    WorkerLost {
        worker: WorkerId,
        /// Leases that it held, and that are lost with it.
        leases: usize,
    },
    /// A lease of a worker that lives was not extended in time.
    LeaseExpired { worker: WorkerId, key: GrantKey },
}

/// Tasks of the jobs that are copied, by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Wait for a worker.
    pub ready: u64,
    /// Copied by a worker, or by two.
    pub leased: u64,
    /// Wait for other tasks, or for a pause to end.
    pub waiting: u64,
    pub done: u64,
}
