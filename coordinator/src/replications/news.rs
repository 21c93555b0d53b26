//! What the engine hears of its jobs.

use deepclone_core::budget::Cost;
use deepclone_core::failure::Failure;
use deepclone_core::ids::JobId;
use deepclone_core::machine::{End, JobState};
use deepclone_core::money::Money;
use deepclone_core::readiness::retention::SourceRetention;
use deepclone_core::standing::StandingEvent;
use deepclone_core::unix_time::UnixTime;

use crate::costs::priced::Priced;
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFigures {
    pub state: JobState,
    /// Whether its plan is made: the totals count from then on.
    pub is_planned: bool,
    pub bytes_total: u64,
    /// At the target, or on their way there.
    pub bytes_done: u64,
    /// Of objects, read from the source, repeats included, and what workers may have read that were
    /// lost.
    pub bytes_read: u64,
    /// These, and what was read of the source's log.
    pub bytes_sent: u64,
    /// How long the source keeps what it may need; `None` before it is planned.
    pub kept: Option<SourceRetention>,
    /// When it was planned.
    pub planned: Option<UnixTime>,
    /// What that and the logs cost. `None` while nothing is known to have been read.
    pub cost: Option<Priced>,
    /// What the rest of the plan will cost.
    pub ahead: Option<Money>,
}

impl JobFigures {
    /// Returns what was read since these figures, or ever.
    pub(super) fn bytes_read_since(&self, before: Option<&Self>) -> u64 {
        self.bytes_read.saturating_sub(before.map_or(0, |before| before.bytes_read))
    }

    /// Returns what was spent since these figures, or ever; `None` while that is not known.
    pub(super) fn spent_since(&self, before: Option<&Self>) -> Option<Money> {
        let now = self.spent().money?;
        let before = before.and_then(|before| before.spent().money);
        let before = before.filter(|before| before.currency == now.currency);
        let micros = now.micros.saturating_sub(before.map_or(0, |before| before.micros));
        Some(Money { micros: micros.max(0), ..now })
    }

    /// What the scheduler is told of a job whose figures were others before.
    pub(super) fn events_since(&self, job: JobId, before: Option<&Self>) -> Vec<StandingEvent> {
        let mut events = Vec::new();
        let nothing = Cost { bytes: 0, money: None };
        let total = self.spent();
        if total != before.map_or(nothing, Self::spent) {
            events.push(StandingEvent::JobSent { job, total });
        }
        if self.is_planned && !before.is_some_and(|before| before.is_planned) {
            events.push(StandingEvent::JobPlanned { job, cost: self.to_come() });
        }
        events
    }

    /// What the job has cost since it began.
    pub(super) fn spent(&self) -> Cost {
        Cost { bytes: self.bytes_sent, money: self.cost.as_ref().and_then(Priced::money) }
    }

    /// What it will cost beyond that: it may have been half done.
    pub(super) fn to_come(&self) -> Cost {
        Cost { bytes: self.bytes_total.saturating_sub(self.bytes_done), money: self.ahead }
    }
}

/// Says how a job stands.
pub(super) fn news_of(job: &JobSnapshot) -> JobNews {
    let progress = &job.progress;
    let bytes_read = progress.bytes_read.saturating_add(progress.bytes_unreported);
    let with_logs = job.sent.as_ref().map_or(0, |sent| sent.traffic.bytes);
    let figures = JobFigures {
        state: job.state,
        is_planned: has_tasks(job.state),
        bytes_total: progress.bytes_total,
        bytes_done: progress.bytes_done.saturating_add(progress.bytes_moving),
        bytes_read,
        bytes_sent: with_logs.max(bytes_read),
        kept: job.note.kept,
        planned: job.phases.planned_ms.map(UnixTime),
        cost: job.sent.as_ref().map(|sent| sent.cost.clone()),
        ahead: job.ahead.as_ref().and_then(Priced::money),
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

#[cfg(test)]
mod tests {
    use deepclone_core::money::Currency;

    use super::*;

    fn figures(bytes_read: u64, micros: Option<i64>) -> JobFigures {
        let cost = micros.map(|micros| Priced::Known {
            money: Money { micros, currency: Currency::EUR },
            price_table: String::new(),
        });
        JobFigures {
            state: JobState::Copying,
            is_planned: true,
            bytes_total: 0,
            bytes_done: 0,
            bytes_read,
            bytes_sent: bytes_read,
            kept: None,
            planned: None,
            cost,
            ahead: None,
        }
    }

    #[test]
    fn what_was_sent_since_is_the_difference_and_never_less_than_nothing() {
        for (before, now, bytes, micros) in [
            (None, (5, Some(50)), 5, Some(50)),
            (Some((2, Some(20))), (5, Some(50)), 3, Some(30)),
            (Some((2, None)), (5, Some(50)), 3, Some(50)),
            (Some((2, Some(20))), (5, None), 3, None),
            (Some((9, Some(90))), (5, Some(50)), 0, Some(0)),
        ] {
            let before = before.map(|(bytes, micros)| figures(bytes, micros));
            let now = figures(now.0, now.1);
            let spent = now.spent_since(before.as_ref()).map(|money| money.micros);
            assert_eq!((now.bytes_read_since(before.as_ref()), spent), (bytes, micros));
        }
    }
}
