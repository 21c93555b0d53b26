//! Decides whether and when a failed request to a store is sent again. No other place does.
//!
//! The clients below never retry, so that each repeated request is counted and shown. ADR 0008
//! (docs/decisions) decides how long a store is waited for, by a [`Patience`] for each kind of
//! request.

use std::sync::Arc;
use std::time::Duration;

use super::counts;
use super::error::{StoreError, StoreErrorKind};
use super::operation::StoreOperation;
use crate::random;

/// How often a request is sent, and how long the pauses in between are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts of one request, the first included.
    pub attempts_max: u32,
    /// Attempts while the store throttles.
    pub attempts_throttled_max: u32,
    /// The longest pause before the second try; it doubles with each further one.
    pub pause_min: Duration,
    /// The longest pause of all.
    pub pause_max: Duration,
}

impl Patience {
    /// Reads of a log, and the coordinator's other requests: a store that throttles is waited for
    /// longer than half a minute.
    pub const LOG: Self = Self {
        attempts_max: 5,
        attempts_throttled_max: 8,
        pause_min: Duration::from_millis(500),
        pause_max: Duration::from_secs(30),
    };
    /// Requests for an object of a task. The task itself is tried again for longer than a minute,
    /// so a worker soon lets go of it.
    pub const OBJECT: Self = Self {
        attempts_max: 4,
        attempts_throttled_max: 4,
        pause_min: Duration::from_millis(200),
        pause_max: Duration::from_secs(30),
    };
    /// The put of a commit, which is read back after each attempt: short, for readers wait for it.
    pub const COMMIT: Self = Self {
        attempts_max: 6,
        attempts_throttled_max: 6,
        pause_min: Duration::from_millis(100),
        pause_max: Duration::from_secs(30),
    };
}

/// What a request asks of which store: for metrics and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetriedRequest {
    pub operation: StoreOperation,
    /// A connection, or the URI of a table, without credentials.
    pub store: Arc<str>,
}

impl RetriedRequest {
    /// Returns what is asked of a store.
    pub fn new(operation: StoreOperation, store: impl Into<Arc<str>>) -> Self {
        Self { operation, store: store.into() }
    }
}

/// The failed attempts of one request.
#[derive(Clone, Debug)]
pub struct Retry {
    patience: Patience,
    asked: RetriedRequest,
    failed: u32,
}

impl Retry {
    /// Returns the state before the first attempt.
    #[must_use]
    pub fn new(patience: Patience, asked: RetriedRequest) -> Self {
        Self { patience, asked, failed: 0 }
    }

    /// Counts an attempt that failed with `error`. Returns the pause before the next one, or `None`
    /// when the request has failed for good.
    pub fn next(&mut self, error: &StoreError) -> Option<Duration> {
        self.failed += 1;
        let attempts_max = match error.kind {
            StoreErrorKind::Throttled => self.patience.attempts_throttled_max,
            _ => self.patience.attempts_max,
        };
        if !error.kind.is_retryable() {
            return None;
        }
        let RetriedRequest { operation, store } = &self.asked;
        let is_sent_again = self.failed < attempts_max;
        counts::failed(*operation, error.kind, is_sent_again);
        if !is_sent_again {
            let (operation, reason, attempts) = (operation.name(), error.kind.name(), self.failed);
            tracing::warn!(
                store = &**store,
                operation,
                reason,
                attempts,
                %error,
                "a request failed as often as it may"
            );
            return None;
        }
        tracing::debug!(failed = self.failed, %error, "a request is tried again");
        let doubled = self.patience.pause_min.saturating_mul(1 << (self.failed - 1).min(16));
        // A store that asks for a pause gets it, within bounds.
        let asked = error.pause.unwrap_or_default().min(self.patience.pause_max);
        Some(jittered(doubled.min(self.patience.pause_max)).max(asked))
    }
}

/// Sends a request until it succeeds or has failed for good.
///
/// # Errors
/// That of the last attempt.
pub async fn retrying<T, E, F>(
    patience: Patience,
    asked: RetriedRequest,
    mut request: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, E>>,
    StoreError: From<E>,
{
    let mut retry = Retry::new(patience, asked);
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) => StoreError::from(error),
        };
        let Some(pause) = retry.next(&error) else { return Err(error) };
        tokio::time::sleep(pause).await;
    }
}

/// Returns a random duration between half of `longest` and all of it, so that many callers do not
/// return at the same time.
#[must_use]
pub fn jittered(longest: Duration) -> Duration {
    let [low, high, ..] = *random::uuid().as_bytes();
    let share = f64::from(u16::from_be_bytes([low, high])) / f64::from(u16::MAX);
    longest.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use StoreErrorKind as Kind;
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::catalog::Catalog;
    use crate::metrics::exposition::classic;

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Patience = Patience {
        attempts_max: 4,
        attempts_throttled_max: 6,
        pause_min: SECOND,
        pause_max: Duration::from_secs(4),
    };

    fn any() -> RetriedRequest {
        RetriedRequest::new(StoreOperation::Other, "a store")
    }

    fn error(kind: Kind) -> StoreError {
        StoreError::new(kind, "failed")
    }

    #[test]
    fn what_passes_is_tried_again_after_doubling_pauses() {
        for (kind, longest) in [
            (Kind::Transient, &[1, 2, 4][..]),
            (Kind::Throttled, &[1, 2, 4, 4, 4]),
            (Kind::TimedOut, &[1, 2, 4]),
            (Kind::Stale, &[1, 2, 4]),
            (Kind::AlreadyExists, &[]),
            (Kind::Precondition, &[]),
            (Kind::NotFound, &[]),
            (Kind::BucketMissing, &[]),
            (Kind::Denied, &[]),
            (Kind::Unsupported, &[]),
            (Kind::Other, &[]),
        ] {
            let mut retry = Retry::new(PATIENCE, any());
            let pauses: Vec<_> = std::iter::from_fn(|| retry.next(&error(kind))).collect();
            assert_eq!(pauses.len(), longest.len(), "{kind:?}");
            for (pause, longest) in pauses.into_iter().zip(longest) {
                let longest = SECOND * *longest;
                assert!((longest / 2..=longest).contains(&pause), "{kind:?}: {pause:?}");
            }
        }
    }

    #[test]
    fn a_store_that_asks_for_a_pause_gets_it_within_bounds() {
        for (asked, given) in [(3, 3), (100, 4)] {
            let pause = Some(SECOND * asked);
            let error = StoreError { pause, ..error(Kind::Throttled) };
            assert_eq!(Retry::new(PATIENCE, any()).next(&error), Some(SECOND * given));
        }
    }

    #[test]
    fn pauses_are_spread_between_half_and_all() {
        let longest = Duration::from_secs(1);
        let (mut shortest_seen, mut longest_seen) = (longest, Duration::ZERO);
        for _ in 0..1_000 {
            let pause = jittered(longest);
            shortest_seen = shortest_seen.min(pause);
            longest_seen = longest_seen.max(pause);
        }
        assert!((500..550).contains(&shortest_seen.as_millis()), "{shortest_seen:?}");
        assert!((950..=1_000).contains(&longest_seen.as_millis()), "{longest_seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_patience_waits_as_long_as_it_says() {
        for (patience, kind, attempts, seconds) in [
            (Patience::LOG, Kind::Throttled, 8, 30.0..65.0),
            (Patience::LOG, Kind::Transient, 5, 3.0..8.0),
            (Patience::OBJECT, Kind::Throttled, 4, 0.7..1.5),
            (Patience::OBJECT, Kind::Transient, 4, 0.7..1.5),
            (Patience::COMMIT, Kind::Transient, 6, 1.5..3.2),
            (Patience::COMMIT, Kind::Denied, 1, 0.0..0.001),
        ] {
            let (begun, tried) = (Instant::now(), Cell::new(0));
            let request = || {
                tried.set(tried.get() + 1);
                async { Err::<(), _>(error(kind)) }
            };
            assert_eq!(retrying(patience, any(), request).await, Err(error(kind)));
            assert_eq!(tried.get(), attempts, "{patience:?} {kind:?}");
            let waited = begun.elapsed().as_secs_f64();
            assert!(seconds.contains(&waited), "{patience:?} {kind:?}: {waited} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_sent_until_it_succeeds() {
        let tried = Cell::new(0);
        let request = || {
            tried.set(tried.get() + 1);
            let answer = if tried.get() < 3 { Err(error(Kind::Transient)) } else { Ok("answer") };
            async { answer }
        };
        assert_eq!(retrying(Patience::LOG, any(), request).await, Ok("answer"));
        assert_eq!(tried.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_again_and_what_is_given_up_is_counted() {
        let lines = || {
            let mut catalog = Catalog::default();
            counts::register(&mut catalog);
            classic(catalog.registry()).unwrap()
        };
        for (kind, again, exhausted) in
            [(Kind::Throttled, Some(7), Some(1)), (Kind::TimedOut, Some(4), Some(1))]
        {
            let request = || async { Err::<(), _>(error(kind)) };
            let asked = RetriedRequest::new(StoreOperation::AbortUpload, "a store");
            retrying(Patience::LOG, asked, request).await.unwrap_err();
            let count = |name: &str| {
                let labels = format!("operation=\"abort_upload\",reason=\"{}\"", kind.name());
                let series = format!("deepclone_store_{name}_total{{{labels}}} ");
                let lines = lines();
                let found = lines.lines().find_map(|line| line.strip_prefix(&series));
                found.map(|number| number.parse::<u64>().unwrap())
            };
            assert_eq!((count("retries"), count("retries_exhausted")), (again, exhausted));
        }
        // What no repetition heals is neither.
        let request = || async { Err::<(), _>(error(Kind::Denied)) };
        let asked = RetriedRequest::new(StoreOperation::AbortUpload, "a store");
        retrying(Patience::LOG, asked, request).await.unwrap_err();
        assert!(!lines().contains("operation=\"abort_upload\",reason=\"denied\""));
    }
}
