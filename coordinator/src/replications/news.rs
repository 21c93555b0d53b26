//! What the engine hears of its jobs.

use deepclone_core::failure::Failure;
use deepclone_core::machine::{End, JobState};
use deepclone_core::readiness::retention::SourceRetention;
use deepclone_core::unix_time::UnixTime;

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
    /// How long the source keeps what it may need; `None` before it is planned.
    pub kept: Option<SourceRetention>,
    /// When it was planned.
    pub planned: Option<UnixTime>,
}

impl JobFigures {
    /// Returns what was read since these figures, or ever.
    pub(super) fn bytes_read_since(self, before: Option<Self>) -> u64 {
        self.bytes_read.saturating_sub(before.map_or(0, |before| before.bytes_read))
    }
}

/// Says how a job stands.
pub(super) fn news_of(job: &JobSnapshot) -> JobNews {
    let progress = &job.progress;
    let figures = JobFigures {
        state: job.state,
        is_planned: has_tasks(job.state),
        bytes_total: progress.bytes_total,
        bytes_done: progress.bytes_done.saturating_add(progress.bytes_moving),
        bytes_read: progress.bytes_read,
        kept: job.note.kept,
        planned: job.phases.planned_ms.map(UnixTime),
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
