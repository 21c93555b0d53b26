//! A time of day is one slot a date, over sixteen years of ten zones.

use deepclone_core::calendar::days::Days;
use deepclone_core::calendar::schedule::Schedule;
use deepclone_core::unix_time::UnixTime;
use jiff::civil::{Date, DateTime, date};

use crate::clocks::{MINUTE_MS, ZONES, first, shown, zone};

/// On neither day are clocks set.
const FIRST: Date = date(2020, 1, 2);
const LAST: Date = date(2035, 12, 30);

/// Hours at which clocks are set somewhere, and one at which they are not.
const TIMES: [&str; 7] = ["00:00", "00:30", "01:45", "02:15", "03:00", "12:00", "23:30"];

#[test]
fn each_date_has_one_slot() {
    for name in ZONES {
        for text in TIMES {
            check(&Schedule::at(&[text], Days::ALL, zone(name)).unwrap(), name, text);
        }
    }
}

#[test]
fn each_date_has_one_slot_of_a_cron_pattern_without_wildcards() {
    for name in ZONES {
        for (text, pattern) in [("02:15", "15 2 * * *"), ("23:30", "30 23 * * *")] {
            check(&Schedule::cron(pattern, zone(name)).unwrap(), name, text);
        }
    }
}

fn check(schedule: &Schedule, name: &str, text: &str) {
    let zone = zone(name);
    let time = text.parse().unwrap();
    let mut slot = UnixTime(first(&zone, FIRST.to_datetime(time)).0 - 1);
    let mut day = FIRST;
    while day <= LAST {
        slot = schedule.next_after(slot).unwrap();
        let wanted = day.to_datetime(time);
        let about = |minutes: i64| shown(&zone, UnixTime(slot.0 - minutes * MINUTE_MS));
        let is_first = about(0) == wanted && about(30) != wanted && about(60) != wanted;
        let before: DateTime = shown(&zone, UnixTime(slot.0 - 1));
        let is_skipped = before < wanted && wanted < about(0);
        assert!(is_first || is_skipped, "{wanted} in {name}: {slot}");
        day = day.tomorrow().unwrap();
    }
}
