//! Whether a group of replicas can be failed over to.

use std::time::Duration;

use super::lag::Lag;
use crate::unix_time::UnixTime;

/// One replica, as the verdict sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub lag: Lag,
    /// The age that its owner accepts; `None` for any.
    pub max_lag: Option<Duration>,
    /// Its newest sync failed, and none has succeeded since.
    pub is_failing: bool,
}

/// Why a replica keeps the answer from being yes, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotReady {
    /// How far it is behind is not known.
    LagUnknown,
    /// Its newest sync failed, though it is within its limit still.
    SyncFailing,
    /// It is further behind than its owner accepts.
    TooFarBehind,
    /// Its first copy is not complete.
    NotCopied,
}

/// The answer for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    Yes,
    No,
    /// Nothing speaks against it but what is not known.
    Unknown,
}

/// The answer for a group, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyVerdict {
    pub readiness: Readiness,
    /// The time up to which all replicas are complete together. A fail-over would lose what came
    /// later. `None` while one of them has no such time.
    pub recovery_point: Option<UnixTime>,
    /// The replicas that are not ready, by their place in the group.
    pub not_ready: Vec<(usize, NotReady)>,
}

/// Judges a group at `now`. A group without replicas is unknown.
#[must_use]
pub fn judge(members: &[Member], now: UnixTime) -> ReadyVerdict {
    let not_ready: Vec<(usize, NotReady)> = members
        .iter()
        .enumerate()
        .filter_map(|(place, member)| Some((place, member.not_ready(now)?)))
        .collect();
    let speaks_against = |why: NotReady| why >= NotReady::TooFarBehind;
    let is_unknown = |why: NotReady| why == NotReady::LagUnknown;
    let readiness = if not_ready.iter().any(|(_, why)| speaks_against(*why)) {
        Readiness::No
    } else if members.is_empty() || not_ready.iter().any(|(_, why)| is_unknown(*why)) {
        Readiness::Unknown
    } else {
        Readiness::Yes
    };
    let points = members.iter().map(|member| member.lag.complete_to());
    let recovery_point = points.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min());
    ReadyVerdict { readiness, recovery_point, not_ready }
}

impl Member {
    fn not_ready(&self, now: UnixTime) -> Option<NotReady> {
        let is_late = |age: Duration| self.max_lag.is_some_and(|most| age > most);
        match self.lag {
            Lag::InitialCopy => Some(NotReady::NotCopied),
            // What it is known to lack may be too old already.
            Lag::Behind { .. } if self.lag.age(now).is_some_and(is_late) => {
                Some(NotReady::TooFarBehind)
            }
            Lag::Unknown { .. } => Some(NotReady::LagUnknown),
            Lag::Current { .. } | Lag::Behind { .. } => {
                self.is_failing.then_some(NotReady::SyncFailing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_000_000);

    fn member(lag: Lag, max_lag_ms: Option<u64>, is_failing: bool) -> Member {
        Member { lag, max_lag: max_lag_ms.map(Duration::from_millis), is_failing }
    }

    #[test]
    fn a_group_is_as_good_as_its_worst_replica() {
        let checked = UnixTime(990_000);
        let behind = |since| Lag::Behind { since: UnixTime(since), checked };
        let (current, late) = (Lag::Current { checked }, behind(400_000));
        let unknown = Lag::Unknown { checked: Some(UnixTime(700_000)) };
        let ok = member(current, Some(60_000), false);
        for (members, readiness, point, not_ready) in [
            (vec![], Readiness::Unknown, None, vec![]),
            (vec![ok], Readiness::Yes, Some(990_000), vec![]),
            (
                vec![ok, member(behind(950_000), Some(60_000), false)],
                Readiness::Yes,
                Some(950_000),
                vec![],
            ),
            (vec![ok, member(late, None, false)], Readiness::Yes, Some(400_000), vec![]),
            (vec![member(late, Some(600_000), false), ok], Readiness::Yes, Some(400_000), vec![]),
            (
                vec![member(late, Some(599_999), false), ok],
                Readiness::No,
                Some(400_000),
                vec![(0, NotReady::TooFarBehind)],
            ),
            (
                vec![ok, member(unknown, None, false)],
                Readiness::Unknown,
                Some(700_000),
                vec![(1, NotReady::LagUnknown)],
            ),
            (
                vec![member(Lag::InitialCopy, None, false), member(unknown, None, true)],
                Readiness::No,
                None,
                vec![(0, NotReady::NotCopied), (1, NotReady::LagUnknown)],
            ),
            (
                vec![member(current, None, true)],
                Readiness::Yes,
                Some(990_000),
                vec![(0, NotReady::SyncFailing)],
            ),
        ] {
            let recovery_point = point.map(UnixTime);
            let expect = ReadyVerdict { readiness, recovery_point, not_ready };
            assert_eq!(judge(&members, NOW), expect, "{members:?}");
        }
    }
}
