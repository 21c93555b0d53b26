//! Wall-clock time. Core reads no clock: every time is an argument.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// The time that much later; the last one there is when it would be past that.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(ms))
    }

    /// The time that much earlier; the first one there is when it would be before that.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(ms))
    }

    /// How much later this is than `earlier`; nothing when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let ms = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

/// RFC 3339, in UTC.
impl fmt::Display for UnixTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(formatter, "{time}"),
            Err(_) => write!(formatter, "{} ms since 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stays_within_what_there_is() {
        let (first, last) = (UnixTime(i64::MIN), UnixTime(i64::MAX));
        let minute = Duration::from_secs(60);
        assert_eq!(UnixTime(5).after(minute), UnixTime(60_005));
        assert_eq!(UnixTime(60_005).before(minute), UnixTime(5));
        assert_eq!(last.after(minute), last);
        assert_eq!(first.before(Duration::MAX), first);
        assert_eq!(UnixTime(60_005).since(UnixTime(5)), minute);
        assert_eq!(UnixTime(5).since(UnixTime(60_005)), Duration::ZERO);
    }

    #[test]
    fn a_time_is_shown_in_utc() {
        assert_eq!(UnixTime(1_793_721_600_500).to_string(), "2026-11-03T16:00:00.5Z");
        assert_eq!(UnixTime(i64::MAX).to_string(), format!("{} ms since 1970", i64::MAX));
    }
}
