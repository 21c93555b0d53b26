//! Where a job stands in lists, which go by the time of creation.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use deepclone_core::ids::JobId;
use uuid::Uuid;

/// The place of a job in lists; written `MILLISECONDS-ID`, as in `1795737600000-0192f0…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobPlace {
    /// When it was created, in milliseconds since 1970 (UTC).
    pub created_ms: i64,
    pub job: JobId,
}

/// A text that is no place of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no place in a list of jobs")]
pub struct NoJobPlace;

impl fmt::Display for JobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.created_ms, self.job)
    }
}

impl FromStr for JobPlace {
    type Err = NoJobPlace;

    fn from_str(text: &str) -> Result<Self, NoJobPlace> {
        let (created, job) = text.split_once('-').ok_or(NoJobPlace)?;
        let created_ms = created.parse().map_err(|_| NoJobPlace)?;
        let job = Uuid::parse_str(job).map(JobId).map_err(|_| NoJobPlace)?;
        Ok(Self { created_ms, job })
    }
}

/// In which order jobs are listed, by the time of their creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobOrder {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// Which ended jobs are read.
#[derive(Clone, Debug)]
pub struct EndedJobsQuery {
    pub order: JobOrder,
    /// Only those that come after this one in the order; `None` from the start.
    pub after: Option<JobPlace>,
    /// When they were created, in milliseconds since 1970 (UTC).
    pub created_ms: Range<i64>,
    /// The most that are read.
    pub size: usize,
}

impl EndedJobsQuery {
    /// Returns true for a job that is asked for.
    #[must_use]
    pub fn fits(&self, place: JobPlace) -> bool {
        let is_after = self.after.is_none_or(|after| match self.order {
            JobOrder::NewestFirst => place < after,
            JobOrder::OldestFirst => place > after,
        });
        is_after && self.created_ms.contains(&place.created_ms)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::{created, job};
    use super::super::{Entry, Store};
    use super::JobOrder::{NewestFirst, OldestFirst};
    use super::*;

    #[test]
    fn places_go_by_time_and_are_read_as_they_are_written() {
        let place = |created_ms, job| JobPlace { created_ms, job: JobId(Uuid::from_u128(job)) };
        assert!(place(1, 9) < place(2, 1) && place(2, 1) < place(2, 2));
        for at in [place(0, 0), place(1_795_737_600_000, u128::MAX), place(i64::MAX, 7)] {
            assert_eq!(at.to_string().parse(), Ok(at));
        }
        for text in ["", "-", "5", "x-00000000-0000-0000-0000-000000000003", "5-", "5-x"] {
            assert_eq!(text.parse::<JobPlace>(), Err(NoJobPlace), "{text}");
        }
    }

    /// Four ended: 11, 12 and 13 in this order, 14 before them all.
    pub(in crate::state) async fn lists_ended_jobs(store: &dyn Store) {
        let all = || EndedJobsQuery {
            order: NewestFirst,
            after: None,
            created_ms: i64::MIN..i64::MAX,
            size: 9,
        };
        let listed = async |query: EndedJobsQuery| {
            let jobs = store.ended_jobs(&query).await.unwrap();
            let place = |of: &Vec<Entry>| {
                assert_eq!(of[0].fact, created(of[0].fact.job()), "as it is found");
                JobPlace { created_ms: of[0].recorded_ms, job: of[0].fact.job() }
            };
            jobs.iter().map(place).collect::<Vec<_>>()
        };
        let newest = listed(all()).await;
        let jobs: Vec<_> = newest.iter().map(|place| place.job).collect();
        assert_eq!(jobs, [job(13), job(12), job(11), job(14)]);
        let oldest: Vec<_> = newest.iter().rev().copied().collect();
        assert_eq!(listed(EndedJobsQuery { order: OldestFirst, ..all() }).await, oldest);
        for at in 0..4 {
            let (after, rest) = (Some(newest[at]), &newest[at + 1..]);
            assert_eq!(listed(EndedJobsQuery { after, ..all() }).await, rest);
            let two = EndedJobsQuery { after, order: OldestFirst, size: 2, ..all() };
            let expected: Vec<_> = newest[..at].iter().rev().take(2).copied().collect();
            assert_eq!(listed(two).await, expected);
        }
        let created_ms = newest[2].created_ms..newest[0].created_ms;
        assert_eq!(listed(EndedJobsQuery { created_ms, ..all() }).await, newest[1..3]);
    }
}
