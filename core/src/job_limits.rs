//! The limits of a job, which its workers keep together, and the share of each.
//!
//! The shares that workers were told never add up to more than the limit, also while workers come
//! and go: one that had more gives up first, with its next heartbeat, and then another gets more.
//! Two things stay outside: a worker with less than one copy needs would not end its task, so each
//! keeps that much; and a limit that was lowered takes effect with each worker's next heartbeat.

use crate::limits::{BODY_BYTES_PER_SECOND_MIN, HEARTBEAT_INTERVAL, TASK_OBJECTS_MAX};

/// What all workers of a job may take for it together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobLimits {
    /// Bytes of objects that are copied per second; `None` for any number.
    pub bytes_per_second: Option<u64>,
    /// Objects and parts that are copied at once; `None` for any number.
    pub concurrency: Option<u32>,
    /// No worker gets a task of it for now.
    pub held: bool,
}

/// A change of a job's limits. `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsChange {
    pub bytes_per_second: Option<Option<u64>>,
    pub concurrency: Option<Option<u32>>,
    pub held: Option<bool>,
}

/// What one worker of a job may take for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobShare {
    /// Bytes of objects that it copies per second; `None` for any number.
    pub bytes_per_second: Option<u64>,
    /// Objects and parts that it copies at once; `None` for any number.
    pub concurrency: Option<u32>,
}

impl JobShare {
    /// As much as the worker likes: the job has no limit.
    pub const ALL: Self = Self { bytes_per_second: None, concurrency: None };
    /// What a worker has before it is told of a job.
    pub const NOTHING: Self = Self { bytes_per_second: Some(0), concurrency: Some(0) };

    /// True when a worker that holds so many objects, and so many bytes that it has not copied yet,
    /// may run out of work before its next heartbeat but one. What it holds beyond that only keeps
    /// it from other jobs, and other workers from this one.
    #[must_use]
    pub fn runs_dry(self, objects: u64, bytes_left: u64) -> bool {
        let copies = self.concurrency.unwrap_or(u32::MAX).min(copies_max(self.bytes_per_second));
        // A second full task while the first one ends.
        let objects_enough = (4 * u64::from(copies)).max(TASK_OBJECTS_MAX as u64 + 1);
        let seconds = 2 * HEARTBEAT_INTERVAL.as_secs();
        let bytes_enough =
            self.bytes_per_second.map_or(u64::MAX, |rate| rate.saturating_mul(seconds));
        objects < objects_enough && bytes_left < bytes_enough
    }
}

impl JobLimits {
    /// True when nothing is limited.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Returns the limits after a change.
    #[must_use]
    pub fn changed(self, change: LimitsChange) -> Self {
        Self {
            bytes_per_second: change.bytes_per_second.unwrap_or(self.bytes_per_second),
            concurrency: change.concurrency.unwrap_or(self.concurrency),
            held: change.held.unwrap_or(self.held),
        }
    }

    /// The most workers that can each make one copy within the limits.
    #[must_use]
    pub fn workers_max(self) -> usize {
        let copies = self.concurrency.unwrap_or(u32::MAX).min(copies_max(self.bytes_per_second));
        usize::try_from(copies).unwrap_or(usize::MAX).max(1)
    }

    /// Returns the share to tell one of so many workers, which has the share `own` until then,
    /// while the others have the shares `others`.
    pub fn share(
        self,
        workers: usize,
        own: JobShare,
        others: impl Iterator<Item = JobShare> + Clone,
    ) -> JobShare {
        let workers = u64::try_from(workers).unwrap_or(u64::MAX).max(1);
        let bytes_per_second = self.bytes_per_second.map(|limit| {
            let of = |share: JobShare| share.bytes_per_second.unwrap_or(u64::MAX);
            part(limit, workers, of(own), others.clone().map(of)).max(BODY_BYTES_PER_SECOND_MIN)
        });
        let concurrency = self.concurrency.map(|limit| {
            let of = |share: JobShare| share.concurrency.map_or(u64::MAX, u64::from);
            let part = part(u64::from(limit), workers, of(own), others.map(of)).max(1);
            u32::try_from(part).unwrap_or(limit)
        });
        JobShare { bytes_per_second, concurrency }
    }
}

/// The most copies at once that do not starve each other at so many bytes per second, at least one.
#[must_use]
pub fn copies_max(bytes_per_second: Option<u64>) -> u32 {
    let copies = bytes_per_second.map(|rate| rate / BODY_BYTES_PER_SECOND_MIN);
    copies.map_or(u32::MAX, |copies| u32::try_from(copies).unwrap_or(u32::MAX).max(1))
}

/// A worker's part of a limit: an equal one as soon as the others leave so much of it. Until then
/// the worker keeps what it has, if that is no more than an equal part.
fn part(limit: u64, workers: u64, own: u64, others: impl Iterator<Item = u64>) -> u64 {
    let left = limit.saturating_sub(others.fold(0, u64::saturating_add));
    limit.div_ceil(workers).min(left).max(own.min(limit / workers))
}

#[cfg(test)]
mod tests;
