//! What is made durable of a ledger.

use super::limit::{BudgetKey, BudgetUnit};
use crate::calendar::zone::Month;
use crate::ids::JobId;

/// What one job has reserved and spent under one budget in one month. There is one for each
/// budget, unit, month and job; a later one takes the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetEntry {
    pub budget: BudgetKey,
    pub unit: BudgetUnit,
    /// In which it spent, and last reserved.
    pub month: Month,
    pub job: JobId,
    /// What is left of its reservation. `None` once the job is released.
    pub reserved: Option<u64>,
    pub spent: u64,
}
