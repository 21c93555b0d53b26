//! A job of a round: whether it is held, and what its budgets say.

use super::action::HoldReason;
use crate::budget::{BudgetKey, Cost, HoldCause};
use crate::ids::JobId;
use crate::unix_time::UnixTime;

/// A job that was submitted and has not ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RoundJob {
    pub(super) id: JobId,
    /// As the driver was told.
    pub(super) is_held: bool,
    pub(super) is_recalled: bool,
    pub(super) budget: JobBudget,
    /// The rate that the driver was told; `None`: any.
    pub(super) rate: Option<u64>,
    /// The rate that its reservation demands, because that is past a limit.
    pub(super) demanded: Option<DemandedRate>,
    /// Whether a budget's owner was told that it goes on past the limit.
    pub(super) is_alerted: bool,
}

/// How a job stands with the budgets that it falls under.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum JobBudget {
    /// It falls under none.
    Free,
    /// What it will cost is not known yet.
    NotPlanned,
    /// There is no room for what it will cost.
    Refused { cost: Cost, why: BudgetHold },
    /// What it will cost is reserved.
    Reserved,
    /// It was under way when a limit was reached. What is left of its reservation stays.
    Stopped { why: BudgetHold },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DemandedRate {
    pub(super) bytes_per_second: u64,
    /// When the next month begins, which has room.
    pub(super) until: Option<UnixTime>,
}

/// The budget that holds a job, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BudgetHold {
    pub(super) budget: BudgetKey,
    pub(super) cause: HoldCause,
}

impl RoundJob {
    pub(super) fn new(id: JobId, is_held: bool, budget: JobBudget) -> Self {
        let (is_recalled, is_alerted) = (false, false);
        Self { id, is_held, is_recalled, budget, rate: None, demanded: None, is_alerted }
    }

    /// Whether it takes a place among the jobs, and its round among the rounds, that move at once.
    pub(super) fn takes_place(&self) -> bool {
        !self.is_held || self.budget == JobBudget::NotPlanned
    }

    /// Why its budgets hold it, if they do.
    pub(super) fn held_by_budget(&self) -> Option<HoldReason> {
        match &self.budget {
            JobBudget::Free | JobBudget::Reserved => None,
            JobBudget::NotPlanned => Some(HoldReason::NotPlanned),
            JobBudget::Refused { why, .. } | JobBudget::Stopped { why } => {
                let BudgetHold { budget, cause } = why.clone();
                Some(HoldReason::Budget { budget, cause })
            }
        }
    }

    /// The budget that holds it for want of room, and not only until it is planned.
    pub(super) fn lacks_room(&self) -> Option<&BudgetHold> {
        match &self.budget {
            JobBudget::Refused { why, .. } | JobBudget::Stopped { why } => Some(why),
            JobBudget::Free | JobBudget::NotPlanned | JobBudget::Reserved => None,
        }
    }
}
