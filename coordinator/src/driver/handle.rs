//! How the rest of the process reaches the driver.

use deepclone_core::failure::Failure;
use deepclone_core::ids::Epoch;
use deepclone_core::reason::Reason;
use tokio::sync::{mpsc, oneshot};

use super::message::{Message, Reply};

/// Sends messages to the driver; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    sender: mpsc::Sender<Message>,
    epoch: Epoch,
}

impl Handle {
    pub(super) fn new(sender: mpsc::Sender<Message>, epoch: Epoch) -> Self {
        Self { sender, epoch }
    }

    /// Returns the epoch in which this coordinator leads.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Sends a request and waits for its answer, which comes once the facts of its turn are
    /// durable.
    ///
    /// # Errors
    /// Why the driver refuses it, or `CoordinatorUnavailable` when the driver has stopped.
    pub async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Message) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let stopped =
            || Failure::new(Reason::CoordinatorUnavailable, "the coordinator is stopping");
        self.sender.send(request(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}
