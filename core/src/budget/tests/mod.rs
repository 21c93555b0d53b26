//! Budgets by tables of cases, and by any operations in any order.

mod month_ends;
mod random_operations;
mod verdicts;

use uuid::Uuid;

use super::*;
use crate::calendar::zone::{Month, Zone};
use crate::ids::JobId;
use crate::money::{Currency, Money};
use crate::unix_time::UnixTime;

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn key(name: &str) -> BudgetKey {
    BudgetKey(name.to_owned())
}

/// A budget of so many bytes in UTC that holds.
fn of_bytes(name: &str, limit: u64) -> MonthBudget {
    MonthBudget {
        key: key(name),
        limit: BudgetAmount::Bytes(limit),
        zone: Zone::UTC,
        at_limit: AtLimit::Hold,
    }
}

fn of_euros(name: &str, limit: &str) -> MonthBudget {
    let limit = BudgetAmount::Money(format!("{limit} EUR").parse().unwrap());
    MonthBudget { limit, ..of_bytes(name, 0) }
}

fn bytes(bytes: u64) -> Cost {
    Cost { bytes, money: None }
}

fn time(text: &str) -> UnixTime {
    let time: jiff::Timestamp = text.parse().unwrap();
    UnixTime(time.as_millisecond())
}

/// What is held back by a limit.
fn held(budget: &str, left: u64, until: Option<&str>) -> BudgetVerdict {
    let (left, until) = (BudgetAmount::Bytes(left), until.map(time));
    BudgetVerdict::Held { budget: key(budget), cause: HoldCause::Limit { left, until } }
}

/// Spent and reserved in the month of this time.
fn used(ledger: &BudgetLedger, budget: &MonthBudget, now: UnixTime) -> (u64, u64) {
    let used = ledger.month_use(budget, now);
    (used.spent, used.reserved)
}
