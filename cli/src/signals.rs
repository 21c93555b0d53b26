//! Ctrl-C and SIGTERM as something that can be waited for, once and again.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Interrupts that wait to be looked at; more of them than this say nothing new.
const WAITING_MAX: usize = 4;

/// The signals that ask this process to end. From its making on they no longer kill it.
#[derive(Debug)]
pub struct Interrupts {
    arrived: mpsc::Receiver<()>,
}

impl Interrupts {
    /// Takes over both signals. Call it inside a runtime.
    ///
    /// # Errors
    /// `INTERNAL` when the system refuses.
    pub fn catch() -> Result<Self, Failure> {
        let refused =
            |error| Failure::new(Reason::Internal, format!("signals cannot be caught: {error}"));
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
                // Full: nobody has looked at the ones before, which say the same.
                let _ = tell.try_send(());
            }
        });
        Ok(interrupts)
    }

    /// Interrupts that come from the sender instead of from the system.
    #[must_use]
    pub fn by_hand() -> (mpsc::Sender<()>, Self) {
        let (sender, arrived) = mpsc::channel(WAITING_MAX);
        (sender, Self { arrived })
    }

    /// The next one. May be dropped and waited for again.
    pub async fn next(&mut self) {
        if self.arrived.recv().await.is_none() {
            // None can come any more.
            std::future::pending::<()>().await;
        }
    }
}
