//! Follows the jobs of replications, and tells the engine what becomes of them.

use std::sync::Arc;

use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::machine::{End, JobState};
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::mpsc;

use super::message::EngineMessage;
use crate::driver::Handle;
use crate::driver::message::Message;
use crate::driver::snapshot::JobSnapshot;

/// What became of a job.
#[derive(Clone, Debug)]
pub enum JobNews {
    /// It is under way.
    Moved(JobFigures),
    Ended {
        end: End,
        figures: JobFigures,
        /// When it was created: its plan is not older.
        created: UnixTime,
    },
    /// It cannot be followed.
    Lost(Failure),
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobFigures {
    pub state: JobState,
    /// Whether its plan is made: the totals count from then on.
    pub is_planned: bool,
    pub bytes_total: u64,
    /// At the target, or on their way there.
    pub bytes_done: u64,
    /// Read from the source, repeats included.
    pub bytes_read: u64,
}

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

fn news_of(job: &JobSnapshot) -> JobNews {
    let progress = &job.progress;
    let figures = JobFigures {
        state: job.state,
        is_planned: has_tasks(job.state),
        bytes_total: progress.bytes_total,
        bytes_done: progress.bytes_done.saturating_add(progress.bytes_moving),
        bytes_read: progress.bytes_read,
    };
    match &job.end {
        Some(end) => {
            JobNews::Ended { end: end.clone(), figures, created: UnixTime(job.created_ms) }
        }
        None => JobNews::Moved(figures),
    }
}

/// True when the job's tasks are known. After a restart a job may have been planned before, and its
/// tasks are known once it is planned again.
fn has_tasks(state: JobState) -> bool {
    match state {
        JobState::Copying
        | JobState::WaitingForWorkers
        | JobState::Held
        | JobState::Publishing
        | JobState::Succeeded => true,
        JobState::Queued
        | JobState::Planning
        | JobState::Failed
        | JobState::Cancelling
        | JobState::Cancelled => false,
    }
}
