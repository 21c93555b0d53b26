//! A time of day as people write it: `02:00`.

use std::fmt;
use std::str::FromStr;

use super::clock::MINUTE_MS;

/// A time of day, to the minute, from `00:00` to `24:00`, the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimeOfDay {
    minutes: u16,
}

/// A text is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time of day: write it as 09:30, from 00:00 to 23:59{hint}")]
pub struct TimeOfDayError {
    text: String,
    hint: &'static str,
}

impl TimeOfDay {
    /// Reads a time before the end of the day.
    pub(super) fn before_end(text: &str) -> Result<Self, TimeOfDayError> {
        let hint = "";
        let error = TimeOfDayError { text: text.to_owned(), hint };
        parse(text).filter(|time| time.minutes < END_MINUTES).ok_or(error)
    }

    /// Reads a time that may be `24:00`.
    pub(super) fn until_end(text: &str) -> Result<Self, TimeOfDayError> {
        let hint = ", or 24:00 for the end of the day";
        parse(text).ok_or_else(|| TimeOfDayError { text: text.to_owned(), hint })
    }

    /// The milliseconds since midnight, on a clock that nobody sets.
    pub(super) fn ms(self) -> i64 {
        i64::from(self.minutes) * MINUTE_MS
    }
}

/// As `02:00`, with two digits each.
impl fmt::Display for TimeOfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

const END_MINUTES: u16 = 24 * 60;

fn parse(text: &str) -> Option<TimeOfDay> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= END_MINUTES).then_some(TimeOfDay { minutes })
}

fn two_digits(text: &str) -> Option<u16> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { u16::from_str(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_two_digits_for_hour_and_minute() {
        for (text, minutes) in [("00:00", 0), ("02:05", 125), ("23:59", 1439)] {
            let time = TimeOfDay::before_end(text).unwrap();
            assert_eq!((time.minutes, time.to_string()), (minutes, text.to_owned()));
            assert_eq!(TimeOfDay::until_end(text), Ok(time));
        }
        assert_eq!(TimeOfDay::until_end("24:00").unwrap().ms(), 24 * 60 * MINUTE_MS);
        for text in
            ["", "2:00", "02", "02:0", "02:60", "24:01", "25:00", "+2:00", "02:00:00", "2am"]
        {
            assert!(TimeOfDay::before_end(text).is_err(), "{text:?}");
            assert!(TimeOfDay::until_end(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_the_end_of_something_may_be_the_end_of_a_day() {
        let error = TimeOfDay::before_end("24:00").unwrap_err().to_string();
        assert_eq!(error, "\"24:00\" is no time of day: write it as 09:30, from 00:00 to 23:59");
        let error = TimeOfDay::until_end("24:30").unwrap_err().to_string();
        assert!(error.ends_with("to 23:59, or 24:00 for the end of the day"), "{error}");
    }
}
