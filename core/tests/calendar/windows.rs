//! Windows are open when a plain search says so, and `until` visits every change.

use deepclone_core::calendar::days::Days;
use deepclone_core::calendar::window::{Window, WindowKind};
use deepclone_core::calendar::windows::Windows;
use deepclone_core::calendar::zone::Zone;
use deepclone_core::unix_time::UnixTime;
use jiff::ToSpan;
use proptest::prelude::*;

use crate::clocks::{CHANGES, DAY_MS, STEP_MS, ZONES, cases, first, last, shown, time, zone};

/// A window as it is written; minutes since midnight.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    kind: WindowKind,
    days: &'static str,
    from: i64,
    to: i64,
    zone: &'static str,
}

/// Days, with those from Sunday on, which is 0.
const DAYS: [(&str, &[i8]); 5] = [
    ("daily", &[0, 1, 2, 3, 4, 5, 6]),
    ("mon-fri", &[1, 2, 3, 4, 5]),
    ("sun", &[0]),
    ("sat", &[6]),
    ("fri-mon", &[5, 6, 0, 1]),
];

pub(crate) fn lines() -> impl Strategy<Value = Vec<Line>> {
    let kind = prop_oneof![Just(WindowKind::Allow), Just(WindowKind::Deny)];
    let days = proptest::sample::select(&DAYS[..]).prop_map(|(days, _)| days);
    let zones = proptest::sample::select(&ZONES[..]);
    // Short windows at night, and any.
    let hours = prop_oneof![
        (0..48_i64, 1..24_i64).prop_map(|(from, length)| (from, from + length)),
        (0..288_i64, 1..=288_i64),
    ];
    let line = (kind, days, hours, zones).prop_filter_map("no length", |line| {
        let (kind, days, (from, to), zone) = line;
        (from != to).then_some(Line { kind, days, from: from * 5, to: to * 5, zone })
    });
    proptest::collection::vec(line, 1..5)
}

pub(crate) fn window(line: &Line) -> Window {
    let text = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let days: Days = line.days.parse().unwrap();
    Window::new(line.kind, days, &text(line.from), &text(line.to), zone(line.zone)).unwrap()
}

/// When a window is, on the days about a stretch of time.
fn occurrences(line: &Line, from: UnixTime, until: UnixTime) -> Vec<(UnixTime, UnixTime)> {
    let zone: Zone = zone(line.zone);
    let days = DAYS.iter().find(|(days, _)| *days == line.days).unwrap().1;
    let mut found = Vec::new();
    let mut date = shown(&zone, UnixTime(from.0 - 3 * DAY_MS)).date();
    while date <= shown(&zone, UnixTime(until.0 + 3 * DAY_MS)).date() {
        if days.contains(&date.weekday().to_sunday_zero_offset()) {
            let midnight = date.at(0, 0, 0, 0);
            let to = if line.to > line.from { line.to } else { line.to + 24 * 60 };
            let end = midnight + to.minutes();
            let end = match line.kind {
                WindowKind::Allow => first(&zone, end),
                WindowKind::Deny => last(&zone, end),
            };
            found.push((first(&zone, midnight + line.from.minutes()), end));
        }
        date = date.tomorrow().unwrap();
    }
    found
}

/// Whether copying is allowed, by every occurrence of every window.
fn is_open(lines: &[(WindowKind, Vec<(UnixTime, UnixTime)>)], time: UnixTime) -> bool {
    let is_in = |wanted: WindowKind| {
        let mut of_kind = lines.iter().filter(|(kind, _)| *kind == wanted);
        of_kind.any(|(_, all)| all.iter().any(|(start, end)| *start <= time && time < *end))
    };
    let is_allowed = lines.iter().all(|(kind, _)| *kind == WindowKind::Deny);
    (is_allowed || is_in(WindowKind::Allow)) && !is_in(WindowKind::Deny)
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn windows_open_and_close_as_clocks_show(
        lines in lines(),
        change in proptest::sample::select(&CHANGES[..]),
        days in 1..4_i64,
    ) {
        let from = UnixTime(time(change).0 - days * DAY_MS);
        let until = UnixTime(from.0 + 8 * DAY_MS);
        let windows = Windows::new(lines.iter().map(window).collect());
        let plain: Vec<(WindowKind, Vec<(UnixTime, UnixTime)>)> =
            lines.iter().map(|line| (line.kind, occurrences(line, from, until))).collect();
        let mut state = windows.at(from);
        let mut now = from;
        while now < until {
            if state.until == Some(now) {
                let before = state;
                state = windows.at(now);
                prop_assert_ne!(before.is_open, state.is_open);
            }
            prop_assert!(state.until.is_none_or(|until| until > now), "passed {now}");
            prop_assert_eq!(state.is_open, is_open(&plain, now), "{} {:?}", now, lines);
            now.0 += STEP_MS;
        }
        // Whoever asks in between is told the same.
        let between = UnixTime(now.0 - DAY_MS - 1);
        let state = windows.at(between);
        prop_assert_eq!(state.is_open, is_open(&plain, between));
        if let Some(until) = state.until {
            prop_assert_eq!(windows.at(UnixTime(until.0 - 1)), state);
        }
    }
}

/// A short window that allows and long ones that deny most of the day: closed for months, or for
/// good, but for the weeks in which clocks of two zones are apart by another hour.
fn seldom_open() -> impl Strategy<Value = Vec<Line>> {
    let zones = || proptest::sample::select(&ZONES[..]);
    let allow = (0..24_i64, zones()).prop_map(|(hour, zone)| {
        let (from, to) = (hour * 60, hour * 60 + 60);
        Line { kind: WindowKind::Allow, days: "sun", from, to, zone }
    });
    let deny = (0..24_i64, 18..24_i64, zones()).prop_map(|(hour, length, zone)| {
        let (from, to) = (hour * 60, (hour + length) % 24 * 60);
        Line { kind: WindowKind::Deny, days: "daily", from, to, zone }
    });
    (allow, deny).prop_map(|(allow, deny)| vec![allow, deny])
}

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn a_change_that_is_months_away_is_found(lines in seldom_open(), day in 0..365_i64) {
        let from = UnixTime(time("2026-01-01T12:00Z").0 + day * DAY_MS);
        let until = UnixTime(from.0 + 400 * DAY_MS);
        let plain: Vec<(WindowKind, Vec<(UnixTime, UnixTime)>)> =
            lines.iter().map(|line| (line.kind, occurrences(line, from, until))).collect();
        let now = is_open(&plain, from);
        let mut edges: Vec<UnixTime> =
            plain.iter().flat_map(|(_, all)| all).flat_map(|(start, end)| [*start, *end]).collect();
        edges.retain(|edge| *edge > from && *edge <= until);
        edges.sort_unstable();
        let change = edges.into_iter().find(|edge| is_open(&plain, *edge) != now);
        let state = Windows::new(lines.iter().map(window).collect()).at(from);
        prop_assert_eq!((state.is_open, state.until), (now, change), "{} {:?}", from, lines);
    }
}
