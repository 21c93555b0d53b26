//! How far one replica is behind its source.

use std::time::Duration;

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
}

/// How far a replica is behind its source, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// The first copy is not complete: there is no lag yet.
    InitialCopy,
    /// The source was not asked for too long, or did not answer.
    Unknown {
        /// When it last answered.
        checked: Option<UnixTime>,
    },
    /// It lacked nothing when the source was asked.
    Current { checked: UnixTime },
    /// It lacks commits, of which the oldest is from `since`.
    Behind { since: UnixTime, checked: UnixTime },
}

impl ReplicaFreshness {
    /// Returns the lag at `now`. An answer of the source older than `valid_for` says nothing more.
    #[must_use]
    pub fn lag(&self, now: UnixTime, valid_for: Duration) -> Lag {
        if !self.is_copied {
            return Lag::InitialCopy;
        }
        let fresh = self.checked.filter(|checked| checked.after(valid_for) >= now);
        match (fresh, self.lacks_since) {
            (None, _) => Lag::Unknown { checked: self.checked },
            // What it lacked it still lacks, whatever failed since.
            (Some(checked), Some(since)) => Lag::Behind { since, checked },
            (Some(_), None) if self.check_failed => Lag::Unknown { checked: self.checked },
            (Some(checked), None) => Lag::Current { checked },
        }
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
    const VALID: Duration = Duration::from_millis(300_000);

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
            let known = ReplicaFreshness { is_copied, checked, check_failed, lacks_since };
            let found = known.lag(NOW, VALID);
            assert_eq!(found, lag, "{known:?}");
            assert_eq!(found.age(NOW), age_ms.map(Duration::from_millis), "{known:?}");
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
