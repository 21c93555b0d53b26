//! Who is at the other end of a connection, as far as it says.

use std::net::SocketAddr;
use std::sync::Arc;

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it connected from; `None` inside one process.
    pub address: Option<SocketAddr>,
    /// The names in its verified certificate; none without one.
    pub names: Arc<[String]>,
}

impl Peer {
    /// A peer without a certificate.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address: Some(address), names: Arc::new([]) }
    }
}
