//! Hours that allow or deny copying.
//!
//! A window belongs to the days on which it starts: one from 23:45 to 00:15 on Fridays ends on
//! Saturday. Clocks that are set change its edges like this:
//!
//! * An edge in an hour that clocks skip moves to the end of that hour. A window whose two edges
//!   are in there is not on that date.
//! * It starts the first time that clocks show `from`.
//! * A window that allows ends the first time that clocks show `to`, one that denies the last time:
//!   of two readings of the same text, the one that copies less.

use super::clock::{ClockReading, DAY_MS};
use super::days::Days;
use super::time_of_day::{TimeOfDay, TimeOfDayError};
use super::zone::Zone;
use crate::unix_time::UnixTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    Allow,
    Deny,
}

/// Hours on some days of the week.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    kind: WindowKind,
    /// Those on which it starts.
    days: Days,
    from: TimeOfDay,
    to: TimeOfDay,
    zone: Zone,
}

/// Why there is no such window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error(transparent)]
    TimeOfDay(#[from] TimeOfDayError),
    #[error("the window has no length: a whole day is from 00:00 to 24:00")]
    Empty,
}

/// A window on one date: from its first millisecond to the one after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub(super) start: UnixTime,
    pub(super) end: UnixTime,
}

/// How many days before the date that clocks show a window may have started: it lasts up to a day,
/// and both its edges may be moved past midnight.
const DAYS_BACK: i64 = 2;
/// A window starts within a week. Clocks that skip it add another one.
const DAYS_AHEAD: i64 = 15;

impl Window {
    /// A window from one time of day to another; to the next day's if that is not later. `to` may
    /// be `24:00`.
    ///
    /// # Errors
    ///
    /// When a time is not written as `23:45`, or both are the same.
    pub fn new(
        kind: WindowKind,
        days: Days,
        from: &str,
        to: &str,
        zone: Zone,
    ) -> Result<Self, WindowError> {
        let (from, to) = (TimeOfDay::before_end(from)?, TimeOfDay::until_end(to)?);
        if from == to {
            return Err(WindowError::Empty);
        }
        Ok(Self { kind, days, from, to, zone })
    }

    #[must_use]
    pub fn kind(&self) -> WindowKind {
        self.kind
    }

    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether every time is in the window.
    pub(super) fn is_always(&self) -> bool {
        self.days == Days::ALL && self.to.ms() - self.from.ms() == DAY_MS
    }

    /// Whether `time` is in the window.
    pub(super) fn contains(&self, time: UnixTime) -> bool {
        self.occurrences(time, 1).any(|found| found.start <= time && time < found.end)
    }

    /// The first start or end that is later than `time`.
    pub(super) fn next_edge(&self, time: UnixTime) -> Option<UnixTime> {
        let mut end = None;
        for found in self.occurrences(time, DAYS_AHEAD) {
            if found.start > time {
                // A repeated hour may let it start before the one before it ends.
                return Some(end.map_or(found.start, |end| found.start.min(end)));
            }
            if found.end > time {
                end = end.or(Some(found.end));
            }
        }
        end
    }

    /// The occurrences from days before `time` to `days` after it, in order.
    fn occurrences(&self, time: UnixTime, days: i64) -> impl Iterator<Item = Occurrence> {
        let today = self.zone.reading(time).map(ClockReading::day);
        let dates = today.map(|today| today - DAYS_BACK..=today + days);
        dates.into_iter().flatten().filter_map(|day| self.occurrence(day))
    }

    /// The window that starts on a date.
    fn occurrence(&self, day: i64) -> Option<Occurrence> {
        if !self.days.contains(day) {
            return None;
        }
        let last_day = if self.to > self.from { day } else { day + 1 };
        let from = ClockReading::of_day(day, self.from.ms());
        let to = ClockReading::of_day(last_day, self.to.ms());
        let start = self.zone.first(from)?;
        let end = match self.kind {
            WindowKind::Allow => self.zone.first(to)?,
            WindowKind::Deny => self.zone.last(to)?,
        };
        (start < end).then_some(Occurrence { start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WindowKind::{Allow, Deny};

    fn time(text: &str) -> UnixTime {
        UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn window(kind: WindowKind, days: &str, from: &str, to: &str, zone: &str) -> Window {
        let zone = Zone::of_name(zone).unwrap();
        Window::new(kind, days.parse().unwrap(), from, to, zone).unwrap()
    }

    /// A window, a time before it, and its next start and end; `None` when there is none within
    /// three days.
    type Case = (
        (WindowKind, &'static str, &'static str, &'static str, &'static str),
        &'static str,
        Option<(&'static str, &'static str)>,
    );

    const CASES: &[Case] = &[
        (
            (Deny, "daily", "09:00", "17:30", "Europe/Berlin"),
            "2026-11-26T00:00Z",
            Some(("2026-11-26T08:00Z", "2026-11-26T16:30Z")),
        ),
        // Across midnight it belongs to the day on which it starts.
        (
            (Deny, "fri", "23:45", "00:15", "Europe/Berlin"),
            "2026-11-26T00:00Z",
            Some(("2026-11-27T22:45Z", "2026-11-27T23:15Z")),
        ),
        ((Deny, "sat", "23:45", "00:15", "Europe/Berlin"), "2026-11-25T12:00Z", None),
        (
            (Allow, "daily", "00:00", "24:00", "Asia/Tokyo"),
            "2026-11-25T14:00Z",
            Some(("2026-11-25T15:00Z", "2026-11-26T15:00Z")),
        ),
        (
            (Allow, "daily", "12:00", "00:00", "UTC"),
            "2026-11-26T00:00Z",
            Some(("2026-11-26T12:00Z", "2026-11-27T00:00Z")),
        ),
        // 02:00 to 03:00 is skipped.
        (
            (Allow, "sun", "01:30", "02:30", "Europe/Berlin"),
            "2026-03-28T12:00Z",
            Some(("2026-03-29T00:30Z", "2026-03-29T01:00Z")),
        ),
        (
            (Deny, "sun", "02:30", "03:30", "Europe/Berlin"),
            "2026-03-28T12:00Z",
            Some(("2026-03-29T01:00Z", "2026-03-29T01:30Z")),
        ),
        ((Deny, "sun", "02:15", "02:45", "Europe/Berlin"), "2026-03-28T12:00Z", None),
        ((Allow, "sun", "02:00", "03:00", "Europe/Berlin"), "2026-03-28T12:00Z", None),
        // 02:00 to 03:00 is repeated.
        (
            (Allow, "sun", "02:15", "02:45", "Europe/Berlin"),
            "2026-10-24T12:00Z",
            Some(("2026-10-25T00:15Z", "2026-10-25T00:45Z")),
        ),
        (
            (Deny, "sun", "02:15", "02:45", "Europe/Berlin"),
            "2026-10-24T12:00Z",
            Some(("2026-10-25T00:15Z", "2026-10-25T01:45Z")),
        ),
        (
            (Deny, "sat", "22:00", "02:00", "Europe/Berlin"),
            "2026-10-24T12:00Z",
            Some(("2026-10-24T20:00Z", "2026-10-25T01:00Z")),
        ),
        (
            (Allow, "sat", "22:00", "04:00", "Europe/Berlin"),
            "2026-10-24T12:00Z",
            Some(("2026-10-24T20:00Z", "2026-10-25T03:00Z")),
        ),
        // Midnight is skipped, or the hour before it repeated.
        (
            (Deny, "sun", "00:00", "06:00", "America/Santiago"),
            "2026-09-05T12:00Z",
            Some(("2026-09-06T04:00Z", "2026-09-06T09:00Z")),
        ),
        (
            (Deny, "sat", "20:00", "23:30", "America/Santiago"),
            "2026-04-04T12:00Z",
            Some(("2026-04-04T23:00Z", "2026-04-05T03:30Z")),
        ),
        (
            (Allow, "sun", "02:00", "06:00", "Australia/Lord_Howe"),
            "2026-10-03T12:00Z",
            Some(("2026-10-03T15:30Z", "2026-10-03T19:00Z")),
        ),
        (
            (Deny, "sun", "01:40", "01:50", "Australia/Lord_Howe"),
            "2026-04-04T12:00Z",
            Some(("2026-04-04T14:40Z", "2026-04-04T15:20Z")),
        ),
    ];

    #[test]
    fn a_window_has_a_start_and_an_end_on_each_of_its_days() {
        for ((kind, days, from, to, zone), now, want) in CASES {
            let case = format!("{kind:?} {days} {from} to {to} in {zone}");
            let (window, now) = (window(*kind, days, from, to, zone), time(now));
            let soon = time("1970-01-04T00:00Z").0;
            let start = window.next_edge(now).filter(|start| start.0 - now.0 < soon);
            let end = start.and_then(|start| window.next_edge(start));
            let want = want.map(|(start, end)| (time(start), time(end)));
            assert_eq!(start.zip(end), want, "{case}");
            let Some((start, end)) = want else { continue };
            let around = [start.0 - 1, start.0, end.0 - 1, end.0];
            let found = around.map(|time| window.contains(UnixTime(time)));
            // A daily window of a whole day is adjacent to the next one.
            let whole = *from == "00:00" && *to == "24:00";
            assert_eq!(found, [whole, true, true, whole], "{case}");
        }
    }

    #[test]
    fn a_window_of_a_day_that_a_clock_left_again_has_begun() {
        // At 00:01 of that Sunday clocks were set back to 23:01 of Saturday.
        let sunday = window(Allow, "sun", "00:00", "09:00", "America/St_Johns");
        for (now, is_in) in [
            ("2010-11-07T02:29Z", false),
            ("2010-11-07T02:30Z", true),
            ("2010-11-07T02:45Z", true),
            ("2010-11-07T12:29Z", true),
            ("2010-11-07T12:30Z", false),
        ] {
            assert_eq!(sunday.contains(time(now)), is_in, "{now}");
        }
    }

    #[test]
    fn a_window_needs_a_length() {
        let new = |from, to| Window::new(Allow, Days::ALL, from, to, Zone::UTC);
        for (from, to) in [("02:00", "02:00"), ("00:00", "00:00")] {
            assert_eq!(new(from, to), Err(WindowError::Empty), "{from} to {to}");
        }
        for (from, to) in [("24:00", "02:00"), ("2:00", "03:00"), ("02:00", "24:01")] {
            assert!(matches!(new(from, to), Err(WindowError::TimeOfDay(_))), "{from} to {to}");
        }
        assert!(new("00:00", "24:00").is_ok());
        assert!(new("23:59", "00:00").is_ok());
    }
}
