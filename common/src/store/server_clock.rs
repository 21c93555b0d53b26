//! How far this machine's clock is from those of the stores, by the `Date` of their answers.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::DateTime;
use http::HeaderMap;
use http::header::DATE;

/// Set while no answer told a time.
const UNKNOWN: i64 = i64::MIN;
/// Milliseconds by which this machine was ahead, by the newest answer.
static AHEAD_MS: AtomicI64 = AtomicI64::new(UNKNOWN);

/// Notes the time of an answer that came at `now_ms`, a success or not: a refusal tells it, too.
pub(crate) fn note(headers: &HeaderMap, now_ms: i64) {
    if let Some(told_ms) = told_ms(headers) {
        AHEAD_MS.store(now_ms.saturating_sub(told_ms), Ordering::Relaxed);
    }
}

/// Returns by how many milliseconds this machine is ahead of the store that answered last, behind
/// it when negative. The time of an answer has whole seconds. `None` while none told a time.
#[must_use]
pub fn ahead_ms() -> Option<i64> {
    Some(AHEAD_MS.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)
}

fn told_ms(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    #[test]
    fn the_time_of_an_answer_is_read_as_http_writes_it() {
        for (text, wanted) in [
            ("Wed, 01 May 2024 00:00:00 GMT", Some(1_714_521_600_000)),
            ("yesterday", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(text))]);
            assert_eq!(told_ms(&headers), wanted, "{text}");
        }
        assert_eq!(told_ms(&HeaderMap::new()), None);
    }
}
