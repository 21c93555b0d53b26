//! The HTTP client for services that are no stores, and for stores behind a proxy, built from the
//! options of the `object_store` crate.
//!
//! The crate builds the same client for itself and keeps it private; [`super::streaming`] needs it
//! to send bodies that the crate cannot hold. All other stores are reached by
//! [`super::direct_client`], which reads its options here.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use object_store::{ClientConfigKey as Key, ClientOptions, Error};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy};

use super::system_tls;
use crate::random;

/// How long an idle connection is kept: S3 closes one after some 20 seconds, and a request that
/// meets the close is lost.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(15);

/// Builds the client that `options` describe.
///
/// # Errors
/// An option that cannot be used.
pub(super) fn build(options: &ClientOptions) -> object_store::Result<Client> {
    // One for the whole process: whoever comes later finds it there.
    let _is_there = rustls::crypto::ring::default_provider().install_default();
    let flag = |key: Key| flag(options, key);
    let time = |key: Key| time(options, key);
    let mut builder = Client::builder()
        .user_agent(agent(options))
        .https_only(!flag(Key::AllowHttp))
        // A signature holds for one address: a redirect is named, not followed.
        .redirect(Policy::none())
        .danger_accept_invalid_certs(flag(Key::AllowInvalidCertificates))
        .pool_idle_timeout(time(Key::PoolIdleTimeout)?.unwrap_or(IDLE_MAX));
    if is_usual(options) {
        let config = system_tls::client_config().map_err(unusable)?;
        builder = builder.tls_backend_preconfigured(config);
    }
    if let Some(headers) = options.get_default_headers() {
        builder = builder.default_headers(headers.clone());
    }
    if flag(Key::NoSystemCertificates) {
        builder = builder.tls_certs_only([]);
    }
    if let Some(proxy) = options.get_config_value(&Key::ProxyUrl) {
        builder = behind(builder, options, &proxy)?;
    }
    if let Some(wait) = time(Key::ConnectTimeout)? {
        builder = builder.connect_timeout(wait);
    }
    if let Some(most) = parsed(options, Key::PoolMaxIdlePerHost, from_str)? {
        builder = builder.pool_max_idle_per_host(most);
    }
    builder = with_http2(builder, options)?;
    if flag(Key::RandomizeAddresses) {
        builder = builder.dns_resolver(ShuffledAddresses);
    }
    builder.build().map_err(refused)
}

fn with_http2(
    mut builder: ClientBuilder,
    options: &ClientOptions,
) -> object_store::Result<ClientBuilder> {
    let flag = |key: Key| flag(options, key);
    if flag(Key::Http1Only) {
        builder = builder.http1_only();
    }
    if flag(Key::Http2Only) {
        builder = builder.http2_prior_knowledge();
    }
    builder = builder.http2_keep_alive_while_idle(flag(Key::Http2KeepAliveWhileIdle));
    if let Some(interval) = time(options, Key::Http2KeepAliveInterval)? {
        builder = builder.http2_keep_alive_interval(interval);
    }
    if let Some(wait) = time(options, Key::Http2KeepAliveTimeout)? {
        builder = builder.http2_keep_alive_timeout(wait);
    }
    let frame = parsed(options, Key::Http2MaxFrameSize, from_str)?;
    Ok(builder.http2_max_frame_size(frame))
}

fn behind(
    mut builder: ClientBuilder,
    options: &ClientOptions,
    proxy: &str,
) -> object_store::Result<ClientBuilder> {
    if let Some(certificate) = options.get_config_value(&Key::ProxyCaCertificate) {
        let certificate = Certificate::from_pem(certificate.as_bytes()).map_err(refused)?;
        builder = builder.tls_certs_merge([certificate]);
    }
    let excludes = options.get_config_value(&Key::ProxyExcludes);
    let excludes = excludes.and_then(|hosts| NoProxy::from_string(&hosts));
    Ok(builder.proxy(Proxy::all(proxy).map_err(refused)?.no_proxy(excludes)))
}

/// True for a client of HTTP/1.1 that checks certificates by the system's roots, and whose options
/// name no proxy.
pub(super) fn is_usual(options: &ClientOptions) -> bool {
    let others = [Key::AllowInvalidCertificates, Key::NoSystemCertificates, Key::Http2Only];
    flag(options, Key::Http1Only)
        && options.get_config_value(&Key::ProxyUrl).is_none()
        && !others.into_iter().any(|key| flag(options, key))
}

/// How a client names itself.
pub(super) fn agent(options: &ClientOptions) -> String {
    let own = || concat!("deepclone/", env!("CARGO_PKG_VERSION")).to_owned();
    options.get_config_value(&Key::UserAgent).unwrap_or_else(own)
}

/// Whether an option is switched on.
pub(super) fn flag(options: &ClientOptions, key: Key) -> bool {
    options.get_config_value(&key).is_some_and(|value| value == "true")
}

/// An option that is a time; `None` where it is not set.
pub(super) fn time(options: &ClientOptions, key: Key) -> object_store::Result<Option<Duration>> {
    parsed(options, key, |value| humantime::parse_duration(value).ok())
}

fn refused(error: reqwest::Error) -> Error {
    unusable(error.without_url())
}

/// The error of options that cannot be used.
pub(super) fn unusable(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::Generic { store: "HTTP client", source: Box::new(error) }
}

/// The value of an option; `None` where it is not set.
pub(super) fn parsed<T>(
    options: &ClientOptions,
    key: Key,
    parse: impl Fn(&str) -> Option<T>,
) -> object_store::Result<Option<T>> {
    let Some(value) = options.get_config_value(&key) else { return Ok(None) };
    let bad = || Error::Generic {
        store: "HTTP client",
        source: format!("{} has a value that cannot be used", key.as_ref()).into(),
    };
    parse(&value).map(Some).ok_or_else(bad)
}

/// Reads an option by its type.
pub(super) fn from_str<T: FromStr>(value: &str) -> Option<T> {
    value.parse().ok()
}

/// Asks the system for the addresses of a host.
pub(super) async fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.collect())
}

/// Puts the addresses of a host in a random order: connections spread over the store's servers.
pub(super) fn shuffle(addresses: &mut [SocketAddr]) {
    addresses.sort_by_cached_key(|_| random::uuid());
}

/// The addresses of a host in a random order.
#[derive(Debug)]
struct ShuffledAddresses;

impl Resolve for ShuffledAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let mut found = addresses(name.as_str()).await?;
            shuffle(&mut found);
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
