//! Slots go forwards and backwards alike, and are those that a plain search finds.

use std::time::Duration;

use deepclone_core::calendar::schedule::Schedule;
use deepclone_core::unix_time::UnixTime;
use proptest::prelude::*;

use crate::clocks::{CHANGES, DAY_MS, MINUTE_MS, ZONES, cases, shown, time, zone};

/// Any time of twenty years, or one within two days of a time at which clocks are set.
fn times() -> impl Strategy<Value = UnixTime> {
    let years = time("2018-01-01T00:00Z").0..time("2038-01-01T00:00Z").0;
    let near = (proptest::sample::select(&CHANGES[..]), -2 * DAY_MS..2 * DAY_MS)
        .prop_map(|(change, ms)| UnixTime(time(change).0 + ms));
    prop_oneof![years.prop_map(UnixTime), near]
}

fn zones() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&ZONES[..])
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let every = (60_u64..40 * 24 * 60 * 60)
        .prop_map(|seconds| Schedule::every(Duration::from_secs(seconds)).unwrap());
    let text = (0..24_u8, 0..60_u8).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    let days = proptest::sample::select(vec!["daily", "mon-fri", "sun", "fri-mon", "sat"]);
    let at =
        (proptest::collection::vec(text, 1..4), days, zones()).prop_map(|(times, days, name)| {
            Schedule::at(&times, days.parse().unwrap(), zone(name)).unwrap()
        });
    let patterns = proptest::sample::select(vec![
        "*/15 * * * *",
        "*/7 1-3 * * *",
        "30 * * * sun",
        "0,30 0,2,23 * * *",
        "15 2 * * sat,sun",
        "0 0 L * *",
        "0 12 29 2 *",
        "* 2 1-7 * mon",
    ]);
    let cron = (patterns, zones())
        .prop_map(|(pattern, name)| Schedule::cron(pattern, zone(name)).unwrap());
    prop_oneof![every, at, cron]
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn slots_are_the_same_in_both_directions(schedule in schedules(), time in times()) {
        let next = schedule.next_after(time).unwrap();
        prop_assert!(next > time);
        prop_assert_eq!(schedule.latest_at(next), Some(next));
        let latest = schedule.latest_at(time).unwrap();
        prop_assert!(latest <= time);
        prop_assert_eq!(schedule.next_after(latest), Some(next));
        prop_assert_eq!(schedule.latest_at(UnixTime(next.0 - 1)), Some(latest));
        prop_assert_eq!(schedule.next_after(UnixTime(latest.0 - 1)), Some(latest));
        prop_assert_eq!(schedule.missed(latest, UnixTime(next.0 - 1)), None);
        let missed = schedule.missed(UnixTime(latest.0 - 1), next).unwrap();
        prop_assert_eq!((missed.newest, missed.count, missed.is_more), (next, 2, false));
    }

    #[test]
    fn a_pattern_with_a_wildcard_names_what_a_clock_shows(
        (step, one, other) in (1..60_i8, 0..24_i8, 0..24_i8),
        name in zones(),
        time in times(),
    ) {
        let (first, last) = (one.min(other), one.max(other));
        let zone = zone(name);
        let pattern = format!("*/{step} {first}-{last} * * *");
        let schedule = Schedule::cron(&pattern, zone.clone()).unwrap();
        let minute = time.0.div_euclid(MINUTE_MS);
        let wanted = (minute + 1..).map(|minute| UnixTime(minute * MINUTE_MS)).find(|time| {
            let shown = shown(&zone, *time);
            shown.minute() % step == 0 && (first..=last).contains(&shown.hour())
        });
        prop_assert_eq!(schedule.next_after(time), wanted, "{} in {} from {}", pattern, name, time);
    }
}
