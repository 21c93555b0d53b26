//! Writes numbers for people: bytes in binary units, durations, times, counted nouns.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

/// Writes bytes as `17 B`, `1.5 KiB` or `3.2 TiB`.
#[must_use]
pub fn bytes(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let size = bytes.unsigned_abs();
    if size < 1024 {
        return format!("{bytes} B");
    }
    // Integer tenths of the unit below, so that nothing is rounded up to "1024.0 KiB".
    let mut unit = 0;
    let mut tenths = u128::from(size) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let sign = if bytes < 0 { "-" } else { "" };
    format!("{sign}{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Writes a duration as `0.3 s`, `12.0 s`, `3 min 05 s` or `2 h 07 min`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Returns the bytes per second over a duration, or `None` when it is too short.
#[must_use]
pub fn rate(total: i64, over: Duration) -> Option<String> {
    let milliseconds = i64::try_from(over.as_millis()).ok().filter(|ms| *ms >= 100)?;
    let a_second = i128::from(total) * 1000 / i128::from(milliseconds);
    Some(format!("{}/s", bytes(i64::try_from(a_second).ok()?)))
}

/// Writes a count as `1 file` or `2 files`.
#[must_use]
pub fn count(number: i64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Writes milliseconds since 1970 as `2024-05-01T00:00:00.000Z`; `None` when out of range.
#[must_use]
pub fn time(milliseconds: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(milliseconds)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_one_tenth_and_never_round_up_to_the_next_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (5 << 30, "5.0 GiB"),
            (i64::MAX, "7.9 EiB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn durations_rates_counts_and_times() {
        let cases = [(340, "0.3 s"), (59_990, "59.9 s"), (185_000, "3 min 05 s")];
        for (ms, text) in cases {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
        assert_eq!(duration(Duration::from_secs(7620)), "2 h 07 min");
        assert_eq!(rate(4 << 20, Duration::from_secs(2)).as_deref(), Some("2.0 MiB/s"));
        assert_eq!(rate(4 << 20, Duration::from_millis(99)), None);
        assert_eq!((count(1, "file"), count(0, "file")), ("1 file".into(), "0 files".into()));
        assert_eq!(time(1_714_521_600_001).as_deref(), Some("2024-05-01T00:00:00.001Z"));
        assert_eq!(time(i64::MAX), None);
    }
}
