//! Waits for Ctrl-C and SIGTERM, repeatedly.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The most interrupts that wait to be handled; more of them mean nothing new.
const WAITING_MAX: usize = 4;

/// The signals that ask this process to end. Once created, they no longer kill it.
#[derive(Debug)]
pub struct Interrupts {
    arrived: mpsc::Receiver<()>,
}

impl Interrupts {
    /// Installs a handler for both signals. Needs a runtime.
    ///
    /// # Errors
    /// `INTERNAL` when the handlers cannot be installed.
    pub fn catch() -> Result<Self, Failure> {
        let refused = |error| {
            Failure::new(
                Reason::Internal,
                format!("the signal handlers cannot be installed: {error}"),
            )
        };
        let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
        let (tell, interrupts) = Self::by_hand();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    () = tell.closed() => return,
                }
                // Full: earlier interrupts wait to be handled, and mean the same.
                let _ = tell.try_send(());
            }
        });
        Ok(interrupts)
    }

    /// Returns interrupts that come from the sender instead of the system.
    #[must_use]
    pub fn by_hand() -> (mpsc::Sender<()>, Self) {
        let (sender, arrived) = mpsc::channel(WAITING_MAX);
        (sender, Self { arrived })
    }

    /// Waits for the next interrupt. Is safe to cancel.
    pub async fn next(&mut self) {
        if self.arrived.recv().await.is_none() {
            // The senders are gone: no interrupt can come.
            std::future::pending::<()>().await;
        }
    }
}
