//! Lengths of time, sizes and rates as people write them in a file.

use std::time::Duration;

/// Reads `90s`, `15m`, `1h30m` or `7d`: whole numbers, each with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("{text:?} is no length of time: write it as 90s, 15m, 1h30m or 7d");
    let mut rest = text.trim();
    let mut seconds: u64 = 0;
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let (number, after) = digits(rest);
        let unit = match after.chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(error()),
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        seconds = part.and_then(|part| seconds.checked_add(part)).ok_or_else(error)?;
        rest = after[1..].trim_start();
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads `500 GB`, `1.5 TB` or `20 GiB`: a number of bytes in decimal or binary units.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let error = || {
        format!(
            "{text:?} is no size: write a number with B, kB, MB, GB, TB or PB (powers of 1000), \
             or with KiB, MiB, GiB, TiB or PiB (powers of 1024)"
        )
    };
    bytes(text).ok_or_else(error)
}

/// Reads `50 MB/s`: a size and `/s`.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let size = text.trim().strip_suffix("/s").and_then(bytes);
    size.ok_or_else(|| format!("{text:?} is no rate: write a size and /s, such as 50 MB/s"))
}

/// `None` when it is no size, has a fraction of a byte, or is more than a signed number holds.
fn bytes(text: &str) -> Option<u64> {
    let (whole, after) = digits(text.trim());
    let (fraction, unit) = match after.strip_prefix('.') {
        Some(after) => digits(after),
        None => ("", after),
    };
    let scale: u128 = match unit.trim_start() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "PB" => 1_000_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "PiB" => 1 << 50,
        _ => return None,
    };
    if whole.is_empty() || (after.starts_with('.') && fraction.is_empty()) || fraction.len() > 12 {
        return None;
    }
    let number: u128 = format!("{whole}{fraction}").parse().ok()?;
    let parts = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let scaled = number.checked_mul(scale)?;
    let bytes = (scaled % parts == 0).then_some(scaled / parts)?;
    i64::try_from(bytes).ok().and_then(|bytes| u64::try_from(bytes).ok())
}

/// Splits the digits at the beginning from the rest.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        let cases =
            [("90s", 90), ("15m", 900), ("1h30m", 5_400), ("1h 30m", 5_400), ("7d", 604_800)];
        for (text, seconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "15", "m", "15M", "15 m", "1.5h", "-1s", "1w", "99999999999999999d"] {
            let error = duration(text).unwrap_err();
            let want = format!("{text:?} is no length of time: write it as 90s, 15m, 1h30m or 7d");
            assert_eq!(error, want);
        }
    }

    #[test]
    fn sizes_and_rates_are_read() {
        let cases = [
            ("0 B", 0),
            ("500 GB", 500_000_000_000),
            ("500GB", 500_000_000_000),
            ("1.5 TB", 1_500_000_000_000),
            ("0.5 KiB", 512),
            ("20 GiB", 20 << 30),
            ("9223372036854775807 B", i64::MAX as u64),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(rate(&format!("{text}/s")), Ok(bytes), "{text}");
        }
        let wrong = ["", "500", "GB", "-1 GB", "1,5 GB", "1. GB", ".5 GB", "0.5 B", "1 gb", "1 Gb"];
        for text in wrong.into_iter().chain(["9223372036854775808 B", "1 GB/s"]) {
            assert!(size(text).unwrap_err().starts_with(&format!("{text:?} is no size")));
        }
        for text in ["50 MB", "50 MB/m", "/s"] {
            assert!(rate(text).unwrap_err().starts_with(&format!("{text:?} is no rate")));
        }
    }
}
