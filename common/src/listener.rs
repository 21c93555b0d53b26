//! Listeners: only on loopback, unless the operator passes `--insecure`.

use std::net::SocketAddr;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use tokio::net::TcpListener;

/// Who may reach a listener that has neither TLS nor authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Processes on this machine.
    Loopback,
    /// Anybody who reaches the address (`--insecure`).
    Anybody,
}

impl Exposure {
    /// Returns what the flag `--insecure` allows.
    #[must_use]
    pub fn from_flag(insecure: bool) -> Self {
        if insecure { Self::Anybody } else { Self::Loopback }
    }
}

/// Refuses an address beyond loopback.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the address and the flag.
pub fn check(address: SocketAddr, exposure: Exposure) -> Result<(), Failure> {
    if address.ip().is_loopback() || exposure == Exposure::Anybody {
        return Ok(());
    }
    let message = format!(
        "{address} can be reached from outside, without TLS or authentication: listen on \
         127.0.0.1, or pass --insecure"
    );
    Err(Failure::new(Reason::InvalidArgument, message))
}

/// Checks the address and listens on it; port 0 takes a free port.
///
/// # Errors
/// `INVALID_ARGUMENT` when the address is beyond loopback or cannot be bound.
pub async fn bind(address: SocketAddr, exposure: Exposure) -> Result<TcpListener, Failure> {
    check(address, exposure)?;
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Reason::InvalidArgument, format!("cannot listen on {address}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_insecure_leaves_loopback() {
        for (address, loopback) in
            [("127.0.0.1:0", true), ("[::1]:7", true), ("0.0.0.0:0", false), ("10.0.0.1:1", false)]
        {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(check(address, Exposure::from_flag(false)).is_ok(), loopback, "{address}");
            assert!(check(address, Exposure::from_flag(true)).is_ok());
        }
        let message = check("0.0.0.0:1".parse().unwrap(), Exposure::Loopback).unwrap_err().message;
        assert!(message.contains("--insecure") && message.contains("0.0.0.0:1"));
    }
}
