//! How far the tables of a replication are behind, counted: what pages and metrics show of them.

use std::time::Duration;

use deepclone_core::readiness::lag::Lag;
use deepclone_core::unix_time::UnixTime;

use super::view::ReplicationView;

/// Some tables, counted by what is known of their lag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LagSummary {
    /// All of them: the sum of the next four.
    pub tables: u64,
    pub current: u64,
    pub behind: u64,
    pub unknown: u64,
    pub not_copied: u64,
    /// Those that are behind by more than is to be warned of, and are ready all the same.
    pub late: u64,
    /// Tables with a failure, whatever their lag.
    pub failing: u64,
    /// Copied tables whose source has never answered.
    pub never_checked: u64,
    /// The oldest commit that one of those that are behind lacks.
    pub lacks_since: Option<UnixTime>,
    /// The time up to which those are complete that have been copied and checked.
    pub complete_to: Option<UnixTime>,
    /// When the source was asked longest ago; tables whose source was never asked do not count.
    pub checked: Option<UnixTime>,
    /// The newest sync of any table.
    pub synced_at: Option<UnixTime>,
}

impl LagSummary {
    /// Counts the tables of a replication at `now`.
    #[must_use]
    pub fn of(view: &ReplicationView, now: UnixTime) -> Self {
        let mut sum = Self::default();
        for (table, lag) in view.lags(now) {
            sum.tables += 1;
            sum.failing += u64::from(table.failure.is_some());
            match lag {
                Lag::InitialCopy => sum.not_copied += 1,
                Lag::Unknown { checked } => {
                    sum.unknown += 1;
                    sum.never_checked += u64::from(checked.is_none());
                }
                Lag::Current { .. } => sum.current += 1,
                Lag::Behind { since, .. } => {
                    sum.behind += 1;
                    sum.late += u64::from(view.is_late(now.since(since)));
                    sum.lacks_since = earlier(sum.lacks_since, Some(since));
                }
            }
            sum.complete_to = earlier(sum.complete_to, lag.complete_to());
            sum.checked = earlier(sum.checked, table.freshness.checked);
            sum.synced_at = sum.synced_at.max(table.synced_at);
        }
        sum
    }

    /// Returns the count of both together.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            tables: self.tables + other.tables,
            current: self.current + other.current,
            behind: self.behind + other.behind,
            unknown: self.unknown + other.unknown,
            not_copied: self.not_copied + other.not_copied,
            late: self.late + other.late,
            failing: self.failing + other.failing,
            never_checked: self.never_checked + other.never_checked,
            lacks_since: earlier(self.lacks_since, other.lacks_since),
            complete_to: earlier(self.complete_to, other.complete_to),
            checked: earlier(self.checked, other.checked),
            synced_at: self.synced_at.max(other.synced_at),
        }
    }

    /// How old the oldest commit is that a table lacks. `None` while that is not known of one of
    /// those that have been copied, or when none has been: then no number says how far they are
    /// behind.
    #[must_use]
    pub fn age(&self, now: UnixTime) -> Option<Duration> {
        let is_known = self.unknown == 0 && self.current + self.behind > 0;
        is_known.then(|| self.age_at_least(now))
    }

    /// As [`LagSummary::age`], of those tables alone of which it is known.
    #[must_use]
    pub fn age_at_least(&self, now: UnixTime) -> Duration {
        self.lacks_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

/// The earlier one of those that are known.
fn earlier(one: Option<UnixTime>, other: Option<UnixTime>) -> Option<UnixTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
