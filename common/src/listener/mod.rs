//! Listeners: beyond loopback only with TLS and known principals, unless the operator passes
//! `--insecure`.
//!
//! * `incoming`: accepted connections, each after its TLS handshake.
//! * `peer`: who is at the other end, as far as the connection says.

mod incoming;
mod peer;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
pub use incoming::Incoming;
pub use peer::Peer;
pub use stream::ServedStream;
use tokio::net::TcpListener;

use crate::tls::server::ServerTls;

/// Who may reach a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Processes on this machine: it has no TLS, or asks nobody who they are.
    Loopback,
    /// Those who reach the address, for it has TLS, and asks who they are.
    Guarded,
    /// Anybody who reaches the address (`--insecure`).
    Anybody,
}

impl Exposure {
    /// Returns who may reach a listener that `has_tls`, and `knows_callers`, with the flag
    /// `--insecure` or without.
    #[must_use]
    pub fn of(has_tls: bool, knows_callers: bool, insecure: bool) -> Self {
        match (has_tls && knows_callers, insecure) {
            (true, _) => Self::Guarded,
            (false, true) => Self::Anybody,
            (false, false) => Self::Loopback,
        }
    }
}

/// Refuses an address beyond loopback.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the address and what is missing.
pub fn check(address: SocketAddr, exposure: Exposure) -> Result<(), Failure> {
    if address.ip().is_loopback() || exposure != Exposure::Loopback {
        return Ok(());
    }
    let message = format!(
        "{address} can be reached from outside: that takes TLS and authentication ([tls] and \
         [access] of the configuration), or --insecure; or listen on 127.0.0.1"
    );
    Err(Failure::new(Reason::InvalidArgument, message))
}

/// A socket that listens, and the TLS of its connections.
#[derive(Debug)]
pub struct BoundListener {
    tcp: TcpListener,
    tls: Option<Arc<ServerTls>>,
    address: SocketAddr,
}

impl BoundListener {
    /// Checks the address and listens on it; port 0 takes a free port.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the address is beyond loopback or cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        exposure: Exposure,
        tls: Option<ServerTls>,
    ) -> Result<Self, Failure> {
        check(address, exposure)?;
        let failed = |error: std::io::Error| {
            Failure::new(Reason::InvalidArgument, format!("cannot listen on {address}: {error}"))
        };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self { tcp, tls: tls.map(Arc::new), address })
    }

    /// The address, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Begins to accept connections.
    #[must_use]
    pub fn accept(self) -> Incoming {
        Incoming::start(self.tcp, self.tls, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_with_known_callers_or_insecure_leaves_loopback() {
        for (address, is_loopback) in
            [("127.0.0.1:0", true), ("[::1]:7", true), ("0.0.0.0:0", false), ("10.0.0.1:1", false)]
        {
            let address: SocketAddr = address.parse().unwrap();
            for (has_tls, knows_callers, insecure, is_free) in [
                (false, false, false, false),
                (true, false, false, false),
                (false, true, false, false),
                (true, true, false, true),
                (false, false, true, true),
                (true, true, true, true),
            ] {
                let exposure = Exposure::of(has_tls, knows_callers, insecure);
                let allowed = check(address, exposure).is_ok();
                assert_eq!(allowed, is_loopback || is_free, "{address} {exposure:?}");
            }
        }
        let message = check("0.0.0.0:1".parse().unwrap(), Exposure::Loopback).unwrap_err().message;
        for part in ["--insecure", "0.0.0.0:1", "[tls]", "[access]"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
