//! Ctrl-C and SIGTERM as something that can be waited for, once and again.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask this process to end. From its making on they no longer kill it.
#[derive(Debug)]
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Takes over both signals.
    ///
    /// # Errors
    /// `INTERNAL` when the system refuses.
    pub fn catch() -> Result<Self, Failure> {
        let take = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Reason::Internal, format!("signals cannot be caught: {error}"))
            })
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
        })
    }

    /// The next one. May be dropped and waited for again.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
