//! Everything that the scheduler of standing replications can ask for: a closed vocabulary.

use super::fact::StandingFact;
use super::upkeep::UpkeepKind;
use super::violation::StandingViolation;
use crate::budget::{BudgetKey, HoldCause};
use crate::ids::{JobId, ReplicationId, TableNumber};

/// What the driver is to do. It makes every [`StandingAction::Record`] of a step durable in one
/// transaction before it does any other action of that step.
#[derive(Clone, Debug, PartialEq)]
pub enum StandingAction {
    /// Makes a fact durable.
    Record(StandingFact),
    /// Asks the source which tables are behind. Ends in `Probed`, in bounded time.
    Probe { replication: ReplicationId, round: u64 },
    /// Asks the source whether it changed: as a probe, but outside of a round. Ends in `Polled`, in
    /// bounded time.
    Poll { replication: ReplicationId },
    /// Submits a job. Of one that is known already, the newest `JobSent`, then the newest
    /// `JobPlanned` or `JobEnded` comes again, and nothing else changes.
    Submit {
        replication: ReplicationId,
        /// That under way, or an earlier one that ended while a budget held the job.
        round: u64,
        table: TableNumber,
        job: JobId,
        /// It is planned, and gets no tasks before it is released.
        held: bool,
    },
    /// The job gets no new tasks. What is in flight goes on.
    Hold { job: JobId, why: HoldReason },
    /// The job gets tasks again.
    Release { job: JobId },
    /// What is in flight of a held job is given back, without a penalty.
    Recall { job: JobId },
    /// The job copies at this rate, in bytes per second; `None`: at any rate again.
    SlowTo { job: JobId, rate: Option<u64> },
    /// Tells the owner of a budget that the job goes on past its limit.
    Alert { job: JobId, budget: BudgetKey, cause: HoldCause },
    /// Audits or vacuums the replica of a table. Ends in `UpkeepEnded`.
    Upkeep { replication: ReplicationId, table: TableNumber, kind: UpkeepKind },
    /// Logs that a rule of the scheduler does not hold.
    Violated(StandingViolation),
}

/// Why a job may get no tasks for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// The replication's windows are closed.
    Window,
    /// What it will cost is not known yet, and it falls under budgets.
    NotPlanned,
    /// A budget is used up, or the job does not fit into what is left of it.
    Budget { budget: BudgetKey, cause: HoldCause },
}
