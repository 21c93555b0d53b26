//! What budgets say of a job.

use super::limit::{AtLimit, BudgetAmount, BudgetKey, Cost, MonthBudget};
use crate::money::Currency;
use crate::unix_time::UnixTime;

/// Whether a job may copy. Of several budgets the strictest verdict counts: the later of these
/// four, then the lower rate or the longer hold, then the budget that was named first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetVerdict {
    Granted,
    /// It may copy; the budget's owner is to be told why that is past the limit.
    Alert {
        budget: BudgetKey,
        cause: HoldCause,
    },
    /// It may copy at this rate.
    Slowed {
        budget: BudgetKey,
        bytes_per_second: u64,
        cause: HoldCause,
    },
    /// It may not copy for now.
    Held {
        budget: BudgetKey,
        cause: HoldCause,
    },
}

/// Why a job does not fit into a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldCause {
    /// Less is left than it costs.
    Limit {
        left: BudgetAmount,
        /// When the next month begins. `None` when no month has room for it.
        until: Option<UnixTime>,
    },
    /// Its price is not known, so it cannot be within a budget of money.
    PriceUnknown,
    /// Its price is in another currency, and none is converted.
    CurrencyDiffers { price: Currency },
}

impl BudgetVerdict {
    /// True unless the job is held.
    #[must_use]
    pub fn is_free(&self) -> bool {
        !matches!(self, Self::Held { .. })
    }

    /// What a budget says of a job that does not fit.
    pub(super) fn past_limit(budget: &MonthBudget, cause: HoldCause) -> Self {
        let key = budget.key.clone();
        match budget.at_limit {
            AtLimit::Hold => Self::Held { budget: key, cause },
            AtLimit::AlertOnly => Self::Alert { budget: key, cause },
            AtLimit::Slow { bytes_per_second } => {
                Self::Slowed { budget: key, bytes_per_second, cause }
            }
        }
    }

    /// The strictest of what several budgets say.
    pub(super) fn strictest(verdicts: impl Iterator<Item = Self>) -> Self {
        verdicts.fold(Self::Granted, |strictest, verdict| {
            if verdict.rank() > strictest.rank() { verdict } else { strictest }
        })
    }

    fn rank(&self) -> (u8, i128) {
        match self {
            Self::Granted => (0, 0),
            Self::Alert { .. } => (1, 0),
            Self::Slowed { bytes_per_second, .. } => (2, -i128::from(*bytes_per_second)),
            Self::Held { cause: HoldCause::Limit { until: Some(until), .. }, .. } => {
                (3, i128::from(until.0))
            }
            Self::Held { .. } => (4, 0),
        }
    }
}

/// Returns a cost in the unit of a budget, or why it has none.
pub(super) fn count(budget: &MonthBudget, cost: Cost) -> Result<u64, HoldCause> {
    cost.count(budget.limit.unit()).ok_or(match cost.money {
        None => HoldCause::PriceUnknown,
        Some(money) => HoldCause::CurrencyDiffers { price: money.currency },
    })
}
