//! Time zones by their IANA names. The database of zones is compiled in, so every machine decides
//! alike.

use std::fmt;
use std::str::FromStr;

use jiff::Zoned;
use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::unix_time::UnixTime;

/// A time zone, such as `Europe/Berlin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    zone: TimeZone,
}

/// A month of the calendar, in some zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    pub year: i16,
    /// From 1, which is January.
    pub month: i8,
}

impl Zone {
    pub const UTC: Self = Self { zone: TimeZone::UTC };

    /// Returns the zone of this name; `None` when there is none.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        Some(Self { zone })
    }

    /// The name, as the database of zones spells it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The date and hour that clocks of the zone show. `None` beyond the years −9999 to 9999.
    #[must_use]
    pub fn clock(&self, time: UnixTime) -> Option<Zoned> {
        let time = jiff::Timestamp::from_millisecond(time.0).ok()?;
        Some(time.to_zoned(self.zone.clone()))
    }

    /// The time at which the clocks of the zone show a date and an hour, written as
    /// `2026-11-26T18:00`: the first of two; in a gap, as far beyond it as into it.
    /// `None` when it is not written so.
    #[must_use]
    pub fn time(&self, text: &str) -> Option<UnixTime> {
        let shown: DateTime = text.parse().ok()?;
        let time = shown.to_zoned(self.zone.clone()).ok()?.timestamp();
        Some(UnixTime(time.as_millisecond()))
    }

    /// The month of a time. `None` beyond the years −9999 to 9999.
    #[must_use]
    pub fn month(&self, time: UnixTime) -> Option<Month> {
        let date = self.clock(time)?.date();
        Some(Month { year: date.year(), month: date.month() })
    }

    /// The moment at which a month begins. `None` when it is no month.
    #[must_use]
    pub fn month_start(&self, month: Month) -> Option<UnixTime> {
        let date = Date::new(month.year, month.month, 1).ok()?;
        let start = date.to_zoned(self.zone.clone()).ok()?;
        Some(UnixTime(start.timestamp().as_millisecond()))
    }

    pub(super) fn time_zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl Month {
    /// The month after this one.
    #[must_use]
    pub fn next(self) -> Self {
        match self.month {
            12.. => Self { year: self.year.saturating_add(1), month: 1 },
            month => Self { month: month + 1, ..self },
        }
    }
}

/// A text that is not a month.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a month: write it as 2026-11")]
pub struct MonthError {
    text: String,
}

impl Month {
    /// Returns the month that ends where this one begins.
    #[must_use]
    pub fn before(self) -> Self {
        match self {
            Self { year, month: 1 } => Self { year: year.saturating_sub(1), month: 12 },
            Self { year, month } => Self { year, month: month - 1 },
        }
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('-')
            .filter(|(year, month)| year.len() == 4 && month.len() == 2)
            .filter(|(year, month)| is_digits(year) && is_digits(month))
            .and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)))
            .filter(|(_, month)| (1..=12).contains(month))
            .map(|(year, month)| Self { year, month })
            .ok_or_else(|| MonthError { text: text.to_owned() })
    }
}

/// Year and month, as `2026-11`.
impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_comes_after_the_one_before() {
        for (month, before) in [("2026-11", "2026-10"), ("2026-01", "2025-12")] {
            assert_eq!(month.parse::<Month>().unwrap().before().to_string(), before);
        }
    }

    #[test]
    fn a_month_is_read_as_it_is_written() {
        for text in ["2026-11", "0001-01", "9999-12"] {
            assert_eq!(text.parse::<Month>().unwrap().to_string(), text);
        }
        for text in ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "+026-11"] {
            let error = text.parse::<Month>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is not a month")), "{error}");
        }
    }

    #[test]
    fn a_month_is_that_of_the_zone() {
        // 2026-10-31T23:30Z is November in Berlin (UTC+1 by then), October in UTC and New York.
        let time = UnixTime(1_793_489_400_000);
        let month = |name| Zone::of_name(name).and_then(|zone| zone.month(time)).unwrap();
        assert_eq!(month("Europe/Berlin").to_string(), "2026-11");
        assert_eq!(month("UTC").to_string(), "2026-10");
        assert_eq!(month("America/New_York").to_string(), "2026-10");
    }

    #[test]
    fn a_month_begins_at_midnight_of_its_zone() {
        let berlin = Zone::of_name("Europe/Berlin").unwrap();
        let november = Month { year: 2026, month: 11 };
        let start = berlin.month_start(november).unwrap();
        assert_eq!(start.to_string(), "2026-10-31T23:00:00Z");
        assert_eq!(berlin.month(start), Some(november));
        assert_eq!(berlin.month(UnixTime(start.0 - 1)), Some(Month { year: 2026, month: 10 }));
        let december = Month { year: 2026, month: 12 };
        assert_eq!(december.next(), Month { year: 2027, month: 1 });
        assert_eq!(november.next(), december);
    }

    #[test]
    fn a_time_is_that_of_the_clocks_of_the_zone() {
        let berlin = Zone::of_name("Europe/Berlin").unwrap();
        for (text, time) in [
            ("2026-11-26T18:00", Some("2026-11-26T17:00:00Z")),
            ("2026-06-26T18:00", Some("2026-06-26T16:00:00Z")),
            // Twice; and never.
            ("2026-10-25T02:30", Some("2026-10-25T00:30:00Z")),
            ("2026-03-29T02:30", Some("2026-03-29T01:30:00Z")),
            ("", None),
            ("18:00", None),
            ("2026-11-26T25:00", None),
        ] {
            let found = berlin.time(text).map(|time| time.to_string());
            assert_eq!(found.as_deref(), time, "{text}");
        }
    }

    #[test]
    fn a_zone_is_known_by_its_name_alone() {
        assert_eq!(Zone::of_name("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::UTC.name(), "UTC");
        for unknown in ["", "Berlin", "CET+1", "Europe/Atlantis"] {
            assert_eq!(Zone::of_name(unknown), None, "{unknown:?}");
        }
    }
}
