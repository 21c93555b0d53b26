//! A bucket of tokens: how many calls somebody may make in a time.

use crate::unix_time::UnixTime;

/// How many calls are allowed: so many at once, and so many a second after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRate {
    pub burst: u32,
    pub per_second: u32,
}

/// What is left of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallBucket {
    /// In thousandths of a call.
    left: u64,
    at: UnixTime,
}

impl CallBucket {
    /// Returns a bucket that is full.
    #[must_use]
    pub fn full(rate: CallRate, now: UnixTime) -> Self {
        Self { left: u64::from(rate.burst) * 1000, at: now }
    }

    /// Takes one call out; false when none is left.
    pub fn take(&mut self, rate: CallRate, now: UnixTime) -> bool {
        self.fill(rate, now);
        let left = self.left.checked_sub(1000);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// Returns whether nothing was taken lately, so that it need not be kept.
    pub fn is_full(&mut self, rate: CallRate, now: UnixTime) -> bool {
        self.fill(rate, now);
        self.left == u64::from(rate.burst) * 1000
    }

    fn fill(&mut self, rate: CallRate, now: UnixTime) {
        // A clock that was put back fills nothing, and begins anew.
        let passed_ms = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let more = passed_ms.saturating_mul(u64::from(rate.per_second));
        self.left = self.left.saturating_add(more).min(u64::from(rate.burst) * 1000);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: CallRate = CallRate { burst: 3, per_second: 2 };

    fn taken(bucket: &mut CallBucket, at_ms: i64) -> usize {
        (0..10).filter(|_| bucket.take(RATE, UnixTime(at_ms))).count()
    }

    #[test]
    fn a_burst_is_allowed_and_then_so_many_a_second() {
        let mut bucket = CallBucket::full(RATE, UnixTime(0));
        for (at_ms, calls) in [
            (0, 3),
            (0, 0),
            (499, 0),
            (500, 1),
            (1_000, 1),
            (1_999, 1),
            (2_000, 1),
            (60_000, 3),
            // The clock was put back.
            (1_000, 0),
            (1_500, 1),
        ] {
            assert_eq!(taken(&mut bucket, at_ms), calls, "{at_ms}");
        }
        assert!(!bucket.is_full(RATE, UnixTime(2_999)));
        assert!(bucket.is_full(RATE, UnixTime(3_000)));
        assert!(bucket.is_full(RATE, UnixTime(i64::MAX)));
    }
}
