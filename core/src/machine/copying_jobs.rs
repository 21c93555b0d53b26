//! The jobs whose tasks workers copy, with what a step asks of all of them: which has a ready task
//! and the fewest bytes in flight, and where a pause ends or a slow task may be. So no step visits
//! every job for that.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::job::Job;
use super::lookout::Lookout;
use super::moment::Moment;
use super::tasks::Tasks;
use crate::ids::{JobId, TaskIndex};

/// What is kept of all jobs that are copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CopyingJobs {
    standings: BTreeMap<JobId, Standing>,
    /// Those that may grant a task: bytes in flight, leases, which.
    grantable: BTreeSet<(u64, usize, JobId)>,
    /// Those, by the bytes of their smallest ready task.
    smallest: BTreeSet<(u64, JobId)>,
    /// Tasks that are ready, of all jobs.
    ready: usize,
    /// When the first pause of a task ends.
    backoffs: Lookout<JobId>,
    /// From when a task may be slow.
    slow: Lookout<JobId>,
}

/// Where a job stands among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    ready: usize,
    /// `None` when it may grant no task.
    in_flight: Option<(u64, usize)>,
    /// Bytes of its smallest ready task; 0 when it has one that others wait for.
    smallest: u64,
    backoff: Option<Moment>,
    slow: Option<Moment>,
}

impl CopyingJobs {
    /// Notes how a job stands now. One that is not copied is forgotten.
    pub(super) fn note(&mut self, id: JobId, job: Option<&Job>) {
        let now = job.and_then(|job| Some(Standing::of(job, job.copying()?)));
        let before = match now {
            Some(now) => self.standings.insert(id, now),
            None => self.standings.remove(&id),
        };
        if before == now {
            return;
        }
        let granting = |standing: Option<Standing>| {
            let known = standing?;
            known.in_flight.map(|(bytes, leases)| (bytes, leases, known.smallest))
        };
        if granting(before) != granting(now) {
            if let Some((bytes, leases, smallest)) = granting(before) {
                self.grantable.remove(&(bytes, leases, id));
                self.smallest.remove(&(smallest, id));
            }
            if let Some((bytes, leases, smallest)) = granting(now) {
                self.grantable.insert((bytes, leases, id));
                self.smallest.insert((smallest, id));
            }
        }
        self.ready += now.map_or(0, |known| known.ready);
        self.ready -= before.map_or(0, |known| known.ready);
        self.backoffs.set(id, now.and_then(|known| known.backoff));
        self.slow.set(id, now.and_then(|known| known.slow));
    }

    /// Returns those that may grant a task, first the one with the fewest bytes in flight.
    pub(super) fn grantable(&self) -> impl Iterator<Item = JobId> {
        self.grantable.iter().map(|(_, _, id)| *id)
    }

    /// True when some job may grant a task.
    pub(super) fn may_grant(&self) -> bool {
        !self.grantable.is_empty()
    }

    /// True when some job may grant a task of no more than so many bytes, or one that others wait
    /// for.
    pub(super) fn may_grant_within(&self, bytes: u64) -> bool {
        self.smallest.first().is_some_and(|(smallest, _)| *smallest <= bytes)
    }

    /// Returns how many tasks are ready, those of jobs that are held too.
    pub(super) fn ready_tasks(&self) -> usize {
        self.ready
    }

    /// True when some job is copied.
    pub(super) fn is_any(&self) -> bool {
        !self.standings.is_empty()
    }

    /// Returns when the first pause of a task ends.
    pub(super) fn first_backoff(&self) -> Option<Moment> {
        self.backoffs.first()
    }

    /// Returns the jobs with a pause that is over.
    pub(super) fn backoffs_over(&self, now: Moment) -> Vec<JobId> {
        self.backoffs.due(now)
    }

    /// Returns the jobs without limits that may have a slow task.
    pub(super) fn maybe_slow(&self, now: Moment) -> Vec<JobId> {
        self.slow.due(now)
    }
}

impl Standing {
    fn of(job: &Job, tasks: &Tasks) -> Self {
        let may_grant = !tasks.ready.is_empty() && !job.limits.held;
        let rank = |place: Option<&(Reverse<u64>, TaskIndex)>| place.map(|(rank, _)| rank.0);
        let (highest, lowest) = (rank(tasks.ready.first()), rank(tasks.ready.last()));
        Self {
            ready: tasks.ready.len(),
            in_flight: may_grant.then_some((tasks.leased_bytes, tasks.leased.len())),
            smallest: lowest.filter(|_| highest != Some(u64::MAX)).unwrap_or_default(),
            backoff: tasks.backoff.first().map(|(until, _)| *until),
            // The tasks of a job with limits are slow because they should be.
            slow: tasks.slow.first().filter(|_| !job.is_limited()),
        }
    }
}
