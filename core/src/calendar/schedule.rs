//! When a replication is due: the slots that its schedule names.
//!
//! A slot is known by its time alone, and a schedule holds no state: every process that asks,
//! before or after a restart, gets the same slots.
//!
//! * [`Schedule::every`] counts elapsed time from 1970-01-01T00:00Z. Clocks that are set do not
//!   touch it.
//! * [`Schedule::at`] names times of day in a zone. Each comes exactly once a date: when clocks
//!   skip it, at the end of the hour that they skip; when they show it twice, the first time.
//!   Times that fall together are one slot.
//! * [`Schedule::cron`] with neither `*` nor `/` in the fields of minute and hour is like `at`. Any
//!   other pattern follows the clock: nothing in an hour that is skipped, both of two equal hours.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::days::Days;
use super::pattern::{Pace, Pattern, PatternError};
use super::zone::Zone;
use crate::unix_time::UnixTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Slots closer than this would only keep the source's store busy.
pub const INTERVAL_MIN: Duration = Duration::from_secs(60);
/// The length of the longest year.
pub const INTERVAL_MAX: Duration = DAY.saturating_mul(366);
/// A slot should start on its own day.
pub const SPREAD_MAX: Duration = DAY;
/// Bounds the search for missed slots: a week of minutes is counted exactly.
pub const MISSED_COUNTED_MAX: u64 = 10_080;

/// Which times are slots.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    slots: Slots,
    spread: Duration,
}

#[derive(Clone, Debug, PartialEq)]
enum Slots {
    /// At every multiple of the interval.
    Every {
        interval_ms: i64,
    },
    Calendar {
        pattern: Pattern,
        zone: Zone,
    },
}

/// Slots that are over and were not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    pub newest: UnixTime,
    pub count: u64,
    /// Whether there are more than `count`.
    pub is_more: bool,
}

/// Why there is no such schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("the interval is shorter than a minute")]
    IntervalTooShort,
    #[error("the interval is longer than 366 days")]
    IntervalTooLong,
    #[error("the interval is not a whole number of seconds")]
    IntervalNotWhole,
    #[error("the spread is longer than the interval")]
    SpreadPastInterval,
    #[error("the spread is longer than a day")]
    SpreadTooLong,
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Schedule {
    /// A slot at every multiple of the interval since 1970-01-01T00:00Z.
    ///
    /// # Errors
    ///
    /// When the interval is shorter than [`INTERVAL_MIN`], longer than [`INTERVAL_MAX`], or not a
    /// whole number of seconds.
    pub fn every(interval: Duration) -> Result<Self, ScheduleError> {
        if interval < INTERVAL_MIN {
            return Err(ScheduleError::IntervalTooShort);
        }
        if interval > INTERVAL_MAX {
            return Err(ScheduleError::IntervalTooLong);
        }
        if interval.subsec_nanos() != 0 {
            return Err(ScheduleError::IntervalNotWhole);
        }
        let interval_ms =
            i64::try_from(interval.as_millis()).map_err(|_| ScheduleError::IntervalTooLong)?;
        Ok(Self { slots: Slots::Every { interval_ms }, spread: Duration::ZERO })
    }

    /// Slots at times of day, such as `02:00`, on some days of the week.
    ///
    /// # Errors
    ///
    /// When there is no time, or one is not written as `02:00`.
    pub fn at(times: &[impl AsRef<str>], days: Days, zone: Zone) -> Result<Self, ScheduleError> {
        let pattern = Pattern::times(times, days)?;
        Ok(Self { slots: Slots::Calendar { pattern, zone }, spread: Duration::ZERO })
    }

    /// Slots by a cron pattern of five fields. As in cron, a date counts when its day of the month
    /// or its day of the week is named, if both fields name some.
    ///
    /// # Errors
    ///
    /// When it is no such pattern, or no date that it names exists.
    pub fn cron(pattern: &str, zone: Zone) -> Result<Self, ScheduleError> {
        let pattern = Pattern::cron(pattern)?;
        Ok(Self { slots: Slots::Calendar { pattern, zone }, spread: Duration::ZERO })
    }

    /// Delays the start of each slot, see [`Schedule::delay`].
    ///
    /// # Errors
    ///
    /// When the spread is longer than [`SPREAD_MAX`] or than the interval.
    pub fn with_spread(self, spread: Duration) -> Result<Self, ScheduleError> {
        if spread > SPREAD_MAX {
            return Err(ScheduleError::SpreadTooLong);
        }
        if self.interval().is_some_and(|interval| spread > interval) {
            return Err(ScheduleError::SpreadPastInterval);
        }
        Ok(Self { spread, ..self })
    }

    /// How long after a slot its work starts: less than the spread, always the same for a name, so
    /// that replications with the same slots do not all start at once.
    #[must_use]
    pub fn delay(&self, name: &str) -> Duration {
        let digest: [u8; 32] = Sha256::digest(name).into();
        let [a, b, c, d, ..] = digest;
        let part = u128::from(u32::from_be_bytes([a, b, c, d]));
        let ms = (self.spread.as_millis() * part) >> u32::BITS;
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// The first slot that is later than `time`. `None` when there is none within the years that a
    /// date can have.
    #[must_use]
    pub fn next_after(&self, time: UnixTime) -> Option<UnixTime> {
        match &self.slots {
            Slots::Every { interval_ms } => {
                let number = time.0.div_euclid(*interval_ms).checked_add(1)?;
                Some(UnixTime(number.checked_mul(*interval_ms)?))
            }
            Slots::Calendar { pattern, zone } => match pattern.pace() {
                Pace::Fixed => next_fixed(pattern, zone, time),
                Pace::Elapsed => next_elapsed(pattern, zone, time),
            },
        }
    }

    /// The newest slot that is not later than `time`.
    #[must_use]
    pub fn latest_at(&self, time: UnixTime) -> Option<UnixTime> {
        match &self.slots {
            Slots::Every { interval_ms } => {
                Some(UnixTime(time.0.div_euclid(*interval_ms).checked_mul(*interval_ms)?))
            }
            Slots::Calendar { pattern, zone } => match pattern.pace() {
                Pace::Fixed => zone.first(pattern.last_until(zone.highest(time)?)?),
                Pace::Elapsed => latest_elapsed(pattern, zone, time),
            },
        }
    }

    /// The slots later than `after` and not later than `until`; `None` when there are none. Slots
    /// of a calendar are counted up to [`MISSED_COUNTED_MAX`].
    #[must_use]
    pub fn missed(&self, after: UnixTime, until: UnixTime) -> Option<Missed> {
        let newest = self.latest_at(until).filter(|newest| *newest > after)?;
        if let Slots::Every { interval_ms } = self.slots {
            let number = |time: UnixTime| time.0.div_euclid(interval_ms);
            let count = number(newest).abs_diff(number(after));
            return Some(Missed { newest, count, is_more: false });
        }
        let mut slot = self.next_after(after)?;
        let mut count = 1;
        while slot < newest {
            if count == MISSED_COUNTED_MAX {
                return Some(Missed { newest, count, is_more: true });
            }
            slot = self.next_after(slot)?;
            count += 1;
        }
        Some(Missed { newest, count, is_more: false })
    }

    pub(super) fn interval(&self) -> Option<Duration> {
        match self.slots {
            Slots::Every { interval_ms } => Some(Duration::from_millis(interval_ms.unsigned_abs())),
            Slots::Calendar { .. } => None,
        }
    }
}

fn next_fixed(pattern: &Pattern, zone: &Zone, time: UnixTime) -> Option<UnixTime> {
    // Whatever the clock has shown is over, and what it has not shown yet is later.
    let mut shown = zone.highest(time)?;
    shown.0 = shown.0.checked_add(1)?;
    zone.first(pattern.next_from(shown)?)
}

fn next_elapsed(pattern: &Pattern, zone: &Zone, time: UnixTime) -> Option<UnixTime> {
    let mut from = UnixTime(time.0.checked_add(1)?);
    loop {
        let offset_ms = zone.offset_ms(from)?;
        let found = UnixTime(pattern.next_from(zone.reading(from)?)?.0 - offset_ms);
        match zone.next_change(from) {
            Some(change) if found >= change => from = change,
            _ => return Some(found),
        }
    }
}

fn latest_elapsed(pattern: &Pattern, zone: &Zone, time: UnixTime) -> Option<UnixTime> {
    let mut until = time;
    loop {
        let offset_ms = zone.offset_ms(until)?;
        let found = UnixTime(pattern.last_until(zone.reading(until)?)?.0 - offset_ms);
        match zone.last_change(until) {
            Some(change) if found < change => until = UnixTime(change.0 - 1),
            _ => return Some(found),
        }
    }
}

#[cfg(test)]
mod tests;
