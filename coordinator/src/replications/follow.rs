//! Follows the jobs of replications, and tells the engine what becomes of them.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::reason::Reason;
use tokio::sync::mpsc;

use super::message::EngineMessage;
use super::news::{JobNews, news_of};
use crate::driver::Handle;
use crate::driver::message::Message;

/// Follows a job to its end.
pub(super) async fn follow(driver: Handle, job: JobId, engine: mpsc::Sender<EngineMessage>) {
    let news = |news| engine.send(EngineMessage::Job(job, news));
    let mut changes = match driver.ask(|reply| Message::Watch(job, reply)).await {
        Ok(changes) => changes,
        Err(failure) => {
            let _stopped = news(JobNews::Lost(failure)).await;
            return;
        }
    };
    loop {
        let now = Arc::clone(&changes.borrow_and_update());
        let told = news_of(&now);
        let is_over = matches!(told, JobNews::Ended { .. });
        if news(told).await.is_err() || is_over {
            return;
        }
        if changes.changed().await.is_err() {
            let message = "the coordinator is stopping";
            let stopping = Failure::new(Reason::CoordinatorUnavailable, message);
            let _stopped = news(JobNews::Lost(stopping)).await;
            return;
        }
    }
}
