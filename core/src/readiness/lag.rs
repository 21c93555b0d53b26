//! How far one replica is behind its source.

use std::time::Duration;

use crate::limits::REPLICA_LOOK_INTERVAL;
use crate::unix_time::UnixTime;

/// What is known of a replica and its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaFreshness {
    /// The replica has been complete at some version.
    pub is_copied: bool,
    /// When the source's log was last read; `None` when it never was.
    pub checked: Option<UnixTime>,
    /// Reading the log has failed since.
    pub check_failed: bool,
    /// The time of the oldest commit that the replica lacked then; `None` when it lacked none.
    pub lacks_since: Option<UnixTime>,
    /// When the replica was last seen to be there, or written; `None` when it never was.
    pub replica_checked: Option<UnixTime>,
}

/// How long the answers of both sides count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerValidity {
    pub source: Duration,
    pub replica: Duration,
}

/// How far a replica is behind its source, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// The first copy is not complete: there is no lag yet.
    InitialCopy,
    /// One of both sides was not asked for too long, or did not answer.
    Unknown {
        /// When the source last answered.
        checked: Option<UnixTime>,
    },
    /// It lacked nothing when the source was asked, and was there not long before.
    Current { checked: UnixTime },
    /// It lacks commits, of which the oldest is from `since`.
    Behind { since: UnixTime, checked: UnixTime },
}

impl ReplicaFreshness {
    /// Returns the lag at `now`. An answer older than it is valid for says nothing more.
    #[must_use]
    pub fn lag(&self, now: UnixTime, valid_for: AnswerValidity) -> Lag {
        if !self.is_copied {
            return Lag::InitialCopy;
        }
        let is_fresh = |at: &UnixTime, valid_for: Duration| at.after(valid_for) >= now;
        let fresh = self.checked.filter(|checked| is_fresh(checked, valid_for.source));
        let is_there = self.replica_checked.is_some_and(|at| is_fresh(&at, valid_for.replica));
        match (fresh, self.lacks_since) {
            (None, _) => Lag::Unknown { checked: self.checked },
            // What it lacked it still lacks, whatever failed since.
            (Some(checked), Some(since)) => Lag::Behind { since, checked },
            (Some(_), None) if self.check_failed || !is_there => {
                Lag::Unknown { checked: self.checked }
            }
            (Some(checked), None) => Lag::Current { checked },
        }
    }

    /// Returns whether the replica is to be looked at, too, where the source has no new commit. One
    /// that was seen later than `now`, by a clock that was set back since, is.
    #[must_use]
    pub fn is_replica_due(&self, now: UnixTime) -> bool {
        let seen = self.replica_checked.filter(|seen| *seen <= now);
        seen.is_none_or(|seen| now.since(seen) >= REPLICA_LOOK_INTERVAL)
    }
}

impl Lag {
    /// How old the oldest commit is that the replica lacks; `None` when that is not known.
    #[must_use]
    pub fn age(&self, now: UnixTime) -> Option<Duration> {
        match self {
            Self::InitialCopy | Self::Unknown { .. } => None,
            Self::Current { .. } => Some(Duration::ZERO),
            Self::Behind { since, .. } => Some(now.since(*since)),
        }
    }

    /// The time up to which the replica has every commit; `None` when it has none, or that is not
    /// known.
    #[must_use]
    pub fn complete_to(&self) -> Option<UnixTime> {
        match *self {
            Self::InitialCopy => None,
            Self::Unknown { checked } => checked,
            Self::Current { checked } => Some(checked),
            Self::Behind { since, checked } => Some(since.min(checked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_000_000);
    const VALID: AnswerValidity = AnswerValidity {
        source: Duration::from_millis(300_000),
        replica: Duration::from_millis(600_000),
    };

    #[test]
    fn the_lag_is_that_of_the_oldest_commit_and_unknown_is_no_zero() {
        let (recent, old) = (UnixTime(900_000), UnixTime(600_000));
        let since = UnixTime(500_000);
        for (is_copied, checked, check_failed, lacks_since, lag, age_ms) in [
            (false, Some(recent), false, Some(since), Lag::InitialCopy, None),
            (true, None, false, None, Lag::Unknown { checked: None }, None),
            (true, Some(old), false, None, Lag::Unknown { checked: Some(old) }, None),
            (true, Some(old), false, Some(since), Lag::Unknown { checked: Some(old) }, None),
            (true, Some(recent), true, None, Lag::Unknown { checked: Some(recent) }, None),
            (true, Some(recent), false, None, Lag::Current { checked: recent }, Some(0)),
            (
                true,
                Some(recent),
                true,
                Some(since),
                Lag::Behind { since, checked: recent },
                Some(500_000),
            ),
        ] {
            let replica_checked = Some(UnixTime(400_000));
            let known =
                ReplicaFreshness { is_copied, checked, check_failed, lacks_since, replica_checked };
            let found = known.lag(NOW, VALID);
            assert_eq!(found, lag, "{known:?}");
            assert_eq!(found.age(NOW), age_ms.map(Duration::from_millis), "{known:?}");
        }
    }

    #[test]
    fn a_replica_that_was_not_seen_for_long_is_not_current_and_what_it_lacks_it_still_lacks() {
        let checked = Some(UnixTime(900_000));
        let known = ReplicaFreshness { is_copied: true, checked, ..ReplicaFreshness::default() };
        let (unknown, since) = (Lag::Unknown { checked }, UnixTime(800_000));
        let behind = Lag::Behind { since, checked: UnixTime(900_000) };
        for (seen, lacks_since, lag) in [
            (Some(400_000), None, Lag::Current { checked: UnixTime(900_000) }),
            (Some(399_999), None, unknown),
            (None, None, unknown),
            (Some(399_999), Some(since), behind),
        ] {
            let replica_checked = seen.map(UnixTime);
            let known = ReplicaFreshness { replica_checked, lacks_since, ..known };
            assert_eq!(known.lag(NOW, VALID), lag, "{known:?}");
        }
    }

    #[test]
    fn a_replica_is_looked_at_once_in_the_interval_and_after_a_clock_was_set_back() {
        let interval = REPLICA_LOOK_INTERVAL;
        for (seen, is_due) in [
            (None, true),
            (Some(NOW), false),
            (Some(NOW.before(interval).after(Duration::from_millis(1))), false),
            (Some(NOW.before(interval)), true),
            (Some(NOW.after(Duration::from_millis(1))), true),
        ] {
            let known = ReplicaFreshness { replica_checked: seen, ..ReplicaFreshness::default() };
            assert_eq!(known.is_replica_due(NOW), is_due, "{seen:?}");
        }
    }

    #[test]
    fn a_replica_is_complete_to_the_commit_that_it_lacks_or_to_the_last_answer() {
        let (since, checked) = (UnixTime(5), UnixTime(9));
        for (lag, complete_to) in [
            (Lag::InitialCopy, None),
            (Lag::Unknown { checked: None }, None),
            (Lag::Current { checked }, Some(checked)),
            (Lag::Behind { since, checked }, Some(since)),
            // A clock of the source that is ahead does not make the replica better.
            (Lag::Behind { since: UnixTime(99), checked }, Some(checked)),
        ] {
            assert_eq!(lag.complete_to(), complete_to, "{lag:?}");
        }
    }
}
