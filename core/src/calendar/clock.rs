//! What the clocks of a zone show, and when they show it.
//!
//! Clocks are set forward (a *gap*: hours that they never show) and back (a *repeat*: hours that
//! they show twice). Both directions are computed from the offsets of a zone from UTC alone, so
//! that they always agree.

use std::cmp::max;

use jiff::Timestamp;

use super::zone::Zone;
use crate::unix_time::UnixTime;

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// More than any zone is away from UTC.
const OFFSET_MS_MAX: i64 = 26 * 60 * MINUTE_MS;

/// What a clock shows: the milliseconds since it showed 1970-01-01T00:00, had nobody set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClockReading(pub(super) i64);

impl ClockReading {
    /// The days from 1970-01-01 to the date that the clock shows.
    pub(super) fn day(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }

    /// What a clock shows at some time of a day; that of the next day too.
    pub(super) fn of_day(day: i64, ms: i64) -> Self {
        Self(day.saturating_mul(DAY_MS).saturating_add(ms))
    }
}

/// Each returns `None` beyond the years −9999 to 9999.
impl Zone {
    pub(super) fn reading(&self, time: UnixTime) -> Option<ClockReading> {
        Some(ClockReading(time.0.checked_add(self.offset_ms(time)?)?))
    }

    /// The first time at which the clock shows `reading` or more: the end of the gap if it is in
    /// one, the first time of two.
    pub(super) fn first(&self, reading: ClockReading) -> Option<UnixTime> {
        let mut time = UnixTime(reading.0.checked_sub(OFFSET_MS_MAX)?);
        loop {
            let shown_at = reading.0.checked_sub(self.offset_ms(time)?)?;
            let found = max(time, UnixTime(shown_at));
            match self.next_change(time) {
                Some(change) if found >= change => time = change,
                _ => return Some(found),
            }
        }
    }

    /// The last time at which the clock shows `reading`: the second time of two; the end of the gap
    /// if it is in one.
    pub(super) fn last(&self, reading: ClockReading) -> Option<UnixTime> {
        let mut time = UnixTime(reading.0.checked_add(OFFSET_MS_MAX)?);
        loop {
            let shown_at = UnixTime(reading.0.checked_sub(self.offset_ms(time)?)?);
            if shown_at > time {
                return Some(UnixTime(time.0 + 1));
            }
            match self.last_change(time) {
                Some(change) if shown_at < change => time = UnixTime(change.0 - 1),
                _ => return Some(shown_at),
            }
        }
    }

    /// The most that the clock has shown until `time`. In the second of two equal hours this is
    /// more than it shows by then.
    pub(super) fn highest(&self, time: UnixTime) -> Option<ClockReading> {
        let now = self.reading(time)?;
        let before = self.last_change(time).and_then(|change| self.reading(UnixTime(change.0 - 1)));
        Some(before.map_or(now, |before| max(before, now)))
    }

    /// The distance from UTC, positive to the east.
    pub(super) fn offset_ms(&self, time: UnixTime) -> Option<i64> {
        let seconds = self.time_zone().to_offset(timestamp(time)?).seconds();
        Some(i64::from(seconds) * 1000)
    }

    /// The next time, later than `time`, at which the distance from UTC may change.
    pub(super) fn next_change(&self, time: UnixTime) -> Option<UnixTime> {
        let change = self.time_zone().following(timestamp(time)?).next()?;
        Some(UnixTime(change.timestamp().as_millisecond()))
    }

    /// The newest time, not later than `time`, at which the distance from UTC may have changed.
    pub(super) fn last_change(&self, time: UnixTime) -> Option<UnixTime> {
        let after = timestamp(UnixTime(time.0.checked_add(1)?))?;
        let change = self.time_zone().preceding(after).next()?;
        Some(UnixTime(change.timestamp().as_millisecond()))
    }
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> ClockReading {
        ClockReading(time(&format!("{text}Z")).0)
    }

    fn time(text: &str) -> UnixTime {
        UnixTime(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    /// A zone, what its clock shows, when it does so first and last.
    const SHOWN: [(&str, &str, &str, &str); 14] = [
        ("UTC", "2026-03-29T02:30", "2026-03-29T02:30Z", "2026-03-29T02:30Z"),
        ("Europe/Berlin", "2026-07-01T02:30", "2026-07-01T00:30Z", "2026-07-01T00:30Z"),
        // The gap from 02:00 to 03:00, and the repeat from 02:00 to 03:00.
        ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59Z", "2026-03-29T00:59Z"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00Z", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00Z", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00Z", "2026-10-25T01:00Z"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30Z", "2026-10-25T01:30Z"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00Z", "2026-10-25T02:00Z"),
        // Half an hour only.
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30Z", "2026-10-03T15:30Z"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45Z", "2026-04-04T15:15Z"),
        // Midnight is in the gap; the hour before it is repeated.
        ("America/Santiago", "2026-09-06T00:00", "2026-09-06T04:00Z", "2026-09-06T04:00Z"),
        ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30Z", "2026-04-05T03:30Z"),
        // A date that there was not.
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00Z", "2011-12-30T10:00Z"),
        // Clocks stood still when summer time became the standard time.
        ("America/Nuuk", "2023-10-28T23:59", "2023-10-29T01:59Z", "2023-10-29T01:59Z"),
    ];

    #[test]
    fn a_clock_shows_a_reading_never_once_or_twice() {
        for (zone, shown, first, last) in SHOWN {
            let case = format!("{shown} in {zone}");
            let zone = Zone::of_name(zone).unwrap();
            assert_eq!(zone.first(reading(shown)), Some(time(first)), "first {case}");
            assert_eq!(zone.last(reading(shown)), Some(time(last)), "last {case}");
        }
    }

    #[test]
    fn the_last_reading_before_a_gap_is_shown_before_it() {
        let berlin = Zone::of_name("Europe/Berlin").unwrap();
        let last = berlin.last(ClockReading(reading("2026-03-29T02:00").0 - 1));
        assert_eq!(last, Some(UnixTime(time("2026-03-29T01:00Z").0 - 1)));
    }

    #[test]
    fn the_highest_reading_outlasts_the_clock_that_is_set_back() {
        let berlin = Zone::of_name("Europe/Berlin").unwrap();
        let highest = |text| berlin.highest(time(text)).unwrap();
        assert_eq!(highest("2026-10-25T00:30Z"), reading("2026-10-25T02:30"));
        assert_eq!(highest("2026-10-25T01:30Z"), ClockReading(reading("2026-10-25T03:00").0 - 1));
        assert_eq!(highest("2026-10-25T02:00Z"), reading("2026-10-25T03:00"));
        assert_eq!(highest("2026-03-29T01:00Z"), reading("2026-03-29T03:00"));
    }

    #[test]
    fn beyond_the_years_that_there_are_is_nothing() {
        let berlin = Zone::of_name("Europe/Berlin").unwrap();
        for far in [i64::MIN, i64::MAX] {
            assert_eq!(berlin.reading(UnixTime(far)), None);
            assert_eq!(berlin.first(ClockReading(far)), None);
            assert_eq!(berlin.last(ClockReading(far)), None);
            assert_eq!(berlin.highest(UnixTime(far)), None);
            assert_eq!(berlin.next_change(UnixTime(far)), None);
            assert_eq!(berlin.last_change(UnixTime(far)), None);
        }
    }
}
