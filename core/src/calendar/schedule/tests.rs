//! Slots of schedules, in zones that set their clocks in different ways.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn time(text: &str) -> UnixTime {
    UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn zone(name: &str) -> Zone {
    Zone::of_name(name).unwrap()
}

fn at(times: &[&str], days: &str, name: &str) -> Schedule {
    Schedule::at(times, days.parse().unwrap(), zone(name)).unwrap()
}

/// The slots from one time to another, in UTC; backwards they must be the same.
fn slots(schedule: &Schedule, from: &str, until: &str) -> Vec<String> {
    let (from, until) = (time(from), time(until));
    let next = |slot: &UnixTime| schedule.next_after(*slot);
    let forwards: Vec<UnixTime> =
        std::iter::successors(schedule.next_after(UnixTime(from.0 - 1)), next)
            .take_while(|slot| *slot <= until)
            .collect();
    let before = |slot: &UnixTime| schedule.latest_at(UnixTime(slot.0 - 1));
    let mut backwards: Vec<UnixTime> = std::iter::successors(schedule.latest_at(until), before)
        .take_while(|slot| *slot >= from)
        .collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards.iter().map(|slot| slot.to_string().replace(":00Z", "Z")).collect()
}

#[test]
fn an_interval_is_counted_from_1970() {
    let schedule = Schedule::every(15 * MINUTE).unwrap();
    let cases = [
        // Clocks of Berlin are set between these.
        ("2026-03-29T00:59:59.999Z", "2026-03-29T01:00Z", "2026-03-29T00:45Z"),
        ("2026-03-29T01:00Z", "2026-03-29T01:15Z", "2026-03-29T01:00Z"),
        ("1970-01-01T00:00Z", "1970-01-01T00:15Z", "1970-01-01T00:00Z"),
        ("1969-12-31T23:59Z", "1970-01-01T00:00Z", "1969-12-31T23:45Z"),
    ];
    for (now, next, latest) in cases {
        assert_eq!(schedule.next_after(time(now)), Some(time(next)), "{now}");
        assert_eq!(schedule.latest_at(time(now)), Some(time(latest)), "{now}");
    }
    let week = Schedule::every(7 * DAY).unwrap();
    assert_eq!(week.next_after(UnixTime(0)), Some(UnixTime(0).after(7 * DAY)));
    assert_eq!(week.next_after(UnixTime(i64::MAX)), None);
    assert_eq!(week.latest_at(UnixTime(i64::MIN)), None);
}

#[test]
fn an_interval_has_bounds() {
    let cases = [
        (Duration::ZERO, Some(ScheduleError::IntervalTooShort)),
        (MINUTE - Duration::from_millis(1), Some(ScheduleError::IntervalTooShort)),
        (MINUTE, None),
        (MINUTE + Duration::from_millis(1), Some(ScheduleError::IntervalNotWhole)),
        (366 * 24 * HOUR, None),
        (366 * 24 * HOUR + MINUTE, Some(ScheduleError::IntervalTooLong)),
        (Duration::MAX, Some(ScheduleError::IntervalTooLong)),
    ];
    for (interval, want) in cases {
        assert_eq!(Schedule::every(interval).err(), want, "{interval:?}");
    }
}

/// Times of day in a zone, a stretch of time, and the slots in it.
type DayCase = (&'static [&'static str], &'static str, [&'static str; 2], &'static [&'static str]);

/// Around the days on which clocks are set.
const DAY_CASES: &[DayCase] = &[
    // 02:00 to 03:00 is skipped: its times move to the end of the gap, and are one slot there.
    (
        &["01:59", "02:00", "02:30", "03:00", "03:01"],
        "Europe/Berlin",
        ["2026-03-28T23:00Z", "2026-03-29T22:00Z"],
        &["2026-03-29T00:59Z", "2026-03-29T01:00Z", "2026-03-29T01:01Z"],
    ),
    // 02:00 to 03:00 is repeated: the first time counts.
    (
        &["01:59", "02:00", "02:30", "03:00"],
        "Europe/Berlin",
        ["2026-10-24T22:00Z", "2026-10-25T22:00Z"],
        &["2026-10-24T23:59Z", "2026-10-25T00:00Z", "2026-10-25T00:30Z", "2026-10-25T02:00Z"],
    ),
    (
        &["02:30"],
        "America/New_York",
        ["2026-03-07T05:00Z", "2026-03-10T04:00Z"],
        &["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"],
    ),
    (
        &["01:30"],
        "America/New_York",
        ["2026-10-31T04:00Z", "2026-11-03T05:00Z"],
        &["2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z"],
    ),
    // Half an hour only.
    (
        &["02:15"],
        "Australia/Lord_Howe",
        ["2026-10-02T13:30Z", "2026-10-05T13:00Z"],
        &["2026-10-02T15:45Z", "2026-10-03T15:30Z", "2026-10-04T15:15Z"],
    ),
    (
        &["01:45"],
        "Australia/Lord_Howe",
        ["2026-04-03T13:00Z", "2026-04-06T13:30Z"],
        &["2026-04-03T14:45Z", "2026-04-04T14:45Z", "2026-04-05T15:15Z"],
    ),
    // Midnight itself is skipped.
    (
        &["00:00"],
        "America/Santiago",
        ["2026-09-05T00:00Z", "2026-09-07T12:00Z"],
        &["2026-09-05T04:00Z", "2026-09-06T04:00Z", "2026-09-07T03:00Z"],
    ),
    (
        &["23:30"],
        "America/Santiago",
        ["2026-04-04T00:00Z", "2026-04-06T12:00Z"],
        &["2026-04-04T02:30Z", "2026-04-05T02:30Z", "2026-04-06T03:30Z"],
    ),
    (
        &["00:15"],
        "Africa/Cairo",
        ["2026-04-23T00:00Z", "2026-04-25T12:00Z"],
        &["2026-04-23T22:00Z", "2026-04-24T21:15Z"],
    ),
    (
        &["23:15"],
        "Africa/Cairo",
        ["2026-10-28T12:00Z", "2026-10-31T00:00Z"],
        &["2026-10-28T20:15Z", "2026-10-29T20:15Z", "2026-10-30T21:15Z"],
    ),
    // The end of a date is skipped: what it names moves to the start of the next one.
    (
        &["23:30"],
        "America/Nuuk",
        ["2026-03-27T12:00Z", "2026-03-30T12:00Z"],
        &["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
    ),
    // A whole date is skipped, and the start of the next one is its slot too.
    (
        &["00:00"],
        "Pacific/Apia",
        ["2011-12-29T00:00Z", "2012-01-01T00:00Z"],
        &["2011-12-29T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z"],
    ),
];

#[test]
fn a_time_of_day_comes_once_a_date() {
    for (times, name, [from, until], want) in DAY_CASES {
        let schedule = at(times, "daily", name);
        assert_eq!(slots(&schedule, from, until), *want, "{times:?} in {name}");
        let (minutes, hours): (Vec<&str>, Vec<&str>) =
            times.iter().filter_map(|time| time.split_once(':')).map(|(h, m)| (m, h)).unzip();
        if times.len() == 1 {
            let cron = Schedule::cron(&format!("{} {} * * *", minutes[0], hours[0]), zone(name));
            assert_eq!(slots(&cron.unwrap(), from, until), *want, "cron {times:?} in {name}");
        }
    }
}

#[test]
fn a_skipped_end_of_a_chosen_day_is_not_lost() {
    // Saturday 2026-03-28 ends at 23:00 in Nuuk.
    let want = ["2026-03-22T01:30Z", "2026-03-29T01:00Z", "2026-04-05T00:30Z"];
    let stretch = ["2026-03-20T00:00Z", "2026-04-06T00:00Z"];
    let schedule = at(&["23:30"], "sat", "America/Nuuk");
    assert_eq!(slots(&schedule, stretch[0], stretch[1]), want);
    let schedule = Schedule::cron("30 23 * * sat", zone("America/Nuuk")).unwrap();
    assert_eq!(slots(&schedule, stretch[0], stretch[1]), want);
}

#[test]
fn days_are_those_of_the_zone() {
    let schedule = at(&["14:00", "02:00"], "fri-mon", "Asia/Tokyo");
    let want = [
        "2026-11-26T17:00Z",
        "2026-11-27T05:00Z",
        "2026-11-27T17:00Z",
        "2026-11-28T05:00Z",
        "2026-11-28T17:00Z",
        "2026-11-29T05:00Z",
        "2026-11-29T17:00Z",
        "2026-11-30T05:00Z",
        "2026-12-03T17:00Z",
    ];
    assert_eq!(slots(&schedule, "2026-11-24T06:00Z", "2026-12-03T20:00Z"), want);
    // After the last time of its only day, a schedule waits for that day of the next week.
    let weekly = at(&["02:00"], "thu", "UTC");
    assert_eq!(weekly.next_after(time("2026-11-26T02:00Z")), Some(time("2026-12-03T02:00Z")));
    assert_eq!(weekly.latest_at(time("2026-11-26T01:59Z")), Some(time("2026-11-19T02:00Z")));
}

/// A cron pattern, its zone, a stretch of time, and the slots in it.
type CronCase = (&'static str, &'static str, [&'static str; 2], &'static [&'static str]);

const CRON_CASES: &[CronCase] = &[
    // Lists without a wildcard are fixed times.
    (
        "15 2,14 * * *",
        "Europe/Berlin",
        ["2026-03-28T23:00Z", "2026-03-29T22:00Z"],
        &["2026-03-29T01:00Z", "2026-03-29T12:15Z"],
    ),
    (
        "15 2,14 * * *",
        "Europe/Berlin",
        ["2026-10-24T22:00Z", "2026-10-25T23:00Z"],
        &["2026-10-25T00:15Z", "2026-10-25T13:15Z"],
    ),
    // Every half hour goes on in the repeated hour, and skips none of the elapsed time.
    (
        "*/30 * * * *",
        "Europe/Berlin",
        ["2026-10-24T23:59Z", "2026-10-25T02:00Z"],
        &[
            "2026-10-25T00:00Z",
            "2026-10-25T00:30Z",
            "2026-10-25T01:00Z",
            "2026-10-25T01:30Z",
            "2026-10-25T02:00Z",
        ],
    ),
    (
        "*/30 * * * *",
        "Europe/Berlin",
        ["2026-03-29T00:30Z", "2026-03-29T01:30Z"],
        &["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"],
    ),
    // The hour that it names is skipped, then repeated.
    ("*/30 2 * * *", "Europe/Berlin", ["2026-03-28T12:00Z", "2026-03-29T12:00Z"], &[]),
    (
        "*/30 2 * * *",
        "Europe/Berlin",
        ["2026-10-24T12:00Z", "2026-10-25T12:00Z"],
        &["2026-10-25T00:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z"],
    ),
    (
        "*/20 * * * *",
        "Australia/Lord_Howe",
        ["2026-04-04T14:30Z", "2026-04-04T15:35Z"],
        &["2026-04-04T14:40Z", "2026-04-04T15:10Z", "2026-04-04T15:30Z"],
    ),
    // The last day of a month, a leap day, and the first Monday.
    (
        "0 3 L * *",
        "UTC",
        ["2028-01-30T00:00Z", "2028-03-31T23:00Z"],
        &["2028-01-31T03:00Z", "2028-02-29T03:00Z", "2028-03-31T03:00Z"],
    ),
    (
        "0 0 29 2 *",
        "Europe/Berlin",
        ["2026-01-01T00:00Z", "2033-01-01T00:00Z"],
        &["2028-02-28T23:00Z", "2032-02-28T23:00Z"],
    ),
    (
        "*/30 0 29 2 *",
        "Europe/Berlin",
        ["2026-01-01T00:00Z", "2030-01-01T00:00Z"],
        &["2028-02-28T23:00Z", "2028-02-28T23:30Z"],
    ),
    (
        "0 0 * * MON#1",
        "UTC",
        ["2026-11-01T00:00Z", "2026-12-31T00:00Z"],
        &["2026-11-02T00:00Z", "2026-12-07T00:00Z"],
    ),
    // The day of the month or that of the week.
    (
        "0 0 13 * fri",
        "UTC",
        ["2026-12-08T00:00Z", "2026-12-14T00:00Z"],
        &["2026-12-11T00:00Z", "2026-12-13T00:00Z"],
    ),
];

#[test]
fn a_cron_pattern_with_a_wildcard_follows_the_clock() {
    for (pattern, name, [from, until], want) in CRON_CASES {
        let schedule = Schedule::cron(pattern, zone(name)).unwrap();
        assert_eq!(slots(&schedule, from, until), *want, "{pattern} in {name}");
    }
}

#[test]
fn a_mistake_in_a_calendar_is_told() {
    let cron = |pattern: &str| Schedule::cron(pattern, Zone::UTC).unwrap_err().to_string();
    let fields = |found: usize| {
        format!(
            "a cron pattern has 5 fields (minute, hour, day of the month, month, day of the \
             week), this one has {found}"
        )
    };
    assert_eq!(cron(""), fields(0));
    assert_eq!(cron("@daily"), fields(1));
    assert_eq!(cron("0 0 2 * * *"), fields(6));
    assert_eq!(cron("0 0 30 2 *"), "cron pattern \"0 0 30 2 *\" names no date that exists");
    for bad in ["60 * * * *", "* 24 * * *", "a * * * *", "* * * 13 *", "*/0 * * * *", "5-1 * * * *"]
    {
        let error = cron(bad);
        assert!(error.starts_with(&format!("cron pattern {bad:?}: ")), "{error}");
        assert!(!error.ends_with('.'), "{error}");
    }
    let none: [&str; 0] = [];
    let error = Schedule::at(&none, Days::ALL, Zone::UTC).unwrap_err();
    assert_eq!(error, ScheduleError::Pattern(PatternError::NoTimes));
    let error = Schedule::at(&["02:00", "24:00"], Days::ALL, Zone::UTC).unwrap_err();
    assert!(error.to_string().starts_with("\"24:00\" is no time of day"), "{error}");
}

#[test]
fn missed_slots_are_counted() {
    let daily = at(&["02:00"], "daily", "Europe/Berlin");
    let quarter = Schedule::every(15 * MINUTE).unwrap();
    let minutely = Schedule::cron("* * * * *", Zone::UTC).unwrap();
    let cases = [
        (&daily, "2026-11-26T01:00Z", "2026-11-27T00:59Z", None),
        (&daily, "2026-11-26T00:59Z", "2026-11-26T01:00Z", Some(("2026-11-26T01:00Z", 1, false))),
        (&daily, "2025-11-26T01:00Z", "2026-11-26T01:00Z", Some(("2026-11-26T01:00Z", 365, false))),
        (&daily, "2026-11-26T01:00Z", "2026-11-25T01:00Z", None),
        (&quarter, "2026-11-26T01:00Z", "2026-11-26T01:14Z", None),
        (&quarter, "2026-11-26T01:00Z", "2026-11-26T02:05Z", Some(("2026-11-26T02:00Z", 4, false))),
        (&quarter, "1926-11-26T01:00Z", "2026-11-26T01:07Z", {
            Some(("2026-11-26T01:00Z", 36_525 * 96, false))
        }),
        (&minutely, "2026-11-19T00:00Z", "2026-11-26T00:00Z", {
            Some(("2026-11-26T00:00Z", MISSED_COUNTED_MAX, false))
        }),
        (&minutely, "2026-11-19T00:00Z", "2026-11-26T00:01Z", {
            Some(("2026-11-26T00:01Z", MISSED_COUNTED_MAX, true))
        }),
    ];
    for (schedule, after, until, want) in cases {
        let want =
            want.map(|(newest, count, is_more)| Missed { newest: time(newest), count, is_more });
        assert_eq!(schedule.missed(time(after), time(until)), want, "{after} to {until}");
    }
}

#[test]
fn a_delay_is_a_fixed_part_of_the_spread() {
    let schedule = Schedule::every(HOUR).unwrap();
    assert_eq!(schedule.delay("orders"), Duration::ZERO);
    let schedule = schedule.with_spread(10 * MINUTE).unwrap();
    // Told here so that a change is noticed: it would move every start.
    assert_eq!(schedule.delay("orders"), Duration::from_millis(65_831));
    let delays: Vec<Duration> =
        (0..1000).map(|number| schedule.delay(&format!("orders-{number}"))).collect();
    assert!(delays.iter().all(|delay| *delay < 10 * MINUTE));
    for tenth in 0..10 {
        let minute = tenth * MINUTE..(tenth + 1) * MINUTE;
        let count = delays.iter().filter(|delay| minute.contains(*delay)).count();
        assert!((50..150).contains(&count), "{count} of 1000 in minute {tenth}");
    }
}

#[test]
fn a_spread_has_bounds() {
    let hourly = Schedule::every(HOUR).unwrap();
    let weekly = at(&["02:00"], "sun", "UTC");
    let second = Duration::from_secs(1);
    let cases = [
        (&hourly, HOUR, None),
        (&hourly, HOUR + second, Some(ScheduleError::SpreadPastInterval)),
        (&weekly, DAY, None),
        (&weekly, DAY + second, Some(ScheduleError::SpreadTooLong)),
    ];
    for (schedule, spread, want) in cases {
        assert_eq!(schedule.clone().with_spread(spread).err(), want, "{spread:?}");
    }
}
