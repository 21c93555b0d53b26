//! The names in a client's certificate, by which a principal is found.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Returns the names that a certificate is for, which are DNS names and URIs (as SPIFFE ids are);
/// its subject's common name is none. rustls has verified it before.
pub(crate) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    let (dns, uris) = (certificate.valid_dns_names(), certificate.valid_uri_names());
    dns.map(str::to_lowercase).chain(uris.map(ToOwned::to_owned)).collect()
}
