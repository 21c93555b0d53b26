//! How others speak to the driver.

use deepclone_core::failure::Failure;
use deepclone_core::ids::Epoch;
use deepclone_core::reason::Reason;
use tokio::sync::{mpsc, oneshot};

use super::message::{Message, Reply};

/// A way to the driver; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    sender: mpsc::Sender<Message>,
    epoch: Epoch,
}

impl Handle {
    pub(super) fn new(sender: mpsc::Sender<Message>, epoch: Epoch) -> Self {
        Self { sender, epoch }
    }

    /// The term of this coordinator.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Asks the driver and waits for its answer, which comes once everything before is durable.
    ///
    /// # Errors
    /// The driver's refusal, or `CoordinatorUnavailable` when it has stopped.
    pub async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Message) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let stopped =
            || Failure::new(Reason::CoordinatorUnavailable, "the coordinator is stopping");
        self.sender.send(question(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}
