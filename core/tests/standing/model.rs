//! What the model knows of a job, and what a person can do.

use deepclone_core::ids::{ReplicationId, TableNumber};
use deepclone_core::standing::JobOutcome;

/// A job as the driver knows it. It goes on while the scheduler is away.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) replication: ReplicationId,
    pub(crate) table: TableNumber,
    pub(crate) is_held: bool,
    pub(crate) is_planned: bool,
    pub(crate) ended: Option<JobOutcome>,
    /// What it will send.
    pub(crate) cost: u64,
    /// What it sends in all, repeats included.
    pub(crate) sends: u64,
    pub(crate) work_ms: u64,
    pub(crate) done_ms: u64,
    pub(crate) since: Option<u64>,
    /// When it is looked at next.
    pub(crate) next: Option<u64>,
    pub(crate) stopped_at: Option<u64>,
    /// What it told of what it sent.
    pub(crate) told: u64,
    /// Of the source, which the replica will show.
    pub(crate) version: u64,
    pub(crate) outcome: JobOutcome,
}

impl Job {
    pub(crate) fn sent(&self) -> u64 {
        self.sends * self.done_ms / self.work_ms
    }

    pub(crate) fn stop(&mut self, now: u64) {
        if let Some(since) = self.since.take() {
            self.done_ms = (self.done_ms + (now - since)).min(self.work_ms);
            self.stopped_at = Some(now);
        }
    }
}

/// Something that somebody does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Pause {
        hours: Option<u64>,
    },
    Resume,
    Run,
    /// Other windows, budgets and numbers, and the same schedule.
    Change(u64),
    Retire,
}
