//! Counters of the stores' answers for `/metrics`, by store and kind of answer.
//!
//! Each retry is counted, too, so throttling is visible.

use std::fmt;
use std::sync::LazyLock;

use dashmap::DashMap;
use object_store::client::{HttpError, HttpResponse};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// Requests by the store's host and the kind of its answer. Endpoints and buckets of connections
/// bound the number of hosts.
static COUNTS: LazyLock<DashMap<(String, &'static str), u64>> = LazyLock::new(DashMap::new);

/// Counts one request to the store at `host`.
pub(crate) fn count(host: &str, answer: &Result<HttpResponse, HttpError>) {
    let kind = match answer {
        Ok(answer) => kind_of(answer.status().as_u16()),
        Err(_) => "none",
    };
    *COUNTS.entry((host.to_owned(), kind)).or_default() += 1;
}

fn kind_of(status: u16) -> &'static str {
    match status {
        429 | 503 => "throttled",
        200..=299 => "success",
        500.. => "server_error",
        _ => "client_error",
    }
}

/// Exports the counters as `deepclone_store_requests_total{store, answer}`.
#[derive(Debug)]
pub(crate) struct StoreRequests;

impl Collector for StoreRequests {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "deepclone_store_requests",
            "Requests to object stores, retries included, by what became of them",
            None,
            MetricType::Counter,
        )?;
        for entry in COUNTS.iter() {
            let (host, kind) = entry.key();
            let labels = [("store", host.as_str()), ("answer", *kind)];
            ConstCounter::new(*entry.value()).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::{HttpErrorKind, HttpResponseBody};
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn every_kind_of_answer_is_shown_by_store() {
        let answer = |status: u16| {
            let mut answer = HttpResponse::new(HttpResponseBody::from(bytes::Bytes::new()));
            *answer.status_mut() = ::http::StatusCode::from_u16(status).unwrap();
            Ok(answer)
        };
        for status in [200, 206, 404, 429, 500, 503] {
            count("store.test", &answer(status));
        }
        let lost = HttpError::new(HttpErrorKind::Timeout, std::io::Error::other("lost"));
        count("store.test", &Err(lost));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(StoreRequests));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let cases = [
            ("success", 2),
            ("client_error", 1),
            ("throttled", 2),
            ("server_error", 1),
            ("none", 1),
        ];
        for (kind, expected) in cases {
            let labels = format!("store=\"store.test\",answer=\"{kind}\"");
            let line = format!("deepclone_store_requests_total{{{labels}}} {expected}");
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }
}
