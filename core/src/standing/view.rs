//! What people may see of a replication: read-only, computed when asked.

use super::job::{BudgetHold, RoundJob};
use super::order::Order;
use super::record::{EndedRound, Pause, RoundCause, SkippedSlots, TableEnd, WantedRound};
use super::replication::Replication;
use super::round::{OpenRound, RoundStage, TableStage};
use super::state::Standing;
use crate::budget::{BudgetKey, HoldCause};
use crate::ids::{JobId, ReplicationId, TableNumber};
use crate::unix_time::UnixTime;

/// A replication as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct StandingView<'a> {
    pub order: &'a Order,
    pub state: StandingState,
    /// No further round begins; one under way goes on.
    pub pause: Option<Pause>,
    pub round: Option<StandingRound>,
    /// What the next round is for, if one is wanted by now.
    pub wanted: Option<WantedRound>,
    /// When the next slot starts, or the source is asked next.
    pub next: Option<UnixTime>,
    pub last_ended: Option<EndedRound>,
    pub last_skipped: Option<SkippedSlots>,
    /// How many slots were ever skipped.
    pub slots_skipped: u64,
}

/// What a replication does now; if nothing, why, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandingState {
    /// Nothing is due until then.
    Waiting {
        until: Option<UnixTime>,
    },
    /// A round is due, and the windows are closed.
    WaitingForWindow {
        opens: Option<UnixTime>,
    },
    /// A round is due, and as many as may be are under way.
    WaitingForTurn {
        since: UnixTime,
    },
    /// The source is asked which tables are behind.
    Probing,
    /// The source did not answer, and is asked again.
    ProbingAgain {
        at: UnixTime,
    },
    Copying,
    /// Jobs failed, all others are over, and the next of them is tried again then.
    Retrying {
        at: UnixTime,
    },
    /// A round is under way, and the windows are closed.
    HeldByWindow {
        opens: Option<UnixTime>,
    },
    /// A round is under way, and no job of it may go on within this budget.
    HeldByBudget {
        budget: BudgetKey,
        cause: HoldCause,
    },
    /// `None`: until somebody resumes it.
    Paused {
        until: Option<UnixTime>,
    },
    /// It is not wanted any more.
    Retired,
}

/// A round under way as people see it, with its tables counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingRound {
    pub number: u64,
    pub cause: RoundCause,
    pub began: UnixTime,
    /// Those whose job is still to be submitted.
    pub waiting: u32,
    /// Those whose job may get tasks.
    pub running: u32,
    pub held: u32,
    /// Those whose job failed and is tried again.
    pub retrying: u32,
    pub done: u32,
    pub failed: u32,
    pub cancelled: u32,
}

impl Standing {
    /// Returns a replication as it is now.
    #[must_use]
    pub fn view(&self, id: ReplicationId) -> Option<StandingView<'_>> {
        let replication = self.replications.get(&id)?;
        let record = &replication.record;
        let poll = replication.may_poll().then_some(replication.poll.at);
        Some(StandingView {
            order: &replication.order,
            state: state(replication),
            pause: record.pause,
            round: round(replication),
            wanted: record.wanted,
            next: replication.next_start().or(poll),
            last_ended: record.last_ended,
            last_skipped: record.last_skipped,
            slots_skipped: record.slots_skipped,
        })
    }

    /// Which table of which replication a job that has not ended is for.
    #[must_use]
    pub fn place_of(&self, job: JobId) -> Option<(ReplicationId, TableNumber)> {
        self.jobs.get(&job).copied()
    }
}

fn state(replication: &Replication) -> StandingState {
    let (record, opens) = (&replication.record, replication.window.until);
    if let Some(round) = &replication.round {
        return round_state(replication, round);
    }
    if record.is_retired {
        return StandingState::Retired;
    }
    if let Some(Pause { until }) = record.pause {
        return StandingState::Paused { until };
    }
    let poll = replication.may_poll().then_some(replication.poll.at);
    match record.wanted {
        None => StandingState::Waiting { until: replication.next_start().or(poll) },
        Some(_) if !replication.window.is_open => StandingState::WaitingForWindow { opens },
        Some(wanted) => StandingState::WaitingForTurn { since: wanted.since },
    }
}

fn round_state(replication: &Replication, round: &OpenRound) -> StandingState {
    let pauses = round.tables.values().filter_map(|table| match table.stage {
        TableStage::Pausing(at) => Some(at),
        TableStage::Waiting | TableStage::Submitted(_) | TableStage::Ended(_) => None,
    });
    let is_moving = round.jobs().any(RoundJob::takes_place);
    let lacks_room = round.jobs().filter(|_| !is_moving).find_map(RoundJob::lacks_room);
    match (round.stage, pauses.min()) {
        (RoundStage::Probing, _) => StandingState::Probing,
        (RoundStage::ProbeAgain(at), _) => StandingState::ProbingAgain { at },
        (RoundStage::Copying, _) if !replication.window.is_open => {
            StandingState::HeldByWindow { opens: replication.window.until }
        }
        (RoundStage::Copying, _) if let Some(BudgetHold { budget, cause }) = lacks_room => {
            StandingState::HeldByBudget { budget: budget.clone(), cause: *cause }
        }
        (RoundStage::Copying, Some(at)) if round.jobs().next().is_none() => {
            StandingState::Retrying { at }
        }
        (RoundStage::Copying, _) => StandingState::Copying,
    }
}

fn round(replication: &Replication) -> Option<StandingRound> {
    let active = replication.record.active?;
    let (mut waiting, mut running, mut held, mut retrying) = (0, 0, 0, 0);
    let (mut done, mut failed, mut cancelled) = (0, 0, 0);
    for table in replication.round.as_ref()?.tables.values() {
        match &table.stage {
            TableStage::Waiting => waiting += 1,
            TableStage::Submitted(job) if job.is_held => held += 1,
            TableStage::Submitted(_) => running += 1,
            TableStage::Pausing(_) => retrying += 1,
            TableStage::Ended(TableEnd::Done) => done += 1,
            TableStage::Ended(TableEnd::Failed) => failed += 1,
            TableStage::Ended(TableEnd::Cancelled) => cancelled += 1,
        }
    }
    let (number, cause, began) = (active.number, active.cause, active.began);
    Some(StandingRound {
        number,
        cause,
        began,
        waiting,
        running,
        held,
        retrying,
        done,
        failed,
        cancelled,
    })
}
