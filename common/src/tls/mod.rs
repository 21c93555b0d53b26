//! TLS on the connections between clients, workers and coordinators; the stores' own is not here.
//!
//! * [`server`]: a certificate and its key for a listener, and whom it believes.
//! * [`client`]: whom a client believes, and the certificate that it shows.
//! * `files`: PEM files → certificates and keys.
//! * `names`: the names in a client's certificate.

pub mod client;
mod files;
mod names;
pub mod server;

pub(crate) use names::names_of;
use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// The one crypto library of the path of bytes.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
