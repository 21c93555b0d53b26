//! What holds a grant in time, and which leases one task has.

use std::time::Duration;

use super::event::HeldTask;
use super::moment::Moment;
use crate::ids::{Attempt, Epoch, GrantKey, JobId, TaskFingerprint, WorkerId};

/// Holds a grant until it expires; heartbeats extend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) worker: WorkerId,
    pub(super) attempt: Attempt,
    pub(super) epoch: Epoch,
    /// When it was granted or announced; from its worker's first word of bytes on, the moment of
    /// that word, for a task may wait at its worker behind others.
    pub(super) since: Moment,
    pub(super) expires_at: Moment,
    /// Bytes of the task that its worker has moved, by the last heartbeat.
    pub(super) bytes_done: u64,
    /// Bytes that its worker has read for it by then, repeats included.
    pub(super) bytes_read: u64,
}

impl Lease {
    /// A lease from `now` on, of which nothing was heard yet.
    pub(super) fn new(worker: WorkerId, key: &GrantKey, now: Moment, ttl: Duration) -> Self {
        let GrantKey { attempt, epoch, .. } = *key;
        let (since, expires_at) = (now, now.after(ttl));
        Self { worker, attempt, epoch, since, expires_at, bytes_done: 0, bytes_read: 0 }
    }

    /// The grant of this task that it holds.
    pub(super) fn key_of(&self, job: JobId, fingerprint: TaskFingerprint) -> GrantKey {
        GrantKey { job, fingerprint, attempt: self.attempt, epoch: self.epoch }
    }

    /// True when it holds the grant `key` of `worker`.
    pub(super) fn is(&self, worker: WorkerId, key: &GrantKey) -> bool {
        self.worker == worker && self.attempt == key.attempt && self.epoch == key.epoch
    }

    /// Notes what its worker says of it. True when bytes moved.
    pub(super) fn told(&mut self, held: &HeldTask, now: Moment) -> bool {
        let HeldTask { bytes_done, bytes_read, .. } = *held;
        self.bytes_read = self.bytes_read.max(bytes_read);
        let moved = bytes_done > self.bytes_done;
        if moved && self.bytes_done == 0 {
            self.since = now;
        }
        self.bytes_done = self.bytes_done.max(bytes_done);
        moved
    }

    /// Bytes of a task of so many that its worker had not moved by the last heartbeat.
    pub(super) fn bytes_left_of(&self, task_bytes: u64) -> u64 {
        task_bytes.saturating_sub(self.bytes_done)
    }

    /// Bytes a second since it began.
    pub(super) fn rate(&self, now: Moment) -> u64 {
        let age_ms = now.0.saturating_sub(self.since.0).max(1);
        self.bytes_done.saturating_mul(1_000) / age_ms
    }

    /// The moment from which its rate is below so many bytes a second, if no more bytes move.
    /// `None` when no rate is.
    pub(super) fn below_rate_from(&self, rate: u64) -> Option<Moment> {
        let age_ms = self.bytes_done.saturating_mul(1_000).checked_div(rate)?.saturating_add(1);
        Some(Moment(self.since.0.saturating_add(age_ms)))
    }

    /// Moves it by a stall of the driver, which heard no heartbeat meanwhile.
    pub(super) fn forgive(&mut self, gap_ms: u64) {
        self.since = Moment(self.since.0.saturating_add(gap_ms));
        self.expires_at = Moment(self.expires_at.0.saturating_add(gap_ms));
    }
}

/// The leases of one task: its holder's, and where the holder is slow that of a copy. They are of
/// two workers, and either may end the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskLeases {
    pub(super) holder: Lease,
    pub(super) copy: Option<Lease>,
}

impl TaskLeases {
    pub(super) fn of(holder: Lease) -> Self {
        Self { holder, copy: None }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Lease> + use<> {
        [Some(self.holder), self.copy].into_iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lease> {
        std::iter::once(&mut self.holder).chain(&mut self.copy)
    }

    pub(super) fn count(&self) -> u64 {
        1 + u64::from(self.copy.is_some())
    }

    /// Bytes that the worker has moved that is ahead.
    pub(super) fn bytes_ahead(&self) -> u64 {
        self.iter().map(|lease| lease.bytes_done).max().unwrap_or_default()
    }

    /// Returns the lease that holds the grant `key` of `worker`.
    pub(super) fn find(&self, worker: WorkerId, key: &GrantKey) -> Option<Lease> {
        self.iter().find(|lease| lease.is(worker, key))
    }

    /// Returns the lease of `worker`.
    pub(super) fn find_of(&self, worker: WorkerId) -> Option<Lease> {
        self.iter().find(|lease| lease.worker == worker)
    }

    /// Returns these leases with a copy; `None` when there is one, or its worker holds the task.
    pub(super) fn with_copy(self, copy: Lease) -> Option<Self> {
        let is_free = self.copy.is_none() && self.holder.worker != copy.worker;
        is_free.then_some(Self { copy: Some(copy), ..self })
    }

    /// Returns the leases that are not over: a copy becomes the holder's. `None` when all are.
    pub(super) fn without(self, is_over: impl Fn(&Lease) -> bool) -> Option<Self> {
        let mut left = self.iter().filter(|lease| !is_over(lease));
        Some(Self { holder: left.next()?, copy: left.next() })
    }
}
