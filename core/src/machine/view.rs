//! What others may see of the machine: read-only, computed when asked.

use std::collections::{BTreeMap, BTreeSet};

use super::{End, Moment, Route};
use crate::ids::{ConnectionKey, JobId, TargetKey, WorkerId};
use crate::receipt::Receipt;

/// Where a job stands; the names of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Another job of the same target is under way.
    Queued,
    /// Both logs are being read.
    Planning,
    /// Workers copy.
    Copying,
    /// There is something to copy and no live worker that knows both connections.
    WaitingForWorkers,
    /// The commit is on its way.
    Publishing,
    /// The replica is at the source's version.
    Succeeded,
    /// Refused or failed; the replica is unchanged.
    Failed,
    /// To be cancelled, unless the commit on its way turns out to be in the log.
    Cancelling,
    /// Cancelled; the replica is unchanged.
    Cancelled,
}

impl JobState {
    /// Every state once.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Planning,
        Self::Copying,
        Self::WaitingForWorkers,
        Self::Publishing,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// True when nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A job as others see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JobView<'a> {
    /// The job.
    pub job: JobId,
    /// Its target.
    pub target: TargetKey,
    /// The connections that its workers need.
    pub route: Route,
    /// The spec as it was submitted.
    pub spec: &'a [u8],
    /// Where it stands.
    pub state: JobState,
    /// The source's version that it leads to; none before it is planned.
    pub source_version: Option<u64>,
    /// The replica's head that it starts from; none: not planned, or no replica yet.
    pub replica_version: Option<u64>,
    /// How far it is.
    pub progress: Progress,
    /// How it ended; none while it lives.
    pub end: Option<&'a End>,
}

/// How far a job is, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tasks of the plan.
    pub tasks_total: u64,
    /// Tasks that are done, also those that were before this job.
    pub tasks_done: u64,
    /// Objects of the plan.
    pub objects_total: u64,
    /// Objects of the tasks that are done.
    pub objects_done: u64,
    /// Bytes of the plan.
    pub bytes_total: u64,
    /// Bytes of the tasks that are done.
    pub bytes_done: u64,
    /// Bytes that workers say they have moved of tasks that are not done.
    pub bytes_moving: u64,
    /// Workers that hold a task of it now.
    pub workers: u32,
    /// Workers that finished a task of it, since the coordinator started.
    pub workers_used: u32,
    /// Grants of its tasks, since the coordinator started.
    pub attempts: u64,
    /// Objects that this job wrote, in any attempt, by the receipts.
    pub objects_copied: u64,
    /// Objects that the target had before this job, by the receipts.
    pub objects_skipped: u64,
    /// Bytes read from the source, by the receipts.
    pub bytes_read: u64,
    /// Bytes written to the target, by the receipts.
    pub bytes_written: u64,
    /// Requests to both stores, by the receipts.
    pub requests: u64,
}

impl Progress {
    /// Adds what a receipt tells.
    pub fn count(&mut self, receipt: &Receipt) {
        let existed = receipt.objects.iter().filter(|object| object.existed).count() as u64;
        let skipped = existed.saturating_sub(u64::from(receipt.objects_written_before));
        self.objects_skipped += skipped;
        self.objects_copied += (receipt.objects.len() as u64).saturating_sub(skipped);
        self.bytes_read = self.bytes_read.saturating_add(receipt.bytes_read);
        self.bytes_written = self.bytes_written.saturating_add(receipt.bytes_written);
        self.requests = self.requests.saturating_add(u64::from(receipt.requests));
    }
}

/// Where a worker stands; the names of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerState {
    /// Takes tasks.
    Active,
    /// Ends what it has and takes no more.
    Draining,
    /// Not heard of for the time of a lease.
    Lost,
}

/// A worker as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerView<'a> {
    /// The worker.
    pub worker: WorkerId,
    /// Where it stands.
    pub state: WorkerState,
    /// When it was heard of last.
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
    /// Connections that it is given nothing of for a while.
    pub set_aside: &'a BTreeMap<ConnectionKey, SetAside>,
}

/// A worker failed at a connection where others did not, and is given nothing of it for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Until when.
    pub until: Moment,
    /// What it reported last.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::ObjectReceipt;

    #[test]
    fn what_an_earlier_attempt_wrote_counts_as_copied() {
        let object = |existed| ObjectReceipt {
            size: 1,
            crc64nvme: 0,
            source_etag: String::new(),
            target_etag: String::new(),
            existed,
        };
        for (objects_written_before, expected) in
            [(0, (2, 3)), (1, (3, 2)), (3, (5, 0)), (9, (5, 0))]
        {
            let objects = [false, true, true, false, true].map(object).to_vec();
            let mut progress = Progress::default();
            progress.count(&Receipt { objects, objects_written_before, ..Receipt::default() });
            let found = (progress.objects_copied, progress.objects_skipped);
            assert_eq!(found, expected, "{objects_written_before}");
        }
    }
}
