//! Zones, the minutes of a stretch of time, and what clocks show at each.

use deepclone_core::calendar::zone::Zone;
use deepclone_core::unix_time::UnixTime;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use proptest::prelude::ProptestConfig;

pub(crate) const MINUTE_MS: i64 = 60_000;
/// Clocks are set at multiples of this, by multiples of this.
pub(crate) const STEP_MS: i64 = 5 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// In most of them clocks are set, in each at another hour: by half an hour, over midnight, in
/// winter, by a month that moves (Casablanca), or no longer (Nuuk, Cairo did it for years).
pub(crate) const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
];

/// Around these days clocks are set in some of the zones: spring and autumn of 2026.
pub(crate) const CHANGES: [&str; 12] = [
    "2026-02-15T02:00Z",
    "2026-03-08T07:00Z",
    "2026-03-22T02:00Z",
    "2026-03-28T22:00Z",
    "2026-03-29T01:00Z",
    "2026-04-04T15:00Z",
    "2026-04-05T03:00Z",
    "2026-09-06T04:00Z",
    "2026-10-03T15:30Z",
    "2026-10-25T01:00Z",
    "2026-10-29T21:00Z",
    "2026-11-01T06:00Z",
];

pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn zone(name: &str) -> Zone {
    Zone::of_name(name).unwrap()
}

pub(crate) fn time(text: &str) -> UnixTime {
    UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

pub(crate) fn shown(zone: &Zone, time: UnixTime) -> DateTime {
    zone.clock(time).unwrap().datetime()
}

/// The first time at which the clock shows `wanted` or more, by asking it again and again.
pub(crate) fn first(zone: &Zone, wanted: DateTime) -> UnixTime {
    times_about(zone, wanted).find(|time| shown(zone, *time) >= wanted).unwrap()
}

/// The last time at which the clock shows `wanted`; the end of the gap if it never does.
pub(crate) fn last(zone: &Zone, wanted: DateTime) -> UnixTime {
    let times = times_about(zone, wanted);
    let last = times.filter(|time| shown(zone, *time) <= wanted).max().unwrap();
    if shown(zone, last) == wanted { last } else { UnixTime(last.0 + STEP_MS) }
}

/// Hours around the time at which the clock shows `wanted`.
fn times_about(zone: &Zone, wanted: DateTime) -> impl Iterator<Item = UnixTime> {
    let ms = |shown: DateTime| Offset::UTC.to_timestamp(shown).unwrap().as_millisecond();
    let as_utc = ms(wanted);
    let offset_ms = ms(shown(zone, UnixTime(as_utc))) - as_utc;
    let steps = 5 * 60 * MINUTE_MS / STEP_MS;
    (-steps..=steps).map(move |step| UnixTime(as_utc - offset_ms + step * STEP_MS))
}
