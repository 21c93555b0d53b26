//! The times that a schedule names, on a clock that nobody sets: some times of day on some days of
//! the week, or a cron pattern.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Direction};
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::clock::{ClockReading, MINUTE_MS};
use super::days::Days;
use super::time_of_day::{TimeOfDay, TimeOfDayError};

const CRON_FIELDS: usize = 5;

/// Times to the minute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pattern {
    /// Sorted times of day, at least one.
    Times {
        times: Vec<TimeOfDay>,
        days: Days,
    },
    Cron {
        cron: Box<Cron>,
        pace: Pace,
    },
}

/// What a pattern does when clocks are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Each of its times is named once a date: a time in the gap moves to the end of the gap, and
    /// of two equal times the first one counts.
    Fixed,
    /// Whenever the clock shows a time of the pattern: none in the gap, both of two equal times.
    Elapsed,
}

/// Why a text names no times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("no time of day is named")]
    NoTimes,
    #[error(transparent)]
    TimeOfDay(#[from] TimeOfDayError),
    #[error(
        "a cron pattern has 5 fields (minute, hour, day of the month, month, day of the week), \
         this one has {found}"
    )]
    CronFields { found: usize },
    #[error("cron pattern {pattern:?}: {reason}")]
    Cron { pattern: String, reason: String },
    #[error("cron pattern {pattern:?} names no date that exists")]
    CronNever { pattern: String },
}

impl Pattern {
    pub(super) fn times(times: &[impl AsRef<str>], days: Days) -> Result<Self, PatternError> {
        let times: Result<Vec<TimeOfDay>, _> =
            times.iter().map(|time| TimeOfDay::before_end(time.as_ref())).collect();
        let mut times = times?;
        if times.is_empty() {
            return Err(PatternError::NoTimes);
        }
        times.sort_unstable();
        times.dedup();
        Ok(Self::Times { times, days })
    }

    pub(super) fn cron(text: &str) -> Result<Self, PatternError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != CRON_FIELDS {
            return Err(PatternError::CronFields { found: fields.len() });
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| PatternError::Cron {
            pattern: text.to_owned(),
            reason: error.to_string().trim_end_matches('.').to_owned(),
        })?;
        // The fields of the minute and the hour.
        let is_elapsed = fields[..2].iter().any(|field| field.contains(['*', '?', '/']));
        let pace = if is_elapsed { Pace::Elapsed } else { Pace::Fixed };
        let pattern = Self::Cron { cron: Box::new(cron), pace };
        match pattern.next_from(ClockReading(0)) {
            Some(_) => Ok(pattern),
            None => Err(PatternError::CronNever { pattern: text.to_owned() }),
        }
    }

    pub(super) fn pace(&self) -> Pace {
        match self {
            Self::Times { .. } => Pace::Fixed,
            Self::Cron { pace, .. } => *pace,
        }
    }

    /// The first time of the pattern from `reading` on. `None` when there is none within the years
    /// that a date can have.
    pub(super) fn next_from(&self, reading: ClockReading) -> Option<ClockReading> {
        match self {
            Self::Times { times, days } => {
                let from = reading.day();
                // The days of one week; today comes again when its times are over.
                (from..=from.checked_add(7)?).filter(|day| days.contains(*day)).find_map(|day| {
                    let mut shown = times.iter().map(|time| ClockReading::of_day(day, time.ms()));
                    shown.find(|shown| *shown >= reading)
                })
            }
            Self::Cron { cron, .. } => {
                let minute = reading.0.checked_add(MINUTE_MS - 1)?.div_euclid(MINUTE_MS);
                occurrence(cron, minute, Direction::Forward)
            }
        }
    }

    /// The last time of the pattern until `reading`.
    pub(super) fn last_until(&self, reading: ClockReading) -> Option<ClockReading> {
        match self {
            Self::Times { times, days } => {
                let until = reading.day();
                (until.checked_sub(7)?..=until).rev().filter(|day| days.contains(*day)).find_map(
                    |day| {
                        let mut shown =
                            times.iter().rev().map(|time| ClockReading::of_day(day, time.ms()));
                        shown.find(|shown| *shown <= reading)
                    },
                )
            }
            Self::Cron { cron, .. } => {
                let minute = reading.0.div_euclid(MINUTE_MS);
                occurrence(cron, minute, Direction::Backward)
            }
        }
    }
}

/// The occurrence of a cron pattern from some minute on, itself included.
///
/// It is sought on a clock that nobody sets: what zones do to it is decided by this crate alone.
fn occurrence(cron: &Cron, minute: i64, direction: Direction) -> Option<ClockReading> {
    let from = date_time(minute.checked_mul(MINUTE_MS)?)?;
    let found = match direction {
        Direction::Forward => cron.find_next_occurrence(&from, true),
        Direction::Backward => cron.find_previous_occurrence(&from, true),
    };
    let found = Offset::UTC.to_timestamp(found.ok()?).ok()?;
    Some(ClockReading(found.as_millisecond()))
}

fn date_time(ms: i64) -> Option<DateTime> {
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(Offset::UTC.to_datetime(time))
}
