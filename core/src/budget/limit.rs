//! A budget, what it is counted in, and what a job costs.

use std::fmt;

use crate::calendar::zone::Zone;
use crate::money::{Currency, Money};

/// Names a budget by what it is for, such as a replication, an owner or a pair of connections.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetKey(pub String);

/// The most that the jobs under it may spend in each month of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthBudget {
    pub key: BudgetKey,
    pub limit: BudgetAmount,
    /// Where its months begin.
    pub zone: Zone,
    pub at_limit: AtLimit,
}

/// An amount of what a budget is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetAmount {
    Bytes(u64),
    Money(Money),
}

/// What a budget is counted in. A budget of another unit is another account: its month begins with
/// nothing spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetUnit {
    Bytes,
    Money(Currency),
}

/// What becomes of a job that would pass the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLimit {
    /// It waits for the next month, or for a higher limit.
    Hold,
    /// It copies at this rate.
    Slow { bytes_per_second: u64 },
    /// It copies, and the owner is told.
    AlertOnly,
}

/// What a job costs, or has cost so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub bytes: u64,
    /// `None`: its price is not known.
    pub money: Option<Money>,
}

impl BudgetAmount {
    #[must_use]
    pub fn unit(self) -> BudgetUnit {
        match self {
            Self::Bytes(_) => BudgetUnit::Bytes,
            Self::Money(money) => BudgetUnit::Money(money.currency),
        }
    }

    /// As a number: bytes, or millionths of the currency. An amount below nothing is nothing.
    #[must_use]
    pub fn count(self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Money(money) => u64::try_from(money.micros).unwrap_or(0),
        }
    }
}

impl BudgetUnit {
    /// Returns so many bytes, or so many millionths of the currency.
    #[must_use]
    pub fn amount(self, count: u64) -> BudgetAmount {
        match self {
            Self::Bytes => BudgetAmount::Bytes(count),
            Self::Money(currency) => {
                let micros = i64::try_from(count).unwrap_or(i64::MAX);
                BudgetAmount::Money(Money { micros, currency })
            }
        }
    }
}

impl Cost {
    /// Returns the cost as a number of the unit. `None` when its price is not known, or is in
    /// another currency.
    #[must_use]
    pub fn count(self, unit: BudgetUnit) -> Option<u64> {
        match unit {
            BudgetUnit::Bytes => Some(self.bytes),
            BudgetUnit::Money(currency) => {
                let money = self.money.filter(|money| money.currency == currency)?;
                Some(BudgetAmount::Money(money).count())
            }
        }
    }
}

impl fmt::Display for BudgetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
