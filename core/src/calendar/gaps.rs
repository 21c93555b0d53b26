//! The longest time between two starts in sequence.

use std::cmp::{max, min};
use std::time::Duration;

use super::schedule::Schedule;
use crate::unix_time::UnixTime;

/// How far ahead the longest gap between two slots is sought.
const HORIZON: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// From one start to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartGap {
    pub from: UnixTime,
    pub to: UnixTime,
}

/// Goes from start to start, and keeps the longest gap that is longer than a bound.
pub(super) struct GapSearch<'a> {
    schedule: &'a Schedule,
    /// From each slot to its start.
    delay: Duration,
    /// Shorter gaps, and those of this length, are of no interest.
    bound: Duration,
    last: Option<UnixTime>,
    longest: Option<StartGap>,
}

impl StartGap {
    #[must_use]
    pub fn length(self) -> Duration {
        self.to.since(self.from)
    }
}

impl Schedule {
    /// The longest time between two slots in sequence, of those that begin within 400 days from
    /// `from` on. `None` when there are no two.
    #[must_use]
    pub fn longest_gap(&self, from: UnixTime) -> Option<Duration> {
        if let Some(interval) = self.interval() {
            return Some(interval);
        }
        let first = self.latest_at(from).or_else(|| self.next_after(from))?;
        let mut search = GapSearch::new(self, Duration::ZERO, Duration::ZERO);
        search.start_at(first);
        search.slots_until(max(from, first).after(HORIZON));
        if let Some(next) = search.last.and_then(|last| self.next_after(last)) {
            search.start_at(next);
        }
        search.longest.map(StartGap::length)
    }
}

impl<'a> GapSearch<'a> {
    pub(super) fn new(schedule: &'a Schedule, delay: Duration, bound: Duration) -> Self {
        Self { schedule, delay, bound, last: None, longest: None }
    }

    /// The longest gap that was longer than the bound.
    pub(super) fn longest(&self) -> Option<StartGap> {
        self.longest
    }

    /// The first start of a slot that is later than `time`.
    pub(super) fn next_after(&self, time: UnixTime) -> Option<UnixTime> {
        Some(self.schedule.next_after(time.before(self.delay))?.after(self.delay))
    }

    /// The newest start of a slot that is not later than `time`.
    pub(super) fn latest_at(&self, time: UnixTime) -> Option<UnixTime> {
        Some(self.schedule.latest_at(time.before(self.delay))?.after(self.delay))
    }

    /// Takes the next start, or the end of the search.
    pub(super) fn start_at(&mut self, start: UnixTime) {
        if let Some(from) = self.last {
            let gap = StartGap { from, to: start };
            if gap.length() > self.bound {
                self.bound = gap.length();
                self.longest = Some(gap);
            }
        }
        self.last = Some(start);
    }

    /// Takes the slots after the last start that start before `end`.
    ///
    /// Between a start and the newest one within the bound no gap can be longer: one step passes
    /// them all.
    pub(super) fn slots_until(&mut self, end: UnixTime) {
        while let Some(last) = self.last {
            let reach = min(last.after(self.bound), UnixTime(end.0.saturating_sub(1)));
            match self.latest_at(reach).filter(|start| *start > last) {
                Some(start) => self.last = Some(start),
                None => match self.next_after(last).filter(|start| *start < end) {
                    Some(start) => self.start_at(start),
                    None => return,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;

    #[test]
    fn the_longest_gap_is_that_of_the_day_on_which_clocks_are_set_back() {
        let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
        let cases = [
            ("0 2 * * *", "UTC", hours(24)),
            ("0 4 * * *", "Europe/Berlin", hours(25)),
            ("0 2 * * mon-fri", "UTC", hours(72)),
            ("0 8-18/2 * * *", "UTC", hours(14)),
            ("0 0 1 * *", "UTC", hours(31 * 24)),
            ("0 0 29 2 *", "UTC", hours((4 * 365 + 1) * 24)),
            ("*/20 2 * * *", "Europe/Berlin", hours(46) + Duration::from_secs(20 * 60)),
        ];
        let from = UnixTime(1_795_700_000_000);
        for (pattern, zone, want) in cases {
            let schedule = Schedule::cron(pattern, Zone::of_name(zone).unwrap()).unwrap();
            assert_eq!(schedule.longest_gap(from), Some(want), "{pattern} in {zone}");
        }
        let schedule = Schedule::every(hours(5)).unwrap();
        assert_eq!(schedule.longest_gap(from), Some(hours(5)));
    }
}
