//! How much of a budget is used in a month.

use super::limit::{BudgetAmount, BudgetUnit};
use crate::calendar::zone::Month;

/// A budget's month: bytes, or millionths of the currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthUse {
    pub month: Month,
    pub unit: BudgetUnit,
    pub limit: u64,
    pub spent: u64,
    /// By jobs that have not ended, beyond what they spent.
    pub reserved: u64,
}

impl MonthUse {
    /// What may still be spent. Nothing when as much as the limit is spent: jobs that copy are to
    /// be held.
    #[must_use]
    pub fn left(&self) -> BudgetAmount {
        self.unit.amount(self.limit.saturating_sub(self.spent))
    }

    /// What may still be reserved.
    #[must_use]
    pub fn free(&self) -> BudgetAmount {
        let used = self.spent.saturating_add(self.reserved);
        self.unit.amount(self.limit.saturating_sub(used))
    }

    /// Returns the highest of these levels, in percent of the limit, that is spent.
    #[must_use]
    pub fn warn_level(&self, percents: &[u8]) -> Option<u8> {
        let spent = u128::from(self.spent) * 100;
        let is_reached =
            |percent: &u8| spent > 0 && spent >= u128::from(self.limit) * u128::from(*percent);
        percents.iter().copied().filter(is_reached).max()
    }
}
