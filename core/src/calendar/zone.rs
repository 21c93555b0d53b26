//! Time zones by their IANA names. The database of zones is compiled in, so every machine decides
//! alike.

use std::fmt;

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
