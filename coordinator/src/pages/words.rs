//! Writes numbers and names for people.

use std::fmt::Write as _;
use std::time::Duration;

use deepclone_core::visible::visible;
use maud::Render;

/// A text from outside, with its control characters and those that change the direction of text
/// shown as escapes: what is read is what is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visible<'a>(pub(super) &'a str);

impl Render for Visible<'_> {
    fn render_to(&self, buffer: &mut String) {
        visible(self.0).as_ref().render_to(buffer);
    }
}

/// Writes a number as `1,004`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a count as `1 table` or `1,004 tables`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", grouped(number))
}

/// Writes bytes as `17 B`, `1.5 KiB` or `3.2 TiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Integer tenths of the unit below, so that nothing is rounded up to "1024.0 KiB".
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Writes a span of time by its two largest units: `20 s`, `18 min`, `2 h 05 min`, `3 d 4 h`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _written = match seconds {
        0..60 => write!(text, "{seconds} s"),
        60..3600 => write!(text, "{minutes} min"),
        3600..86_400 if minutes % 60 == 0 => write!(text, "{hours} h"),
        3600..86_400 => write!(text, "{hours} h {:02} min", minutes % 60),
        _ if hours % 24 == 0 => write!(text, "{} d", grouped(days)),
        _ => write!(text, "{} d {} h", grouped(days), hours % 24),
    };
    text
}

/// How many percent a part is of the whole, at most 100; 0 of nothing.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(share).map_or(100, |share| share.min(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (number, text) in [(0, "0"), (999, "999"), (1004, "1,004"), (20_000_000, "20,000,000")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(
            (counted(1, "table"), counted(0, "table")),
            ("1 table".into(), "0 tables".into())
        );
        for (number, text) in [
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (1_119, "18 min"),
            (7_200, "2 h"),
            (7_500, "2 h 05 min"),
            (86_400, "1 d"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        for (part, whole, share) in [(0, 0, 0), (41, 100, 41), (300, 200, 100), (1, u64::MAX, 0)] {
            assert_eq!(percent(part, whole), share, "{part} of {whole}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        for (text, shown) in [
            ("sales/orders", "sales/orders"),
            ("Übung 表 🙂", "Übung 表 🙂"),
            ("a\u{202e}gpj.b", "a\\u{202e}gpj.b"),
            ("a\nb\u{0}\u{85}", "a\\u{a}b\\u{0}\\u{85}"),
            ("\u{200b}\u{2066}\u{feff}", "\\u{200b}\\u{2066}\\u{feff}"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
        assert_eq!(Visible("<b>\u{202e}").render().into_string(), "&lt;b&gt;\\u{202e}");
    }
}
