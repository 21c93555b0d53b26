//! What is asked of stores, for `/metrics`: requests by what became of them, how long they took,
//! and those that are sent again.
//!
//! Each attempt is counted, so throttling is visible. Files on a local disk are no requests.

use std::sync::LazyLock;
use std::time::Duration;

use object_store::client::{HttpError, HttpResponse};

use super::error::StoreErrorKind;
use super::operation::StoreOperation;
use super::throttled;
use crate::metrics::buckets::STORE_SECONDS;
use crate::metrics::catalog::{Catalog, MetricRow};
use crate::metrics::labelled::{Counters, Histograms};

/// The metrics of all stores of this process. `store` is a host: the endpoints and buckets of the
/// connections bound how many there are.
struct StoreMetrics {
    requests: Counters,
    seconds: Histograms,
    retries: Counters,
    given_up: Counters,
}

const REQUESTS: MetricRow = MetricRow::counter(
    "deepclone_store_requests_total",
    &["store", "operation", "answer"],
    "Requests to object stores, each attempt, by what became of them: success, throttled, \
     client_error, server_error, or none without an answer",
);
const SECONDS: MetricRow = MetricRow::histogram(
    "deepclone_store_request_duration_seconds",
    &["store", "operation"],
    "Time from a request to the head of its answer; of a write, with the time that its body takes",
);
const RETRIES: MetricRow = MetricRow::counter(
    "deepclone_store_retries_total",
    &["operation", "reason"],
    "Requests that are sent again, by why the attempt before failed",
);
const GIVEN_UP: MetricRow = MetricRow::counter(
    "deepclone_store_retries_exhausted_total",
    &["operation", "reason"],
    "Requests that failed although they were sent as often as they may be",
);
static METRICS: LazyLock<StoreMetrics> = LazyLock::new(|| StoreMetrics {
    requests: Counters::new(REQUESTS.labels),
    seconds: Histograms::new(SECONDS.labels, &STORE_SECONDS),
    retries: Counters::new(RETRIES.labels),
    given_up: Counters::new(GIVEN_UP.labels),
});

/// Adds the metrics of stores to those of a process.
pub fn register(catalog: &mut Catalog) {
    catalog.show_counters(REQUESTS, &METRICS.requests);
    catalog.show_histograms(SECONDS, &METRICS.seconds);
    catalog.show_counters(RETRIES, &METRICS.retries);
    catalog.show_counters(GIVEN_UP, &METRICS.given_up);
    throttled::register(catalog);
}

/// Counts one request to the store at `host`.
pub(crate) fn count(
    host: &str,
    operation: StoreOperation,
    took: Duration,
    answer: &Result<HttpResponse, HttpError>,
) {
    let kind = match answer {
        Ok(answer) => kind_of(answer.status().as_u16()),
        Err(_) => "none",
    };
    METRICS.requests.with(&[host, operation.name(), kind]).inc();
    METRICS.seconds.with(&[host, operation.name()]).observe(took.as_secs_f64());
    if kind == "throttled" {
        throttled::note(host);
    }
}

/// Counts an attempt that failed: the request is sent again, or given up.
pub(super) fn failed(operation: StoreOperation, kind: StoreErrorKind, is_sent_again: bool) {
    let counters = if is_sent_again { &METRICS.retries } else { &METRICS.given_up };
    counters.with(&[operation.name(), kind.name()]).inc();
}

fn kind_of(status: u16) -> &'static str {
    match status {
        429 | 503 => "throttled",
        200..=299 => "success",
        500.. => "server_error",
        _ => "client_error",
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::{HttpErrorKind, HttpResponseBody};

    use super::*;
    use crate::metrics::exposition::classic;

    #[test]
    fn every_kind_of_answer_is_shown_by_store_and_operation() {
        let answer = |status: u16| {
            let mut answer = HttpResponse::new(HttpResponseBody::from(bytes::Bytes::new()));
            *answer.status_mut() = ::http::StatusCode::from_u16(status).unwrap();
            Ok(answer)
        };
        let took = Duration::from_millis(30);
        for status in [200, 206, 404, 429, 500, 503] {
            count("store.test", StoreOperation::Get, took, &answer(status));
        }
        let lost = HttpError::new(HttpErrorKind::Timeout, std::io::Error::other("lost"));
        count("store.test", StoreOperation::Put, took * 100, &Err(lost));
        let mut catalog = Catalog::default();
        register(&mut catalog);
        let text = classic(catalog.registry()).unwrap();
        let requests = [
            ("get", "success", 2),
            ("get", "client_error", 1),
            ("get", "throttled", 2),
            ("get", "server_error", 1),
            ("put", "none", 1),
        ];
        let requests = requests.map(|(operation, kind, expected)| {
            let labels =
                format!("store=\"store.test\",operation=\"{operation}\",answer=\"{kind}\"");
            format!("deepclone_store_requests_total{{{labels}}} {expected}")
        });
        let bucket = |operation: &str, le: &str| {
            format!(
                "deepclone_store_request_duration_seconds_bucket{{le=\"{le}\",\
                 store=\"store.test\",operation=\"{operation}\"}}"
            )
        };
        let seconds = [
            format!("{} 0", bucket("get", "0.025")),
            format!("{} 6", bucket("get", "0.05")),
            format!("{} 0", bucket("put", "2.5")),
            format!("{} 1", bucket("put", "10.0")),
        ];
        for line in requests.iter().chain(&seconds) {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }
}
