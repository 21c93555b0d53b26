//! Whom a client or a worker believes, and the certificate that it shows.

use std::path::PathBuf;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::{files, provider};
use crate::reloaded::Reloaded;

/// The files of a client's TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTlsFiles {
    /// The authorities that are believed; without it, those of the operating system.
    pub authorities: Option<PathBuf>,
    /// The certificate that is shown, and its private key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// The TLS of a client. Its files are read again when they change: the next connection uses them.
#[derive(Debug)]
pub struct ClientTls(Reloaded<ClientConfig>);

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the file that cannot be used; no authority is known.
    pub fn new(of: ClientTlsFiles) -> Result<Self, Failure> {
        let mut all = Vec::from_iter(of.authorities.clone());
        all.extend(of.certificate.clone().into_iter().flat_map(|(own, key)| [own, key]));
        Reloaded::new("the client's certificate", all, move || config(&of)).map(Self)
    }

    /// Returns what opens the next connection.
    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.0.get())
    }
}

fn config(of: &ClientTlsFiles) -> Result<ClientConfig, Failure> {
    let invalid = |what: String| Failure::new(Reason::InvalidArgument, what);
    let roots = match &of.authorities {
        Some(file) => files::authorities("--ca-file", file)?,
        None => system_authorities()?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match &of.certificate {
        None => builder.with_no_client_auth(),
        Some((own, key)) => {
            let chain = files::certificates("--cert-file", own)?;
            let private = files::private_key("--key-file", key)?;
            builder.with_client_auth_cert(chain, private).map_err(|error| {
                let what = format!("it does not go with {}: {error}", key.display());
                files::invalid("--cert-file", own, &what)
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn system_authorities() -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let what = "this machine knows no certificate authority: give --ca-file FILE";
        return Err(Failure::new(Reason::InvalidArgument, what));
    }
    Ok(roots)
}
