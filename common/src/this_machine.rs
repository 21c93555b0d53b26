//! Which hosts never leave this machine: secrets go there without TLS, too.

use std::net::IpAddr;

/// Returns true for a loopback address, in the brackets of a URL or without, and for `localhost`,
/// which means one (RFC 6761).
pub(crate) fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
