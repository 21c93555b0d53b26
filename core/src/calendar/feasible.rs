//! Whether a schedule and its windows can keep the lag that is asked for.

use std::time::Duration;

use super::gaps::{GapSearch, StartGap};
use super::schedule::Schedule;
use super::windows::{HORIZON, Windows};
use crate::unix_time::UnixTime;

/// Why a replication cannot keep its lag, whatever is copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeasibilityError {
    #[error("no sync can start from {from} to {until}: no slot comes, or no window opens")]
    NeverStarts { from: UnixTime, until: UnixTime },
    #[error(
        "no sync can start after {} before {}: that is {}, and the lag may be {} at most",
        gap.from, gap.to, hours(gap.length()), hours(*max_lag)
    )]
    TooFarApart { gap: StartGap, max_lag: Duration },
}

/// Checks that within the 400 days from `from` on no two starts in sequence are further apart than
/// `max_lag`. `delay` is that of the replication, see [`Schedule::delay`].
///
/// A sync can start at each slot, after the delay, if the windows are open then, and else when they
/// next open.
///
/// # Errors
///
/// Names the longest gap between two starts if it is longer than `max_lag`.
pub fn refuse_impossible(
    schedule: &Schedule,
    windows: &Windows,
    delay: Duration,
    max_lag: Duration,
    from: UnixTime,
) -> Result<(), FeasibilityError> {
    let until = from.after(HORIZON);
    let mut search = GapSearch::new(schedule, delay, max_lag);
    // The start before `from` was not later: the first gap is at least this long.
    search.start_at(from);
    let mut is_started = false;
    let mut closed_from = from;
    let mut now = from;
    while now < until {
        let state = windows.at(now);
        let change = state.until.unwrap_or(until).min(until);
        if state.is_open {
            // What came due while they were closed starts as soon as they open.
            let is_due = search.latest_at(now).is_some_and(|start| start >= closed_from);
            let next = search.next_after(now).filter(|start| *start < change);
            if let Some(start) = if is_due { Some(now) } else { next } {
                is_started = true;
                search.start_at(start);
                search.slots_until(change);
            }
            closed_from = change;
        }
        now = change;
    }
    if !is_started {
        return Err(FeasibilityError::NeverStarts { from, until });
    }
    // The next start is at the end of the search or later.
    search.start_at(until);
    match search.longest() {
        Some(gap) => Err(FeasibilityError::TooFarApart { gap, max_lag }),
        None => Ok(()),
    }
}

/// As people write it: `26h30m`.
fn hours(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::window::{Window, WindowKind};
    use super::super::zone::Zone;
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn time(text: &str) -> UnixTime {
        UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn berlin() -> Zone {
        Zone::of_name("Europe/Berlin").unwrap()
    }

    fn windows(lines: &[(WindowKind, &str, &str, &str)]) -> Windows {
        let window = |(kind, days, from, to): &(WindowKind, &str, &str, &str)| {
            Window::new(*kind, days.parse().unwrap(), from, to, berlin()).unwrap()
        };
        Windows::new(lines.iter().map(window).collect())
    }

    fn every(interval: Duration) -> Schedule {
        Schedule::every(interval).unwrap()
    }

    fn at(times: &[&str]) -> Schedule {
        Schedule::at(times, "daily".parse().unwrap(), berlin()).unwrap()
    }

    /// A schedule, its delay, windows, and the longest gap from 2026-01-05 on.
    type Case = (
        Schedule,
        Duration,
        &'static [(WindowKind, &'static str, &'static str, &'static str)],
        Option<(&'static str, &'static str)>,
    );

    fn cases() -> Vec<Case> {
        use WindowKind::{Allow, Deny};
        let none = Duration::ZERO;
        vec![
            (every(15 * MINUTE), none, &[], Some(("2026-01-05T00:00Z", "2026-01-05T00:15Z"))),
            // The day on which clocks are set back has 25 hours.
            (at(&["04:00"]), none, &[], Some(("2026-10-24T02:00Z", "2026-10-25T03:00Z"))),
            // The last start before the window closes, and its opening, on the long night.
            (
                every(20 * MINUTE),
                none,
                &[(Deny, "daily", "00:30", "06:10")],
                Some(("2026-10-24T22:20Z", "2026-10-25T05:10Z")),
            ),
            // A delay moves the last start to the time at which it closes: it waits, too.
            (
                every(20 * MINUTE),
                10 * MINUTE,
                &[(Deny, "daily", "00:30", "06:10")],
                Some(("2026-10-24T22:10Z", "2026-10-25T05:10Z")),
            ),
            // Nothing came due while it was closed.
            (
                at(&["12:00", "20:00"]),
                none,
                &[(Deny, "daily", "13:00", "14:00")],
                Some(("2026-10-24T18:00Z", "2026-10-25T11:00Z")),
            ),
            // A slot waits for the next day.
            (
                at(&["12:00"]),
                none,
                &[(Allow, "mon-fri", "08:00", "12:00"), (Deny, "wed", "00:00", "24:00")],
                Some(("2026-10-23T06:00Z", "2026-10-26T07:00Z")),
            ),
            // It comes as the windows close, after a day on which none came.
            (
                Schedule::cron("0 12 * * wed", berlin()).unwrap(),
                none,
                &[(Deny, "daily", "12:00", "14:00")],
                Some(("2026-10-21T12:00Z", "2026-10-28T13:00Z")),
            ),
        ]
    }

    #[test]
    fn the_longest_gap_must_be_within_the_lag() {
        let from = time("2026-01-05T00:00Z");
        for (schedule, delay, lines, want) in cases() {
            let windows = windows(lines);
            let check = |max_lag| refuse_impossible(&schedule, &windows, delay, max_lag, from);
            let (start, end) = want.unwrap();
            let gap = StartGap { from: time(start), to: time(end) };
            let too_short = gap.length() - Duration::from_secs(1);
            let refused = FeasibilityError::TooFarApart { gap, max_lag: too_short };
            assert_eq!(check(too_short), Err(refused), "{schedule:?} {lines:?}");
            assert_eq!(check(gap.length()), Ok(()), "{schedule:?} {lines:?}");
            // A lag that is much too short is refused with the longest gap, too.
            let refused = FeasibilityError::TooFarApart { gap, max_lag: MINUTE };
            assert_eq!(check(MINUTE), Err(refused), "{schedule:?} {lines:?}");
        }
    }

    #[test]
    fn windows_that_never_open_are_refused() {
        let from = time("2026-01-05T00:00Z");
        let never = FeasibilityError::NeverStarts { from, until: from.after(HORIZON) };
        let closed = windows(&[(WindowKind::Deny, "daily", "00:00", "24:00")]);
        let check = |schedule: &Schedule, windows: &Windows| {
            refuse_impossible(schedule, windows, Duration::ZERO, 1000 * HOUR, from)
        };
        assert_eq!(check(&every(HOUR), &closed), Err(never.clone()));
        let leap_day = Schedule::cron("0 0 29 2 *", berlin()).unwrap();
        assert_eq!(check(&leap_day, &Windows::default()), Err(never));
        // The first start is much too late.
        let newly = refuse_impossible(
            &Schedule::cron("0 0 1 1 *", berlin()).unwrap(),
            &Windows::default(),
            Duration::ZERO,
            1000 * HOUR,
            from,
        );
        let gap = StartGap { from, to: time("2026-12-31T23:00Z") };
        assert_eq!(newly, Err(FeasibilityError::TooFarApart { gap, max_lag: 1000 * HOUR }));
        let yearly = Schedule::cron("0 0 1 2 *", berlin()).unwrap();
        let refused = check(&yearly, &Windows::default()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "no sync can start after 2026-01-31T23:00:00Z before 2027-01-31T23:00:00Z: \
             that is 8760h, and the lag may be 1000h at most"
        );
    }

    #[test]
    fn a_length_of_time_is_told_in_hours() {
        for (seconds, want) in [(0, "0s"), (59, "59s"), (90, "1m30s"), (95_400, "26h30m")] {
            assert_eq!(hours(Duration::from_secs(seconds)), want);
        }
    }
}
