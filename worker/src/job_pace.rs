//! What the copies of one job take together on this worker: the share that the coordinator told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use deepclone_core::ids::JobId;
use deepclone_core::job_limits::{JobShare, copies_max};

use crate::bandwidth::Bandwidth;
use crate::permits::{Permit, Permits};

/// Bounds the copies of one job; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct JobPace {
    copies: Permits,
    bandwidth: Bandwidth,
}

impl JobPace {
    pub(crate) fn new(share: JobShare) -> Self {
        Self {
            copies: Permits::new(copies_of(share)),
            bandwidth: Bandwidth::new(share.bytes_per_second),
        }
    }

    /// Changes the bounds, also of the copies that run.
    fn set(&self, share: JobShare) {
        self.copies.set(copies_of(share));
        self.bandwidth.set(share.bytes_per_second);
    }

    /// Waits until one more object or part of the job may be copied.
    pub(crate) async fn copy(&self) -> Permit {
        self.copies.acquire().await
    }

    /// True when the job takes less than the worker might.
    pub(crate) fn is_bounded(&self) -> bool {
        self.copies.most() < u32::MAX
    }

    pub(crate) fn bandwidth(&self) -> &Bandwidth {
        &self.bandwidth
    }
}

/// One copy goes on whatever is told.
fn copies_of(share: JobShare) -> u32 {
    share.concurrency.unwrap_or(u32::MAX).min(copies_max(share.bytes_per_second)).max(1)
}

/// The jobs of which the worker holds tasks; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobPaces(Arc<Mutex<BTreeMap<JobId, JobPace>>>);

impl JobPaces {
    /// The pace of a job of which the worker gets a task, with the share that came with it.
    pub(crate) fn of(&self, job: JobId, share: JobShare) -> JobPace {
        let mut paces = self.lock();
        let pace = paces.entry(job).or_insert_with(|| JobPace::new(share));
        pace.set(share);
        pace.clone()
    }

    /// Takes a share that the coordinator told; of a job without tasks here it means nothing.
    pub(crate) fn set(&self, job: JobId, share: JobShare) {
        if let Some(pace) = self.lock().get(&job) {
            pace.set(share);
        }
    }

    /// Forgets the other jobs.
    pub(crate) fn keep(&self, jobs: &BTreeSet<JobId>) {
        self.lock().retain(|job, _| jobs.contains(job));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, JobPace>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn share(bytes_per_second: Option<u64>, concurrency: Option<u32>) -> JobShare {
        JobShare { bytes_per_second, concurrency }
    }

    #[test]
    fn a_share_bounds_the_copies_by_number_and_so_that_none_starves() {
        for (rate, concurrency, copies) in [
            (None, None, u32::MAX),
            (None, Some(3), 3),
            (Some(1 << 20), None, 8),
            (Some(1 << 20), Some(3), 3),
            (Some(1 << 20), Some(64), 8),
            (Some(0), Some(0), 1),
        ] {
            assert_eq!(copies_of(share(rate, concurrency)), copies, "{rate:?} {concurrency:?}");
        }
    }

    #[test]
    fn a_job_has_the_share_that_was_told_last_for_as_long_as_it_has_tasks() {
        let (paces, job) = (JobPaces::default(), JobId(Uuid::from_u128(1)));
        let pace = paces.of(job, share(Some(1 << 20), Some(2)));
        let seen = |pace: &JobPace| (pace.bandwidth.rate(), pace.copies.most());
        assert_eq!(seen(&pace), (Some(1 << 20), 2));
        paces.set(job, share(None, Some(5)));
        assert_eq!(seen(&pace), (None, 5));
        assert!(pace.is_bounded() && !JobPace::new(JobShare::ALL).is_bounded());
        let again = paces.of(job, share(Some(2 << 20), Some(1)));
        assert_eq!((seen(&pace), seen(&again)), ((Some(2 << 20), 1), (Some(2 << 20), 1)));
        paces.keep(&BTreeSet::new());
        paces.set(job, JobShare::ALL);
        assert_eq!(seen(&pace), (Some(2 << 20), 1), "it is forgotten");
    }
}
