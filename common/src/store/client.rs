//! The HTTP client below every store: stall time-outs, conditional completions, counters.
//!
//! A time-out over a whole request fails on slow links: a part that takes longer is sent whole
//! again and again. Here a request may take as long as its body needs at a floor rate, and an
//! answer as long as each of its frames comes in time.
//!
//! Keys that the client cannot name are cut out of each page of a listing
//! ([`crate::store::listed_keys`]), and read by their literal form ([`crate::store::literal`]).
//!
//! The `object_store` client completes a multipart upload over an existing object. S3 and Azure
//! accept `If-None-Match: *` with a completion: it is added, so that nothing is overwritten.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, HeaderValue, IF_NONE_MATCH};
use http_body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService, ReqwestConnector,
};
use tokio::time::{Instant, Sleep};

use crate::store::signing::Signing;
use crate::store::{counts, listed_keys, literal, requests};

/// The longest wait for the head of an answer once the request's body is sent, and for each frame.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The slowest rate of a request's body.
pub const FLOOR_BYTES_PER_SECOND: u64 = 64 << 10;

/// Returns how long a request with a body of `bytes` may take.
#[must_use]
pub fn deadline_for(bytes: u64) -> Duration {
    STALL_TIMEOUT + Duration::from_secs(bytes / FLOOR_BYTES_PER_SECOND)
}

/// How an upload is completed without overwriting an object.
#[derive(Clone, Copy, Debug)]
pub enum Completion {
    /// The store has no such condition.
    Overwrites,
    /// With a header that S3 does not want signed.
    S3,
    /// With a header that Azure wants signed by the account's key.
    Azure,
}

impl Completion {
    /// Adds the condition if `request` completes an upload.
    async fn make_conditional(
        self,
        request: &mut HttpRequest,
        signing: &Signing,
    ) -> Result<(), HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
        let completes = match self {
            Self::Overwrites => false,
            Self::S3 => request.method() == Method::POST && has("uploadId="),
            Self::Azure => request.method() == Method::PUT && has("comp=blocklist"),
        };
        if !completes {
            return Ok(());
        }
        request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        match self {
            Self::Azure => signing.sign(request).await,
            Self::Overwrites | Self::S3 => Ok(()),
        }
    }
}

/// Creates clients with the time-outs of this module.
#[derive(Debug)]
pub struct TimedConnector {
    /// How uploads are completed.
    pub completion: Completion,
    /// How a changed request is signed.
    pub signing: Signing,
}

impl HttpConnector for TimedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        let (completion, signing) = (self.completion, self.signing.clone());
        Ok(HttpClient::new(TimedService { inner, completion, signing }))
    }
}

#[derive(Debug)]
struct TimedService {
    inner: HttpClient,
    completion: Completion,
    signing: Signing,
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
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.completion.make_conditional(&mut request, &self.signing).await?;
        literal::name_literally(&mut request, &self.signing).await?;
        let asked = requests::extend(&mut request, &self.signing).await?;
        let lists = listed_keys::is_listing(&request);
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let limit = deadline_for(request.body().content_length() as u64);
        let answer = tokio::time::timeout(limit, self.inner.execute(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(stalled(limit)));
        counts::count(&host, &answer);
        let mut answer = answer?;
        if let Some(asked) = asked {
            asked.note(&mut answer);
        }
        let (mut parts, body) = answer.into_parts();
        let timer = Box::pin(tokio::time::sleep(STALL_TIMEOUT));
        let mut body = HttpResponseBody::new(TimedBody { inner: body, timer });
        if lists && parts.status.is_success() {
            // The client reads a page whole, too.
            body = listed_keys::nameable(body.bytes().await?).into();
            parts.headers.remove(CONTENT_LENGTH);
        }
        Ok(HttpResponse::from_parts(parts, body))
    }
}

/// A body whose frames must each come in time. The time that its reader takes does not count.
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
