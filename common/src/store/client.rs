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
//! accept `If-None-Match: *` with a completion, Google Cloud Storage its own condition: it is
//! added, so that nothing is overwritten.
//!
//! What an answer says of the bytes that were written is put into its extensions, and told to the
//! task that sent them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{Method, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;
use crate::store::copying::{Copying, google};
use crate::store::direct_client::DirectClient;
use crate::store::flow_body::FlowBody;
use crate::store::operation::StoreOperation;
use crate::store::signing::Signing;
use crate::store::stall::{COMPLETION_TIMEOUT, STALL_TIMEOUT, deadline_for};
use crate::store::stored_checksum::{self, Said, StoredChecksum};
use crate::store::streaming::{hear, sent_by_this_task};
use crate::store::{
    answer, bucket_request, copying, counts, http_client, listed_keys, literal, requests,
    server_clock,
};

/// The condition of Google Cloud Storage on an object's generation: 0 for none.
const IF_GENERATION_MATCH: HeaderName = HeaderName::from_static("x-goog-if-generation-match");

/// How an upload is completed without overwriting an object.
#[derive(Clone, Copy, Debug)]
pub enum Completion {
    /// With a header that S3 takes signed or not.
    S3,
    /// With a header that Azure wants signed by the account's key.
    Azure,
    /// With a header of Google Cloud Storage, whose requests a token authorizes.
    Gcs,
}

impl Completion {
    /// Returns true for a request that completes an upload.
    fn is_of(self, request: &HttpRequest) -> bool {
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
        match self {
            Self::S3 | Self::Gcs => request.method() == Method::POST && has("uploadId="),
            Self::Azure => request.method() == Method::PUT && has("comp=blocklist"),
        }
    }

    /// Where the answer to `request` says a checksum of what was written.
    fn said(self, request: &HttpRequest) -> Said {
        match self {
            _ if !self.is_of(request) => Said::of(request),
            Self::S3 => Said::InBody,
            // Azure's is of the request, which lists the blocks.
            Self::Azure => Said::Nowhere,
            Self::Gcs => Said::InHeaders,
        }
    }

    /// Adds the condition if `request` completes an upload.
    async fn make_conditional(
        self,
        request: &mut HttpRequest,
        signing: &Signing,
    ) -> Result<(), HttpError> {
        if !self.is_of(request) {
            return Ok(());
        }
        let (name, value) = match self {
            Self::S3 | Self::Azure => (IF_NONE_MATCH, "*"),
            Self::Gcs => (IF_GENERATION_MATCH, "0"),
        };
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        match self {
            Self::Azure => signing.sign(request).await,
            Self::S3 | Self::Gcs => Ok(()),
        }
    }
}

/// Creates clients with the time-outs of this module.
#[derive(Clone, Debug)]
pub struct TimedConnector {
    /// How uploads are completed.
    pub completion: Completion,
    /// How requests are signed.
    pub signing: Signing,
}

impl TimedConnector {
    fn service(&self, options: &ClientOptions) -> object_store::Result<TimedService> {
        let client = http_client::build(options)?;
        let inner = HttpClient::new(client.clone());
        let direct = DirectClient::build(options)?;
        let (completion, signing) = (self.completion, self.signing.clone());
        Ok(TimedService { direct, inner, client, completion, signing })
    }
}

impl HttpConnector for TimedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        self.service(options).map(HttpClient::new)
    }
}

/// Creates one client, with the time-outs of this module, for all handles of a store: they share
/// its connections. Clones create the same one; the options of all are those of the first.
#[derive(Clone, Debug)]
pub struct OneClient {
    connector: TimedConnector,
    created: Arc<OnceLock<Created>>,
}

#[derive(Debug)]
struct Created {
    client: HttpClient,
    direct: Option<DirectClient>,
}

impl OneClient {
    #[must_use]
    pub fn new(connector: TimedConnector) -> Self {
        Self { connector, created: Arc::default() }
    }

    /// Opens connections until `count` of them wait for requests to `address` that are about to
    /// come. They are closed soon if none comes. Must be called within a tokio runtime.
    pub fn connect_ahead(&self, address: &Uri, count: usize) {
        let direct = self.created.get().and_then(|created| created.direct.as_ref());
        if let Some(direct) = direct.filter(|direct| direct.reaches(address)) {
            direct.connect_ahead(address, count);
        }
    }
}

impl HttpConnector for OneClient {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        if let Some(created) = self.created.get() {
            return Ok(created.client.clone());
        }
        let service = self.connector.service(options)?;
        let direct = service.direct.clone();
        let created = Created { client: HttpClient::new(service), direct };
        Ok(self.created.get_or_init(|| created).client.clone())
    }
}

/// Builds a client without what this module adds: for services that are no stores.
///
/// # Errors
/// An option that cannot be used.
pub fn plain_client(options: &ClientOptions) -> object_store::Result<HttpClient> {
    Ok(HttpClient::new(http_client::build(options)?))
}

#[derive(Debug)]
struct TimedService {
    /// `None` where the options ask for what it cannot do.
    direct: Option<DirectClient>,
    /// For requests that do not go straight to the store.
    inner: HttpClient,
    /// The same client, for bodies that flow.
    client: reqwest::Client,
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
        let asks_bucket = bucket_request::ask(&mut request, &self.signing).await?;
        let copying = copying::extend(&mut request, &self.signing).await?;
        let rewriting = google::ask(&mut request, &self.signing)?;
        let lists = listed_keys::is_listing(&request);
        let purpose = match copying {
            // It, too, may say 200 before it has done anything.
            Some(_) => answer::Purpose::Post,
            None => answer::Purpose::of(&request),
        };
        let said = self.completion.said(&request);
        let completes = self.completion.is_of(&request);
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let of_copy = copying.as_ref().map(Copying::deadline).or(rewriting);
        let limit = of_copy.unwrap_or_else(|| match completes {
            true => COMPLETION_TIMEOUT,
            false => deadline_for(request.body().content_length() as u64),
        });
        let flowing = self.signed(&mut request).await?;
        let (operation, begun) = (StoreOperation::of(&request), Instant::now());
        let answer = match flowing {
            Some(body) => self.send(request, body).await,
            None => self.send_whole(request, limit).await,
        };
        counts::count(&host, operation, begun.elapsed(), &answer);
        let mut answer = answer?;
        server_clock::note(answer.headers(), Clock::System.now_ms());
        if let Some(asked) = asked {
            asked.note(&mut answer);
        }
        let (parts, body) = answer.into_parts();
        let body = TimedBody::over(body, of_copy.unwrap_or(STALL_TIMEOUT));
        let (mut parts, mut body) =
            purpose.judge(HttpResponse::from_parts(parts, body)).await?.into_parts();
        if lists && parts.status.is_success() {
            // The client reads a page whole, too.
            body = listed_keys::nameable(body.bytes().await?).into();
            parts.headers.remove(CONTENT_LENGTH);
        }
        if (asks_bucket || rewriting.is_some()) && parts.status.is_success() {
            let page = body.bytes().await?;
            bucket_request::as_an_object(&mut parts.headers, page.len());
            body = page.into();
        }
        if let Some(copying) = copying
            && parts.status.is_success()
        {
            copying.note(&mut parts, &body.bytes().await?);
            body = Bytes::new().into();
        }
        let checksum = match said {
            _ if !parts.status.is_success() => None,
            Said::Nowhere => None,
            Said::InHeaders => StoredChecksum::of_written(&parts.headers),
            Said::InBody => {
                let bytes = body.bytes().await?;
                let checksum = StoredChecksum::of_completion(&bytes);
                body = bytes.into();
                checksum
            }
        };
        if let Some(checksum) = checksum {
            parts.extensions.insert(checksum);
            hear(checksum);
        }
        Ok(HttpResponse::from_parts(parts, body))
    }
}

impl TimedService {
    /// The client that reaches this address without a proxy.
    fn direct_to(&self, uri: &Uri) -> Option<&DirectClient> {
        self.direct.as_ref().filter(|direct| direct.reaches(uri))
    }

    /// Signs a request that is whole but for its body. Returns the body if it is to flow.
    async fn signed(&self, request: &mut HttpRequest) -> Result<Option<FlowBody>, HttpError> {
        let sent = sent_by_this_task(request);
        let crc64nvme = sent.as_ref().and_then(|sent| sent.crc64nvme);
        if let Some(crc64nvme) = crc64nvme.filter(|_| self.signing.can_sign(request)) {
            stored_checksum::say(request, crc64nvme);
            self.signing.sign(request).await?;
        }
        self.signing.sign_last(request).await?;
        Ok(sent.map(|sent| sent.body))
    }

    /// Sends a request whose body is in memory, and waits for the head of its answer.
    async fn send_whole(
        &self,
        request: HttpRequest,
        limit: Duration,
    ) -> Result<HttpResponse, HttpError> {
        let answer = async {
            match self.direct_to(request.uri()) {
                Some(direct) => direct.send(request).await,
                None => self.inner.execute(request).await,
            }
        };
        let answer = tokio::time::timeout(limit, answer).await;
        answer.unwrap_or_else(|_| Err(stalled(limit)))
    }

    /// Sends a request with this body instead of its own.
    async fn send(&self, request: HttpRequest, body: FlowBody) -> Result<HttpResponse, HttpError> {
        let progress = body.progress();
        let (parts, _stand_in) = request.into_parts();
        let request = http::Request::from_parts(parts, body);
        let answer = async {
            match self.direct_to(request.uri()) {
                Some(direct) => direct.send_flow(request).await,
                None => self.send_by_proxy(request).await,
            }
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            after = progress.stalled() => Err(stalled(after)),
        }
    }

    /// Sends a body that flows by the client that knows proxies.
    async fn send_by_proxy(
        &self,
        request: http::Request<FlowBody>,
    ) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse();
        let url = url.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let answer = self.client.execute(request).await.map_err(failed)?;
        let (parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(failed))))
    }
}

/// What a request whose body flows failed of. It may have been done.
fn failed(error: reqwest::Error) -> HttpError {
    let kind = match error.is_connect() {
        true => HttpErrorKind::Connect,
        false => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error.without_url())
}

/// A body whose frames must each come in time. The time that its reader takes does not count.
struct TimedBody {
    inner: HttpResponseBody,
    timer: Pin<Box<Sleep>>,
    /// The longest wait for a frame.
    limit: Duration,
}

impl TimedBody {
    fn over(inner: HttpResponseBody, limit: Duration) -> HttpResponseBody {
        let timer = Box::pin(tokio::time::sleep(limit));
        HttpResponseBody::new(Self { inner, timer, limit })
    }
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
            let next = Instant::now() + self.limit;
            self.timer.as_mut().reset(next);
            return Poll::Ready(frame);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(stalled(self.limit)))),
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
