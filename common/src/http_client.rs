//! What lies between every store and the network: stall time-outs, and the place where it counts.
//!
//! A time-out over a whole request punishes slow links: a part that takes longer is sent again and
//! again, whole. Here a request may take as long as its body needs at the floor rate, and an answer
//! as long as each of its frames comes in time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService, ReqwestConnector,
};
use tokio::time::{Instant, Sleep};

use crate::store_counts;

/// The longest wait for the head of an answer once the request's body is sent, and for each frame.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A body slower than this is given up.
pub const FLOOR_BYTES_PER_SECOND: u64 = 64 << 10;

/// How long `bytes` may take before they are given up.
#[must_use]
pub fn deadline_for(bytes: u64) -> Duration {
    STALL_TIMEOUT + Duration::from_secs(bytes / FLOOR_BYTES_PER_SECOND)
}

/// Makes clients with the time-outs of this module.
#[derive(Debug)]
pub struct TimedConnector;

impl HttpConnector for TimedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(TimedService { inner }))
    }
}

#[derive(Debug)]
struct TimedService {
    inner: HttpClient,
}

#[derive(Debug, thiserror::Error)]
#[error("the store did not answer in {seconds} s")]
struct Stalled {
    seconds: u64,
}

fn stalled(after: Duration) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Stalled { seconds: after.as_secs() })
}

#[async_trait::async_trait]
impl HttpService for TimedService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let limit = deadline_for(request.body().content_length() as u64);
        let answer = tokio::time::timeout(limit, self.inner.execute(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(stalled(limit)));
        store_counts::count(&host, &answer);
        let (parts, body) = answer?.into_parts();
        let timer = Box::pin(tokio::time::sleep(STALL_TIMEOUT));
        let body = HttpResponseBody::new(TimedBody { inner: body, timer });
        Ok(HttpResponse::from_parts(parts, body))
    }
}

/// A body whose frames must each come in time; the time that its reader takes does not count.
struct TimedBody {
    inner: HttpResponseBody,
    timer: Pin<Box<Sleep>>,
}

impl fmt::Debug for TimedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimedBody")
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.timer.as_mut().reset(Instant::now() + STALL_TIMEOUT);
            return Poll::Ready(frame);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(stalled(STALL_TIMEOUT)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
