//! What a listener shows to those who connect, and whom it believes.

use std::path::PathBuf;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio_rustls::TlsAcceptor;

use super::{files, provider};
use crate::reloaded::Reloaded;

/// The files of a listener's TLS, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTlsFiles {
    /// The certificate, then those between it and an authority that clients believe.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// The authorities of clients' certificates; without them no client shows one.
    pub client_authorities: Option<PathBuf>,
}

/// What is spoken over a listener's TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/2, as gRPC does.
    Http2,
    /// HTTP/1.1, as browsers of the pages do.
    Http1,
}

/// The TLS of a listener. Its files are read again when they change: connections that are open
/// stay as they are.
#[derive(Debug)]
pub struct ServerTls(Reloaded<ServerConfig>);

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the file that cannot be used.
    pub fn new(files: ServerTlsFiles, spoken: Spoken) -> Result<Self, Failure> {
        let ServerTlsFiles { certificate, key, client_authorities } = files.clone();
        let mut all = vec![certificate, key];
        all.extend(client_authorities);
        let load = move || config(&files, spoken);
        Reloaded::new("the listener's certificate", all, load).map(Self)
    }

    /// Returns what accepts the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.get())
    }
}

fn config(of: &ServerTlsFiles, spoken: Spoken) -> Result<ServerConfig, Failure> {
    let chain = files::certificates("tls.cert_file", &of.certificate)?;
    let key = files::private_key("tls.key_file", &of.key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| files::invalid("tls.cert_file", &of.certificate, &error.to_string()))?;
    let builder = match client_verifier(of)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        let what = format!("it does not go with {}: {error}", of.key.display());
        files::invalid("tls.cert_file", &of.certificate, &what)
    })?;
    let protocol: &[u8] = match spoken {
        Spoken::Http2 => b"h2",
        Spoken::Http1 => b"http/1.1",
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

/// Clients may show a certificate, or a token instead: who they are is decided by each request.
fn client_verifier(of: &ServerTlsFiles) -> Result<Option<Arc<dyn ClientCertVerifier>>, Failure> {
    const KEY: &str = "tls.client_ca_file";
    let Some(file) = &of.client_authorities else { return Ok(None) };
    let roots = Arc::new(files::authorities(KEY, file)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| files::invalid(KEY, file, &error.to_string()))?;
    Ok(Some(verifier))
}
