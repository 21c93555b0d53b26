//! The client for stores that nothing but a connection is between.
//!
//! A body that flows is sent once the store says that it wants it (`Expect: 100-continue`, RFC
//! 9110, section 10.1.1). A store that refuses a write, because it is busy, has the object or does
//! not allow it, says so before: nothing is sent in vain, and nothing has to be read again from the
//! source. While the store makes up its mind the read can begin.
//!
//! The client of the `reqwest` crate does not show the interim answer, so this one is that of the
//! `hyper-util` crate, which is below it. What only `reqwest` knows (proxies, certificates that are
//! not checked) goes by that, and its bodies do not wait.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future;
use http::header::{EXPECT, HeaderMap, HeaderValue, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
};
use object_store::{ClientConfigKey as Key, ClientOptions};

use super::connector::Connector;
use super::flow_body::FlowBody;
use super::http_client::{self, IDLE_MAX, from_str, is_usual, parsed, time};

/// How long a store may take to say that it wants a body, before the body is sent all the same.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// Nothing is known of the store's interim answers.
const UNKNOWN: u8 = 0;
/// The store has given one.
const GIVEN: u8 = 1;
/// The store gave none in time, or refused to: it is not asked any more.
const NOT_GIVEN: u8 = 2;

/// A client without proxies.
#[derive(Clone, Debug)]
pub(super) struct DirectClient {
    client: Client<Connector, Sent>,
    connector: Connector,
    /// The proxies of the environment, which the other client uses.
    proxies: Arc<Matcher>,
    headers: HeaderMap,
    /// [`UNKNOWN`], [`GIVEN`] or [`NOT_GIVEN`].
    interim: Arc<AtomicU8>,
}

impl DirectClient {
    /// Builds the client that `options` describe; `None` where they ask for what it cannot do.
    ///
    /// # Errors
    /// An option that cannot be used.
    pub(super) fn build(options: &ClientOptions) -> object_store::Result<Option<Self>> {
        if !is_usual(options) {
            return Ok(None);
        }
        let connector = Connector::build(options)?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new());
        builder.pool_idle_timeout(time(options, Key::PoolIdleTimeout)?.unwrap_or(IDLE_MAX));
        if let Some(most) = parsed(options, Key::PoolMaxIdlePerHost, from_str)? {
            builder.pool_max_idle_per_host(most);
        }
        let mut headers = options.get_default_headers().cloned().unwrap_or_default();
        if let Ok(agent) = HeaderValue::from_str(&http_client::agent(options)) {
            headers.entry(USER_AGENT).or_insert(agent);
        }
        Ok(Some(Self {
            client: builder.build(connector.clone()),
            connector,
            proxies: Arc::new(Matcher::from_system()),
            headers,
            interim: Arc::new(AtomicU8::new(UNKNOWN)),
        }))
    }

    /// True when nothing but a connection is between here and the store.
    pub(super) fn reaches(&self, uri: &Uri) -> bool {
        self.proxies.intercept(uri).is_none()
    }

    /// Opens connections to `address` for requests that are about to come.
    pub(super) fn connect_ahead(&self, address: &Uri, count: usize) {
        self.connector.open_ahead(address, count);
    }

    /// Sends a request whose body is in memory, and waits for the head of the answer.
    ///
    /// # Errors
    /// No connection, or one that broke. The request may have been done.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.client.request(self.named(request.map(Sent::Whole))).await;
        Ok(heard(answer.map_err(|error| failed(error.is_connect(), error))?))
    }

    /// Sends a request whose body flows, the body once the store wants it.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(super) async fn send_flow(
        &self,
        request: Request<FlowBody>,
    ) -> Result<HttpResponse, HttpError> {
        let supply = request.body().supply();
        let mut request = self.named(request.map(Sent::Flow));
        let asks = self.interim.load(Ordering::Relaxed) != NOT_GIVEN;
        if asks {
            supply.hold_back();
            request.headers_mut().insert(EXPECT, HeaderValue::from_static("100-continue"));
            let (wanted, interim) = (Arc::clone(&supply), Arc::clone(&self.interim));
            hyper::ext::on_informational(&mut request, move |answer| {
                if answer.status() == StatusCode::CONTINUE {
                    interim.store(GIVEN, Ordering::Relaxed);
                    wanted.release();
                }
            });
        }
        let patience = async {
            supply.asked().await;
            tokio::time::sleep(CONTINUE_WAIT).await;
            if supply.release() {
                let (from, to, order) = (UNKNOWN, NOT_GIVEN, Ordering::Relaxed);
                // Unless another request has heard one.
                let _known = self.interim.compare_exchange(from, to, order, order);
            }
            future::pending().await
        };
        let answer = tokio::select! {
            biased;
            answer = self.client.request(request) => answer,
            answer = patience => answer,
        };
        let answer = answer.map_err(|error| match error.is_connect() {
            true => HttpError::new(HttpErrorKind::Connect, error),
            false => HttpError::new(HttpErrorKind::Interrupted, error),
        })?;
        if asks && answer.status() == StatusCode::EXPECTATION_FAILED {
            self.interim.store(NOT_GIVEN, Ordering::Relaxed);
            return Err(HttpError::new(HttpErrorKind::Interrupted, NoInterim));
        }
        Ok(heard(answer))
    }

    /// The request with the headers that every one has.
    fn named(&self, mut request: Request<Sent>) -> Request<Sent> {
        for (name, value) in &self.headers {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        request
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the store does not know 'Expect: 100-continue'")]
struct NoInterim;

fn heard(answer: Response<Incoming>) -> HttpResponse {
    let (parts, body) = answer.into_parts();
    let body = HttpResponseBody::new(body.map_err(|error| failed(false, error)));
    HttpResponse::from_parts(parts, body)
}

/// What a request failed of, in the kinds by which the `object_store` client judges it: they are
/// those that it gives to errors of its own client.
fn failed(is_connect: bool, error: impl StdError + Send + Sync + 'static) -> HttpError {
    let mut kind = match is_connect {
        true => HttpErrorKind::Connect,
        false => HttpErrorKind::Unknown,
    };
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let (HttpErrorKind::Unknown, Some(error)) = (kind, cause) {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted() {
                kind = HttpErrorKind::Request;
            } else if error.is_timeout() {
                kind = HttpErrorKind::Timeout;
            }
        }
        kind = match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(ErrorKind::TimedOut) => HttpErrorKind::Timeout,
            Some(
                ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof,
            ) => HttpErrorKind::Interrupted,
            _ => kind,
        };
        cause = error.source();
    }
    HttpError::new(kind, error)
}

/// The body of a request.
enum Sent {
    Whole(HttpRequestBody),
    Flow(FlowBody),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Flow(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Flow(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Flow(body) => body.size_hint(),
        }
    }
}
