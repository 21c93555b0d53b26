//! Opens connections to stores, each within a time.
//!
//! A request that finds no connection waits for the handshakes of TCP and TLS, which take as long
//! as one request, or two. Where requests are about to come, connections are opened ahead of them.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use http::Uri;
use http::uri::{Authority, Scheme};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use object_store::{ClientConfigKey as Key, ClientOptions};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tower::Service;

use super::http_client::{addresses, flag, shuffle, time, unusable};
use super::stall::STALL_TIMEOUT;
use super::system_tls;

/// How often the other end of a silent connection is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How long bytes that were sent may stay unheard of before the connection is given up.
#[cfg(target_os = "linux")]
const UNHEARD_MAX: Duration = Duration::from_secs(30);

/// How long a connection waits for its first request. Some stores close one that is silent for
/// longer.
const AHEAD_MAX: Duration = Duration::from_secs(3);

type Inner = HttpsConnector<HttpConnector<HostAddresses>>;
type Connection = <Inner as Service<Uri>>::Response;
type ConnectError = Box<dyn StdError + Send + Sync>;

/// Connects within a time; clones share what is opened ahead.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    inner: Inner,
    /// The most that TCP and TLS take together.
    wait: Duration,
    ahead: Arc<Mutex<VecDeque<Ahead>>>,
}

/// A connection that waits for its first request.
#[derive(Debug)]
struct Ahead {
    to: (Option<Scheme>, Option<Authority>),
    since: Instant,
    opened: AbortOnDropHandle<Result<Connection, ConnectError>>,
}

impl Connector {
    /// Builds what connects as `options` say.
    ///
    /// # Errors
    /// An option that cannot be used.
    pub(super) fn build(options: &ClientOptions) -> object_store::Result<Self> {
        let is_shuffled = flag(options, Key::RandomizeAddresses);
        let mut http = HttpConnector::new_with_resolver(HostAddresses { is_shuffled });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        http.set_keepalive_interval(Some(KEEPALIVE));
        http.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        http.set_tcp_user_timeout(Some(UNHEARD_MAX));
        let wait = time(options, Key::ConnectTimeout)?;
        http.set_connect_timeout(wait);
        let config = system_tls::client_config().map_err(unusable)?;
        let https = HttpsConnectorBuilder::new().with_tls_config(config);
        let https = match flag(options, Key::AllowHttp) {
            true => https.https_or_http(),
            false => https.https_only(),
        };
        let inner = https.enable_http1().wrap_connector(http);
        Ok(Self { inner, wait: wait.unwrap_or(STALL_TIMEOUT), ahead: Arc::default() })
    }

    /// Opens connections until `count` of them wait for requests to `address`. Those that no
    /// request takes are closed soon.
    pub(super) fn open_ahead(&self, address: &Uri, count: usize) {
        let mut ahead = self.lock();
        let to = host(address);
        let waiting = ahead.iter().filter(|each| each.to == to).count();
        for _ in waiting..count {
            let opened = tokio::spawn(self.clone().connect(address.clone()));
            let (to, opened) = (to.clone(), AbortOnDropHandle::new(opened));
            ahead.push_back(Ahead { to, since: Instant::now(), opened });
        }
        let kept = Arc::downgrade(&self.ahead);
        tokio::spawn(async move {
            tokio::time::sleep(AHEAD_MAX).await;
            if let Some(kept) = kept.upgrade() {
                locked(&kept).retain(|each| each.since.elapsed() < AHEAD_MAX);
            }
        });
    }

    /// Takes the connection to `address` that was opened first.
    fn take(&self, address: &Uri) -> Option<Ahead> {
        let mut ahead = self.lock();
        let to = host(address);
        let place = ahead.iter().position(|each| each.to == to)?;
        ahead.remove(place)
    }

    async fn connect(self, address: Uri) -> Result<Connection, ConnectError> {
        let until = Instant::now() + self.wait;
        self.connect_until(address, until).await
    }

    async fn connect_until(
        mut self,
        address: Uri,
        until: Instant,
    ) -> Result<Connection, ConnectError> {
        let connected = tokio::time::timeout_at(until, self.inner.call(address));
        let late = |_| io::Error::new(ErrorKind::TimedOut, "no connection in time");
        connected.await.map_err(late)?
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Ahead>> {
        locked(&self.ahead)
    }
}

fn locked(ahead: &Mutex<VecDeque<Ahead>>) -> MutexGuard<'_, VecDeque<Ahead>> {
    ahead.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What two addresses have in common that one connection serves.
fn host(address: &Uri) -> (Option<Scheme>, Option<Authority>) {
    (address.scheme().cloned(), address.authority().cloned())
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let ahead = self.take(&uri);
        let connector = self.clone();
        Box::pin(async move {
            // The time of both together.
            let until = Instant::now() + connector.wait;
            if let Some(ahead) = ahead
                && let Ok(Ok(Ok(connection))) = tokio::time::timeout_at(until, ahead.opened).await
            {
                return Ok(connection);
            }
            connector.connect_until(uri, until).await
        })
    }
}

/// The addresses of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostAddresses {
    is_shuffled: bool,
}

impl Service<Name> for HostAddresses {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let is_shuffled = self.is_shuffled;
        Box::pin(async move {
            let mut found = addresses(name.as_str()).await?;
            if is_shuffled {
                shuffle(&mut found);
            }
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests;
