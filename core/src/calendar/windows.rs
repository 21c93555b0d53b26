//! Whether copying is allowed at some time, and until when that stays so.
//!
//! It is allowed in the union of the windows that allow (all the time if there are none), minus
//! every window that denies.

use std::time::Duration;

use super::clock::DAY_MS;
use super::window::{Window, WindowKind};
use crate::unix_time::UnixTime;

/// How far ahead a change is sought: a year and a month.
pub const HORIZON: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The windows of a replication; all the time when there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows {
    allow: Vec<Window>,
    deny: Vec<Window>,
}

/// What windows say at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowState {
    pub is_open: bool,
    /// When that changes. `None` when it does not within [`HORIZON`].
    pub until: Option<UnixTime>,
}

impl Windows {
    #[must_use]
    pub fn new(windows: Vec<Window>) -> Self {
        let is_allow = |window: &Window| window.kind() == WindowKind::Allow;
        let (mut allow, deny): (Vec<Window>, _) = windows.into_iter().partition(is_allow);
        // One that allows all the time is like none.
        if allow.iter().any(Window::is_always) {
            allow.clear();
        }
        Self { allow, deny }
    }

    /// Whether copying is allowed, and until when. Windows that touch are one.
    #[must_use]
    pub fn at(&self, time: UnixTime) -> WindowState {
        let is_open = self.is_open(time);
        WindowState { is_open, until: self.next_change(time, is_open) }
    }

    fn is_open(&self, time: UnixTime) -> bool {
        let is_in = |windows: &[Window]| windows.iter().any(|window| window.contains(time));
        (self.allow.is_empty() || is_in(&self.allow)) && !is_in(&self.deny)
    }

    /// The first time from which on the windows say something else than `is_open`.
    fn next_change(&self, time: UnixTime, is_open: bool) -> Option<UnixTime> {
        if self.deny.iter().any(Window::is_always) {
            return None;
        }
        let horizon = time.after(HORIZON);
        let mut regular_from = time;
        let mut seen = time;
        loop {
            let edge = self.edges(seen).min().filter(|edge| *edge <= horizon)?;
            if self.is_open(edge) != is_open {
                return Some(edge);
            }
            // What does not change in a regular week does not before clocks are set.
            if edge.0 - regular_from.0 > IRREGULAR_MS + 7 * DAY_MS {
                let set = self.clocks_set(regular_from)?;
                regular_from = set;
                seen = edge.max(UnixTime(set.0 - IRREGULAR_MS));
            } else {
                seen = edge;
            }
        }
    }

    fn edges(&self, time: UnixTime) -> impl Iterator<Item = UnixTime> {
        self.all().filter_map(move |window| window.next_edge(time))
    }

    /// When the clocks of one of the zones are next set.
    fn clocks_set(&self, time: UnixTime) -> Option<UnixTime> {
        self.all().filter_map(|window| window.zone().next_change(time)).min()
    }

    fn all(&self) -> impl Iterator<Item = &Window> {
        self.allow.iter().chain(&self.deny)
    }
}

/// How far from the time at which clocks are set a window may differ from that of other weeks: its
/// length and a day.
const IRREGULAR_MS: i64 = 3 * DAY_MS;

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;
    use WindowKind::{Allow, Deny};

    fn time(text: &str) -> UnixTime {
        UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    type Line = (WindowKind, &'static str, &'static str, &'static str, &'static str);

    fn windows(lines: &[Line]) -> Windows {
        let window = |(kind, days, from, to, zone): &Line| {
            let zone = Zone::of_name(zone).unwrap();
            Window::new(*kind, days.parse().unwrap(), from, to, zone).unwrap()
        };
        Windows::new(lines.iter().map(window).collect())
    }

    /// Windows, a time, whether they are open then, and until when.
    type Case = (&'static [Line], &'static str, bool, Option<&'static str>);

    const CASES: &[Case] = &[
        (&[], "2026-11-26T12:00Z", true, None),
        // They touch until clocks are set, and leave half an hour from that very moment on.
        (
            &[
                (Allow, "daily", "01:00", "02:30", "Europe/Berlin"),
                (Allow, "daily", "01:30", "00:00", "UTC"),
            ],
            "2026-11-26T12:00Z",
            true,
            Some("2027-03-28T01:00Z"),
        ),
        (
            &[(Allow, "daily", "22:00", "06:00", "UTC")],
            "2026-11-26T12:00Z",
            false,
            Some("2026-11-26T22:00Z"),
        ),
        (
            &[(Allow, "daily", "22:00", "06:00", "UTC")],
            "2026-11-26T22:00Z",
            true,
            Some("2026-11-27T06:00Z"),
        ),
        (
            &[(Allow, "daily", "22:00", "06:00", "UTC")],
            "2026-11-27T06:00Z",
            false,
            Some("2026-11-27T22:00Z"),
        ),
        (
            &[(Deny, "mon-fri", "09:00", "17:00", "UTC")],
            "2026-11-27T17:00Z",
            true,
            Some("2026-11-30T09:00Z"),
        ),
        // Deny wins, and what is left of an allow window opens after it.
        (
            &[(Allow, "daily", "08:00", "20:00", "UTC"), (Deny, "thu", "10:00", "12:00", "UTC")],
            "2026-11-26T09:00Z",
            true,
            Some("2026-11-26T10:00Z"),
        ),
        (
            &[(Allow, "daily", "08:00", "20:00", "UTC"), (Deny, "thu", "10:00", "12:00", "UTC")],
            "2026-11-26T10:00Z",
            false,
            Some("2026-11-26T12:00Z"),
        ),
        // Two allow windows do not block each other; those that touch or overlap are one.
        (
            &[
                (Allow, "daily", "08:00", "12:00", "UTC"),
                (Allow, "daily", "12:00", "14:00", "UTC"),
                (Allow, "daily", "13:00", "15:00", "UTC"),
            ],
            "2026-11-26T08:30Z",
            true,
            Some("2026-11-26T15:00Z"),
        ),
        (
            &[(Deny, "fri", "22:00", "24:00", "UTC"), (Deny, "sat", "00:00", "03:00", "UTC")],
            "2026-11-27T23:00Z",
            false,
            Some("2026-11-28T03:00Z"),
        ),
        // In two zones: 22:00 in Berlin is 21:00Z.
        (
            &[
                (Allow, "daily", "18:00", "22:00", "Europe/Berlin"),
                (Allow, "daily", "21:00", "23:00", "UTC"),
            ],
            "2026-11-26T17:00Z",
            true,
            Some("2026-11-26T23:00Z"),
        ),
        // For good.
        (&[(Allow, "daily", "00:00", "24:00", "Europe/Berlin")], "2026-11-26T12:00Z", true, None),
        (&[(Deny, "daily", "00:00", "24:00", "Europe/Berlin")], "2026-11-26T12:00Z", false, None),
        (
            &[
                (Allow, "daily", "09:00", "10:00", "Africa/Cairo"),
                (Deny, "daily", "08:00", "12:00", "Africa/Cairo"),
            ],
            "2026-11-26T12:00Z",
            false,
            None,
        ),
        (
            &[
                (Allow, "mon-fri", "00:00", "24:00", "America/Santiago"),
                (Allow, "sat,sun", "00:00", "24:00", "America/Santiago"),
            ],
            "2026-11-26T12:00Z",
            true,
            None,
        ),
        // Closed in every week, but for the one in which Berlin sets its clocks before New York:
        // from the last Sunday of October on 13:00 in Berlin is 08:00 in New York.
        (
            &[
                (Allow, "mon", "13:00", "14:00", "Europe/Berlin"),
                (Deny, "mon", "06:30", "08:00", "America/New_York"),
            ],
            "2026-04-01T00:00Z",
            false,
            Some("2026-10-26T12:00Z"),
        ),
        // Ten days before New York sets its clocks, and Berlin does three weeks later.
        (
            &[
                (Allow, "sat", "13:00", "14:00", "Europe/Berlin"),
                (Deny, "daily", "06:30", "08:00", "America/New_York"),
            ],
            "2026-02-26T06:00Z",
            false,
            Some("2026-03-14T12:00Z"),
        ),
    ];

    #[test]
    fn a_state_lasts_until_the_next_change() {
        for (lines, now, is_open, until) in CASES {
            let found = windows(lines).at(time(now));
            let want = WindowState { is_open: *is_open, until: until.map(time) };
            assert_eq!(found, want, "{lines:?} at {now}");
        }
    }

    #[test]
    fn beyond_the_years_that_there_are_nothing_changes() {
        let windows = windows(&[(Allow, "daily", "22:00", "06:00", "UTC")]);
        for far in [i64::MIN, i64::MAX] {
            assert_eq!(windows.at(UnixTime(far)), WindowState { is_open: false, until: None });
        }
    }
}
