//! Spans → an OpenTelemetry collector, by OTLP over HTTP. The one file that uses OpenTelemetry's
//! crates: they give the form of a request and read its answer; our own client carries it, as it
//! carries events of lineage and alerts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use deepclone_core::unix_time::UnixTime;
use http::{HeaderMap, Request, Response};
use opentelemetry::trace::{
    Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    RetryPolicy, SpanExporter as OtlpSpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _};

use super::span::{EndedSpan, SpanEvent, SpanRole, SpanValue};
use crate::post::{PostError, Poster, header_map};
use crate::random;
use crate::telemetry_settings::OtlpTarget;

/// Sends spans to one collector.
#[derive(Debug)]
pub(super) struct OtlpExporter {
    exporter: OtlpSpanExporter,
    carrier: Carrier,
    scope: InstrumentationScope,
}

/// Carries requests, and keeps why the last one was not taken: the exporter's own errors hide it.
#[derive(Clone, Debug)]
struct Carrier {
    poster: Poster,
    headers: HeaderMap,
    error: Arc<Mutex<Option<PostError>>>,
}

impl OtlpExporter {
    /// # Errors
    /// The client cannot be made; no header is shown.
    pub(super) fn new(target: OtlpTarget, service: &'static str) -> Result<Self, String> {
        let headers = header_map(&target.headers).map_err(|error| error.to_string())?;
        let poster = Poster::new(target.address)?;
        let carrier = Carrier { poster, headers, error: Arc::default() };
        let version = env!("CARGO_PKG_VERSION");
        let exporter = OtlpSpanExporter::builder()
            .with_http()
            // The carrier knows the address. It is a secret, perhaps, and errors would show it.
            .with_endpoint("http://collector/v1/traces")
            .with_http_client(carrier.clone())
            // The queue of spans tries again, in a way that does not block its thread.
            .with_retry_policy(RetryPolicy::disabled());
        let mut exporter = exporter.build().map_err(|error| error.to_string())?;
        exporter.set_resource(
            &Resource::builder()
                .with_service_name(service)
                .with_attributes([
                    KeyValue::new("service.version", version),
                    KeyValue::new("service.instance.id", random::uuid().to_string()),
                ])
                .build(),
        );
        let scope = InstrumentationScope::builder("deepclone").with_version(version).build();
        Ok(Self { exporter, carrier, scope })
    }

    /// Returns what may be shown of the collector's address.
    pub(super) fn address(&self) -> String {
        self.carrier.poster.address()
    }

    /// Sends spans once.
    ///
    /// # Errors
    /// Why they were not taken, and whether they may be later.
    pub(super) async fn export(&mut self, spans: &[EndedSpan]) -> Result<(), PostError> {
        let spans = spans.iter().map(|span| span_data(span, &self.scope)).collect();
        let Err(other) = self.exporter.export(spans).await else { return Ok(()) };
        let kept = self.carrier.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(kept.unwrap_or_else(|| PostError::Refused(other.to_string())))
    }
}

#[async_trait]
impl HttpClient for Carrier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        // Those of OTEL_EXPORTER_OTLP_HEADERS may be secrets, too.
        for (name, value) in &mut headers {
            value.set_sensitive(name != http::header::CONTENT_TYPE);
        }
        headers.extend(self.headers.clone());
        let sent = self.poster.post_body(headers, body).await;
        let sent = sent.map(Response::new);
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = sent.as_ref().err().cloned();
        Ok(sent?)
    }
}

fn span_data(span: &EndedSpan, scope: &InstrumentationScope) -> SpanData {
    let context = SpanContext::new(
        TraceId::from_bytes(span.context.trace.0),
        SpanId::from_bytes(span.context.span.0),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    let mut events = SpanEvents::default();
    events.events = span.events.iter().map(event).collect();
    SpanData {
        span_context: context,
        parent_span_id: span.parent.map_or(SpanId::INVALID, |id| SpanId::from_bytes(id.0)),
        parent_span_is_remote: span.role == SpanRole::Server,
        span_kind: match span.role {
            SpanRole::Internal => SpanKind::Internal,
            SpanRole::Client => SpanKind::Client,
            SpanRole::Server => SpanKind::Server,
        },
        name: span.name.into(),
        start_time: time(span.began),
        end_time: time(span.ended.max(span.began)),
        attributes: attributes(&span.attributes),
        dropped_attributes_count: 0,
        events,
        links: opentelemetry_sdk::trace::SpanLinks::default(),
        status: match &span.error {
            Some(error) => Status::error(error.clone()),
            None => Status::Unset,
        },
        instrumentation_scope: scope.clone(),
    }
}

fn event(event: &SpanEvent) -> Event {
    Event::new(event.name, time(event.at), attributes(&event.attributes), 0)
}

fn attributes(attributes: &[(&'static str, SpanValue)]) -> Vec<KeyValue> {
    let pair = |(name, value): &(&'static str, SpanValue)| {
        let value = match value {
            SpanValue::Text(text) => Value::from(text.clone()),
            SpanValue::Number(number) => Value::from(*number),
            SpanValue::Flag(flag) => Value::from(*flag),
        };
        KeyValue::new(*name, value)
    };
    attributes.iter().map(pair).collect()
}

fn time(at: UnixTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}
