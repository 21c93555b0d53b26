//! The outermost layer around every service: each call gets an id, a span of the log, and is
//! counted when it ends.
//!
//! A call ends with its trailers, or when its caller hangs up: only the body of an answer tells.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use deepclone_common::request_id::{HEADER, RequestId};
use deepclone_proto::status::from_status;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, field};

use super::calls::known_name;
use crate::metrics::CoordinatorMetrics;

/// The call by which a worker comes.
const REGISTER: &str = "DispatchService/RegisterWorker";

/// Observes the calls of a coordinator.
#[derive(Clone, Debug)]
pub struct Observe {
    metrics: Arc<CoordinatorMetrics>,
}

impl Observe {
    /// Returns a layer that counts here.
    #[must_use]
    pub fn new(metrics: Arc<CoordinatorMetrics>) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { metrics: Arc::clone(&self.metrics), inner }
    }
}

/// A service whose calls are observed.
#[derive(Clone, Debug)]
pub struct Observed<S> {
    metrics: Arc<CoordinatorMetrics>,
    inner: S,
}

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = known_name(request.uri().path());
        let id = RequestId::of(request.headers()).unwrap_or_default();
        request.extensions_mut().insert(id.clone());
        let span = tracing::info_span!(
            "call",
            request_id = id.as_str(),
            method,
            worker_name = field::Empty
        );
        let mut running = Running::begin(&self.metrics, method);
        let answer = span.in_scope(|| self.inner.call(request));
        let observed = async move {
            let mut answer = answer.await?;
            running.answered(answer.headers());
            answer.headers_mut().insert(HEADER, id.header());
            Ok(answer.map(|inner| Body::new(ObservedBody { inner, running })))
        };
        Box::pin(observed.instrument(span))
    }
}

/// A call that has not ended. It ends when this is dropped.
struct Running {
    metrics: Arc<CoordinatorMetrics>,
    method: &'static str,
    begun: Instant,
    /// `None` until it is told: a caller that hangs up cancels the call.
    code: Option<Code>,
}

impl Running {
    fn begin(metrics: &Arc<CoordinatorMetrics>, method: &'static str) -> Self {
        metrics.calls.open.with(&[method]).inc();
        Self { metrics: Arc::clone(metrics), method, begun: Instant::now(), code: None }
    }

    /// Takes the head of the answer, which tells the status of a call that failed before it
    /// answered anything.
    fn answered(&mut self, headers: &HeaderMap) {
        let Some(status) = Status::from_header_map(headers) else { return };
        self.code = Some(status.code());
        if self.method == REGISTER && status.code() != Code::Ok {
            let failure = from_status(&status);
            let reason = failure.reason.row().name;
            self.metrics.workers_refused.with(&[reason]).inc();
            tracing::warn!(reason, error = %failure, "worker refused");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let code = code_name(self.code.unwrap_or(Code::Cancelled));
        self.metrics.calls.open.with(&[self.method]).dec();
        self.metrics.calls.ended.with(&[self.method, code]).inc();
        let seconds = self.begun.elapsed().as_secs_f64();
        self.metrics.calls.seconds.with(&[self.method]).observe(seconds);
    }
}

/// The body of an answer, whose trailers tell how the call ended.
struct ObservedBody {
    inner: Body,
    running: Running,
}

impl fmt::Debug for ObservedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObservedBody")
    }
}

impl HttpBody for ObservedBody {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(status) = frame.trailers_ref().and_then(Status::from_header_map)
        {
            self.running.code = Some(status.code());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Returns the name of a code, as the API's documentation writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Notes in the span of the call that is under way which worker it is about.
pub(crate) fn about_worker(name: &str) {
    Span::current().record("worker_name", name);
}
