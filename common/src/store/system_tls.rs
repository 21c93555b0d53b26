//! TLS to stores whose certificates the system's roots have signed.
//!
//! The roots are some hundred files, whose reading takes longer than a request to a store next
//! door. They are read once for all clients that are built at about the same time, and again for
//! those that are built later, as after a change of the connections: certificates may have changed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, Error};

/// How long the roots that were read serve new clients.
const FRESH: Duration = Duration::from_secs(10);

/// A client's side of TLS, without protocols to choose from.
///
/// # Errors
/// The system has no certificates that can be used.
pub(super) fn client_config() -> Result<ClientConfig, Error> {
    static READ: Mutex<Option<(Instant, ClientConfig)>> = Mutex::new(None);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, config)) = &*read
        && at.elapsed() < FRESH
    {
        return Ok(config.clone());
    }
    let config = ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth();
    *read = Some((Instant::now(), config.clone()));
    Ok(config)
}
