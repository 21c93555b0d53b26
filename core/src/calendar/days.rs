//! Days of the week as people write them: `mon-fri`, `sat,sun`, `daily`.

use std::fmt;
use std::str::FromStr;

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const LONG_NAMES: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Some days of the week, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// A bit for each day, Monday's is the lowest.
    bits: u8,
}

/// Why a text names no days.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DaysError {
    #[error("no day is named: write daily, mon-fri, or sat,sun")]
    Empty,
    #[error("an entry between two commas is empty")]
    EmptyEntry,
    #[error("{0:?} is no day of the week: write mon, tue, wed, thu, fri, sat or sun")]
    NotADay(String),
}

impl Days {
    pub const ALL: Self = Self { bits: 0b111_1111 };

    /// Whether a day is among them. The day of 1970-01-01 is 0, that of the day before is -1.
    pub(super) fn contains(self, day: i64) -> bool {
        // 1970-01-01 was a Thursday.
        self.bits & (1 << (day + 3).rem_euclid(7)) != 0
    }
}

/// Takes names of three letters or whole ones, in upper or lower case. A range may wrap around the
/// end of the week: `fri-mon` is four days.
impl FromStr for Days {
    type Err = DaysError;

    fn from_str(text: &str) -> Result<Self, DaysError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(DaysError::Empty);
        }
        if text.eq_ignore_ascii_case("daily") {
            return Ok(Self::ALL);
        }
        let mut bits = 0;
        for entry in text.split(',').map(str::trim) {
            let (first, last) = match entry.split_once('-') {
                _ if entry.is_empty() => return Err(DaysError::EmptyEntry),
                Some((first, last)) => (index(first)?, index(last)?),
                None => (index(entry)?, index(entry)?),
            };
            let length = (last + 7 - first) % 7;
            for day in first..=first + length {
                bits |= 1 << (day % 7);
            }
        }
        Ok(Self { bits })
    }
}

/// As `daily`, or the days with commas: `mon,tue,fri`.
impl fmt::Display for Days {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return formatter.write_str("daily");
        }
        let names: Vec<&str> = NAMES
            .iter()
            .enumerate()
            .filter(|(day, _)| self.bits & (1 << day) != 0)
            .map(|(_, name)| *name)
            .collect();
        formatter.write_str(&names.join(","))
    }
}

/// The place of a day in the week: Monday is 0.
fn index(name: &str) -> Result<usize, DaysError> {
    let lower = name.trim().to_ascii_lowercase();
    NAMES
        .iter()
        .position(|short| *short == lower)
        .or_else(|| LONG_NAMES.iter().position(|long| *long == lower))
        .ok_or_else(|| DaysError::NotADay(name.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_write_them() {
        let cases = [
            ("daily", "daily"),
            ("mon-sun", "daily"),
            ("mon-fri", "mon,tue,wed,thu,fri"),
            ("sat,sun", "sat,sun"),
            ("sun,sat", "sat,sun"),
            ("mon,wed-fri", "mon,wed,thu,fri"),
            ("fri-mon", "mon,fri,sat,sun"),
            ("sun-mon", "mon,sun"),
            ("tue-mon", "daily"),
            ("wed-wed", "wed"),
            ("mon,mon-tue", "mon,tue"),
            (" Monday - WED , sunday ", "mon,tue,wed,sun"),
        ];
        for (text, want) in cases {
            let days: Days = text.parse().unwrap();
            assert_eq!(days.to_string(), want, "{text:?}");
            assert_eq!(days.to_string().parse(), Ok(days), "{text:?}");
        }
    }

    #[test]
    fn a_mistake_has_its_own_error() {
        let not_a_day = |text: &str| DaysError::NotADay(text.to_owned());
        let cases = [
            ("", DaysError::Empty),
            ("  ", DaysError::Empty),
            ("mon,,tue", DaysError::EmptyEntry),
            ("mon,", DaysError::EmptyEntry),
            ("mo", not_a_day("mo")),
            ("mon-", not_a_day("")),
            ("mon-wed-fri", not_a_day("wed-fri")),
            ("weekdays", not_a_day("weekdays")),
            ("1-5", not_a_day("1")),
            ("mon tue", not_a_day("mon tue")),
            ("mon,daily", not_a_day("daily")),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Days>(), Err(want), "{text:?}");
        }
        assert_eq!(
            not_a_day("mo").to_string(),
            "\"mo\" is no day of the week: write mon, tue, wed, thu, fri, sat or sun"
        );
    }

    #[test]
    fn days_are_counted_from_1970() {
        let thursday: Days = "thu".parse().unwrap();
        let found: Vec<i64> = (-8..8).filter(|day| thursday.contains(*day)).collect();
        assert_eq!(found, [-7, 0, 7]);
    }
}
