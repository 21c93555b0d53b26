//! PEM files → certificates and keys. No error shows what stands in one.

use std::path::Path;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reads a chain of certificates, the own one first.
pub(super) fn certificates(
    key: &str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let text = read(key, file)?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(invalid(key, file, "it holds no certificate in PEM")),
    }
}

/// Reads a private key.
pub(super) fn private_key(key: &str, file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let text = read(key, file)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| invalid(key, file, "it holds no private key in PEM"))
}

/// Reads the certificates of authorities that are believed.
pub(super) fn authorities(key: &str, file: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(key, file)? {
        roots.add(certificate).map_err(|_| invalid(key, file, "a certificate is malformed"))?;
    }
    Ok(roots)
}

fn read(key: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| invalid(key, file, &format!("it cannot be read: {error}")))
}

/// Returns the error of a setting that names this file.
pub(super) fn invalid(key: &str, file: &Path, what: &str) -> Failure {
    Failure::new(Reason::InvalidArgument, format!("{key} {}: {what}", file.display()))
}
