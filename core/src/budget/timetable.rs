//! Bandwidth by the hour: a limit at some hours of some days, none at all others.

use std::collections::BTreeSet;

use crate::calendar::days::Days;
use crate::calendar::window::{Window, WindowError, WindowKind};
use crate::calendar::windows::Windows;
use crate::calendar::zone::Zone;
use crate::unix_time::UnixTime;

/// One line of a timetable, such as 50 MiB/s from 08:00 to 18:00 on mon-fri.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimetableLine {
    /// Those on which it starts.
    pub days: Days,
    pub from: String,
    /// Of the next day if that is not later than `from`; may be `24:00`.
    pub to: String,
    pub bytes_per_second: u64,
}

/// Limits by the hour, on the clocks of one zone. Where two lines overlap the lower limit holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timetable {
    /// One for each limit, the lowest first.
    levels: Vec<Level>,
}

#[derive(Clone, Debug, PartialEq)]
struct Level {
    bytes_per_second: u64,
    /// Closed while this limit or a lower one holds.
    above: Windows,
}

/// What a timetable says at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimetableRate {
    /// `None` when any rate is fine.
    pub bytes_per_second: Option<u64>,
    /// When that changes. `None` when it does not within
    /// [`HORIZON`](crate::calendar::windows::HORIZON).
    pub until: Option<UnixTime>,
}

/// Why a timetable is none. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    #[error("line {line}: {cause}")]
    Hours {
        line: usize,
        #[source]
        cause: WindowError,
    },
    #[error("line {line}: a limit of 0 is a window that denies copying: write it as one")]
    Zero { line: usize },
}

impl Timetable {
    /// Returns the timetable of these lines. Where clocks are set back a limit holds until its end
    /// is shown for the last time.
    ///
    /// # Errors
    /// The first line that has no hours, or no limit.
    pub fn new(lines: &[TimetableLine], zone: &Zone) -> Result<Self, TimetableError> {
        let mut limited = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let number = at + 1;
            if line.bytes_per_second == 0 {
                return Err(TimetableError::Zero { line: number });
            }
            let (from, to) = (&line.from, &line.to);
            let window = Window::new(WindowKind::Deny, line.days, from, to, zone.clone())
                .map_err(|cause| TimetableError::Hours { line: number, cause })?;
            limited.push((line.bytes_per_second, window));
        }
        let limits: BTreeSet<u64> = limited.iter().map(|(limit, _)| *limit).collect();
        let level = |bytes_per_second: u64| {
            let windows = limited.iter().filter(|(limit, _)| *limit <= bytes_per_second);
            let above = Windows::new(windows.map(|(_, window)| window.clone()).collect());
            Level { bytes_per_second, above }
        };
        Ok(Self { levels: limits.into_iter().map(level).collect() })
    }

    /// The limit at some time, and until when it is the same.
    #[must_use]
    pub fn at(&self, time: UnixTime) -> TimetableRate {
        let mut until: Option<UnixTime> = None;
        for level in &self.levels {
            let state = level.above.at(time);
            let lower_begins = until;
            until = state.until;
            if !state.is_open {
                // It ends when its own hours do, or when those of a lower limit begin.
                until = lower_begins.into_iter().chain(until).min();
                return TimetableRate { bytes_per_second: Some(level.bytes_per_second), until };
            }
        }
        TimetableRate { bytes_per_second: None, until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::window::WindowError;

    fn time(text: &str) -> UnixTime {
        UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn lines(lines: &[(&str, &str, &str, u64)]) -> Vec<TimetableLine> {
        let line = |(days, from, to, limit): &(&str, &str, &str, u64)| TimetableLine {
            days: days.parse().unwrap(),
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            bytes_per_second: *limit,
        };
        lines.iter().map(line).collect()
    }

    const OFFICE: &[(&str, &str, &str, u64)] =
        &[("mon-fri", "08:00", "18:00", 50), ("mon-fri", "18:00", "20:00", 50)];
    const OVERLAP: &[(&str, &str, &str, u64)] =
        &[("daily", "08:00", "18:00", 50), ("daily", "12:00", "13:00", 10)];
    const ALWAYS: &[(&str, &str, &str, u64)] =
        &[("daily", "08:00", "20:00", 50), ("daily", "20:00", "08:00", 70)];
    const NIGHT: &[(&str, &str, &str, u64)] = &[("sat", "22:00", "02:30", 5)];

    #[test]
    fn a_limit_holds_until_it_changes() {
        let (berlin, auckland) = ("Europe/Berlin", "Pacific/Auckland");
        // (lines, zone, time, limit, until)
        let cases = [
            (&[][..], berlin, "2026-11-26T12:00Z", None, None),
            // Thursday, then Friday evening: free until Monday. Lines that touch are one.
            (OFFICE, berlin, "2026-11-26T06:59Z", None, Some("2026-11-26T07:00Z")),
            (OFFICE, berlin, "2026-11-26T07:00Z", Some(50), Some("2026-11-26T19:00Z")),
            (OFFICE, berlin, "2026-11-27T19:00Z", None, Some("2026-11-30T07:00Z")),
            // Summer time.
            (OFFICE, berlin, "2026-07-01T05:59Z", None, Some("2026-07-01T06:00Z")),
            (OFFICE, auckland, "2026-11-26T12:00Z", None, Some("2026-11-26T19:00Z")),
            (OVERLAP, "UTC", "2026-11-26T09:00Z", Some(50), Some("2026-11-26T12:00Z")),
            (OVERLAP, "UTC", "2026-11-26T12:00Z", Some(10), Some("2026-11-26T13:00Z")),
            (OVERLAP, "UTC", "2026-11-26T13:00Z", Some(50), Some("2026-11-26T18:00Z")),
            (OVERLAP, "UTC", "2026-11-26T18:00Z", None, Some("2026-11-27T08:00Z")),
            (ALWAYS, "UTC", "2026-11-26T19:00Z", Some(50), Some("2026-11-26T20:00Z")),
            (ALWAYS, "UTC", "2026-11-26T20:00Z", Some(70), Some("2026-11-27T08:00Z")),
            (&[("daily", "00:00", "24:00", 9)], berlin, "2026-11-26T20:00Z", Some(9), None),
            // The night in which clocks are set forward, then back: 02:30 is skipped, or is there
            // twice.
            (NIGHT, berlin, "2026-03-28T22:00Z", Some(5), Some("2026-03-29T01:00Z")),
            (NIGHT, berlin, "2026-10-24T22:00Z", Some(5), Some("2026-10-25T01:30Z")),
        ];
        for (table, zone, now, bytes_per_second, until) in cases {
            let table = lines(table);
            let timetable = Timetable::new(&table, &Zone::of_name(zone).unwrap()).unwrap();
            let want = TimetableRate { bytes_per_second, until: until.map(time) };
            assert_eq!(timetable.at(time(now)), want, "{table:?} in {zone} at {now}");
        }
    }

    #[test]
    fn a_fault_names_its_line() {
        let told = |second: (&str, &str, &str, u64)| {
            let table = lines(&[("daily", "08:00", "09:00", 1), second]);
            Timetable::new(&table, &Zone::UTC).unwrap_err()
        };
        assert_eq!(told(("daily", "08:00", "09:00", 0)), TimetableError::Zero { line: 2 });
        let empty = TimetableError::Hours { line: 2, cause: WindowError::Empty };
        assert_eq!(told(("daily", "08:00", "08:00", 1)), empty);
        let error = told(("daily", "8:00", "09:00", 1)).to_string();
        assert!(error.starts_with("line 2: \"8:00\" is no time of day"), "{error}");
    }
}
