//! Connections to a coordinator: over TCP or TLS, with a token.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::Service;

mod credentials;

pub use credentials::DialArguments;
use credentials::TokenFile;

use crate::request_id::{self, RequestId};
use crate::this_machine::is_this_machine;
use crate::tls::client::{ClientTls, ClientTlsFiles};

/// How long a connection to a coordinator may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an idle connection is probed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// A channel to a coordinator, on which each call shows who makes it.
#[derive(Clone, Debug)]
pub struct CoordinatorChannel {
    channel: Channel,
    token: Option<Arc<TokenFile>>,
    /// The id of all its calls; `None`: the coordinator makes one for each.
    request_id: Option<HeaderValue>,
}

impl From<Channel> for CoordinatorChannel {
    /// Without a token: it leads to a coordinator of this process.
    fn from(channel: Channel) -> Self {
        Self { channel, token: None, request_id: None }
    }
}

impl Service<Request<Body>> for CoordinatorChannel {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = <Channel as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.channel, context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.header());
        }
        if let Some(id) = &self.request_id {
            request.headers_mut().insert(request_id::HEADER, id.clone());
        }
        self.channel.call(request)
    }
}

/// How a process reaches coordinators, and what it shows to them.
#[derive(Clone, Debug, Default)]
pub struct Dialer {
    tls: Option<Arc<ClientTls>>,
    token: Option<Arc<TokenFile>>,
    request_id: Option<HeaderValue>,
}

impl Dialer {
    /// Reads the files that the flags name. They are read again when they change.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the file that cannot be used.
    pub fn new(arguments: &DialArguments) -> Result<Self, Failure> {
        let DialArguments { ca_file, cert_file, key_file, token_file } = arguments.clone();
        let certificate = cert_file.zip(key_file);
        let is_asked_for = ca_file.is_some() || certificate.is_some();
        let tls = match ClientTls::new(ClientTlsFiles { authorities: ca_file, certificate }) {
            Ok(tls) => Some(Arc::new(tls)),
            Err(failure) if is_asked_for => return Err(failure),
            // A machine without authorities speaks to coordinators without TLS.
            Err(_) => None,
        };
        let token = token_file.as_deref().map(TokenFile::read).transpose()?;
        Ok(Self { tls, token: token.map(Arc::new), request_id: None })
    }

    /// Returns the same, whose calls all have this id.
    #[must_use]
    pub fn with_request_id(self, id: &RequestId) -> Self {
        Self { request_id: Some(id.header()), ..self }
    }

    /// Returns a channel to the coordinator at `url`, which is connected by its first call. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: `flag` has no URL of a coordinator, or one without TLS although there is
    /// a token to keep.
    pub fn channel(&self, flag: &str, url: &str) -> Result<CoordinatorChannel, Failure> {
        let endpoint = self.endpoint(flag, url)?;
        let channel = endpoint.connect_with_connector_lazy(self.connector());
        Ok(self.over(channel))
    }

    /// Connects to the coordinator at `url`.
    ///
    /// # Errors
    /// As [`Self::channel`]; `COORDINATOR_UNAVAILABLE` when nobody answers, or nobody who is
    /// believed.
    pub async fn connect(&self, flag: &str, url: &str) -> Result<CoordinatorChannel, Failure> {
        let endpoint = self.endpoint(flag, url)?;
        let has_tls = is_https(endpoint.uri());
        let channel = endpoint.connect_with_connector(self.connector()).await.map_err(|error| {
            let why = reason_of(&error).filter(|_| has_tls);
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let message = format!("no coordinator answers at {url}{why}");
            Failure::new(Reason::CoordinatorUnavailable, message)
        })?;
        Ok(self.over(channel))
    }

    fn over(&self, channel: Channel) -> CoordinatorChannel {
        let (token, request_id) = (self.token.clone(), self.request_id.clone());
        CoordinatorChannel { channel, token, request_id }
    }

    fn endpoint(&self, flag: &str, url: &str) -> Result<Endpoint, Failure> {
        let url = checked_url(flag, url)?;
        let bad = |why: &str| {
            let message = format!("{flag} {url:?}: {why}");
            Failure::new(Reason::InvalidArgument, message)
        };
        let endpoint = Endpoint::from_shared(url.clone()).map_err(|_| bad("it is no URL"))?;
        let uri = endpoint.uri();
        if uri.host().is_none_or(str::is_empty) {
            return Err(bad("it is no URL"));
        }
        if self.token.is_some() && !is_https(uri) && !is_loopback(uri) {
            return Err(bad("a token is sent over https:// only, or to this machine"));
        }
        if is_https(uri) && self.tls.is_none() {
            return Err(bad("no certificate authority is known: give --ca-file FILE"));
        }
        Ok(endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_while_idle(true))
    }

    fn connector(&self) -> Connector {
        Connector { tls: self.tls.clone() }
    }
}

/// Opens the connections of a channel.
#[derive(Clone, Debug)]
struct Connector {
    tls: Option<Arc<ClientTls>>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Wire>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone();
        Box::pin(async move { open(&uri, tls.as_deref()).await.map(TokioIo::new) })
    }
}

/// Returns what was typed as a URL; without a scheme it is meant without TLS.
fn checked_url(flag: &str, typed: &str) -> Result<String, Failure> {
    let invalid = |what: String| Err(Failure::new(Reason::InvalidArgument, what));
    if typed.contains('@') {
        return invalid(format!("{flag} carries credentials, which do not belong in a URL"));
    }
    match typed.split_once("://") {
        None => Ok(format!("http://{}", typed.trim_end_matches('/'))),
        Some((scheme @ ("http" | "https"), rest)) => {
            Ok(format!("{scheme}://{}", rest.trim_end_matches('/')))
        }
        Some(_) => {
            invalid(format!("{flag} {typed:?}: write http://HOST:PORT or https://HOST:PORT"))
        }
    }
}

/// A connection, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

async fn open(uri: &Uri, tls: Option<&ClientTls>) -> io::Result<Box<dyn Wire>> {
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let default = if is_https(uri) { 443 } else { 80 };
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(default))).await?;
    stream.set_nodelay(true)?;
    match tls.filter(|_| is_https(uri)) {
        None => Ok(Box::new(stream)),
        Some(tls) => {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            Ok(Box::new(tls.connector().connect(name, stream).await?))
        }
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

fn is_loopback(uri: &Uri) -> bool {
    is_this_machine(uri.host().unwrap_or_default())
}

/// The innermost reason of an error, in which TLS says whom it does not believe.
fn reason_of(error: &dyn std::error::Error) -> Option<String> {
    let mut innermost = error.source()?;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    Some(innermost.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn check(dialer: &Dialer, url: &str) -> Result<(), String> {
        dialer.endpoint("--coordinator", url).map(|_| ()).map_err(|failure| failure.message)
    }

    #[test]
    fn a_coordinator_s_url_holds_no_secret_and_a_token_goes_over_tls() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "dct_secret").unwrap();
        let token_file = Some(file.path().to_owned());
        let with_token = DialArguments { token_file, ..DialArguments::default() };
        let (plain, token) = (Dialer::default(), Dialer::new(&with_token).unwrap());
        for (url, without, with) in [
            ("http://127.0.0.1:7420/", None, None),
            ("localhost:7420", None, None),
            ("http://[::1]:7420", None, None),
            ("http://10.0.0.1:7420", None, Some("over https:// only")),
            ("coordinator:7420", None, Some("over https:// only")),
            ("ftp://host", Some("write http://HOST:PORT"), Some("write http://HOST:PORT")),
            ("http://", Some("no URL"), Some("no URL")),
            ("http://user:hunter2@host", Some("carries credentials"), Some("credentials")),
        ] {
            for (dialer, refused) in [(&plain, without), (&token, with)] {
                let checked = check(dialer, url);
                let message = checked.clone().err().unwrap_or_default();
                assert_eq!(checked.is_err(), refused.is_some(), "{url}: {message}");
                assert!(message.contains(refused.unwrap_or_default()), "{url}: {message}");
                assert!(!message.contains("hunter2"), "{message}");
            }
        }
        assert!(check(&plain, "https://host").unwrap_err().contains("--ca-file"));
        assert!(!format!("{token:?}").contains("dct_secret"));
    }

    #[test]
    fn a_token_file_holds_one_token() {
        for (text, part) in [("", "empty"), (" \n", "empty"), ("a\nb", "more than a token")] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            let failure = TokenFile::read(file.path()).unwrap_err();
            assert!(failure.message.contains(part), "{text:?}: {failure}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " dct_x\n").unwrap();
        let header = TokenFile::read(file.path()).unwrap().header();
        assert_eq!(header, "Bearer dct_x");
        assert!(header.is_sensitive());
    }
}
