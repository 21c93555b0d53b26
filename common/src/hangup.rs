//! SIGHUP asks a process to read its configuration file again.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Catches SIGHUP from now on. Needs a runtime.
///
/// # Errors
/// The handler cannot be installed.
pub fn hangups() -> Result<Signal, Failure> {
    signal(SignalKind::hangup()).map_err(|error| {
        Failure::new(Reason::Internal, format!("cannot watch for signals: {error}"))
    })
}
