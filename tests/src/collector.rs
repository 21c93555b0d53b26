//! A collector of OpenTelemetry on this machine, which keeps the spans that it is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

/// The longest wait for spans.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for them.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A span as it arrived, its ids in hexadecimal.
#[derive(Clone, Debug)]
pub struct CollectedSpan {
    /// The `service.name` of who sent it.
    pub service: String,
    pub trace: String,
    pub id: String,
    /// Empty for the whole of a trace.
    pub parent: String,
    pub name: String,
    pub is_error: bool,
    pub began_ns: u64,
    pub ended_ns: u64,
    pub attributes: BTreeMap<String, String>,
    /// Names of its events.
    pub events: Vec<String>,
}

/// A collector on this machine.
pub struct Collector {
    /// Like `http://ADDR:PORT`, the endpoint of a configuration.
    pub url: String,
    spans: Arc<Mutex<Vec<CollectedSpan>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Collector {
    /// Starts one.
    ///
    /// # Panics
    /// When there is no port for it.
    pub async fn start() -> Self {
        let (spans, headers) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (kept, seen) = (Arc::clone(&spans), Arc::clone(&headers));
        let take = move |headers: HeaderMap, body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).expect("a request of OTLP");
            kept.lock().unwrap_or_else(PoisonError::into_inner).extend(spans_of(request));
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(headers);
            async {}
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its own address"));
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, spans, headers }
    }

    /// The spans that it took.
    #[must_use]
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The headers of the requests that it took.
    #[must_use]
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.headers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it took what is wanted, and gives all.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn wait_for(
        &self,
        is_whole: impl Fn(&[CollectedSpan]) -> bool,
    ) -> Vec<CollectedSpan> {
        let come = async {
            while !is_whole(&self.spans()) {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        let come = tokio::time::timeout(PATIENCE, come).await;
        assert!(come.is_ok(), "there are only {:#?}", self.spans());
        self.spans()
    }
}

fn spans_of(request: ExportTraceServiceRequest) -> Vec<CollectedSpan> {
    let mut found = Vec::new();
    for of_process in request.resource_spans {
        let resource = of_process.resource.unwrap_or_default();
        let service = attributes(resource.attributes).remove("service.name").unwrap_or_default();
        for span in of_process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            found.push(CollectedSpan {
                service: service.clone(),
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                is_error: span.status.is_some_and(|status| status.code() == StatusCode::Error),
                began_ns: span.start_time_unix_nano,
                ended_ns: span.end_time_unix_nano,
                attributes: attributes(span.attributes),
                events: span.events.into_iter().map(|event| event.name).collect(),
                name: span.name,
            });
        }
    }
    found
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let pair = |attribute: KeyValue| {
        let value = match attribute.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::BoolValue(flag)) => flag.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key, value)
    };
    attributes.into_iter().map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
