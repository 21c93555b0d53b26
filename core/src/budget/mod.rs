//! Budgets of calendar months, in bytes or in money: what jobs reserve before they copy, and what
//! they spend.
//!
//! # Words
//!
//! A job *reserves* what it is expected to cost before it copies, under every budget that it
//! falls under, or under none of them. What it sent is *spent*: each report of a job's running
//! total moves that much from its reservation. Spent may exceed what was reserved, because a task
//! of a killed worker is sent twice; a budget that holds then holds the running job, too. When the
//! job ends, the rest of its reservation is *released*.
//!
//! What a job spends counts in the month of the report. A reservation is of no month: what is
//! left of it counts in whatever month it is, so over the end of a month it moves by itself.
//!
//! # Flow
//!
//! [`BudgetLedger`] is the state, in memory; its owner gives it the [`MonthBudget`]s and the time,
//! and makes the [`BudgetEntry`]s durable, each operation's in one transaction. An entry has
//! absolute values: the last one for its key counts, and writing one twice changes nothing.
//! [`BudgetLedger::recover`] makes the same state of them.

mod entry;
mod ledger;
mod limit;
mod month_use;
#[cfg(test)]
mod tests;
mod verdict;

pub use entry::BudgetEntry;
pub use ledger::BudgetLedger;
pub use limit::{AtLimit, BudgetAmount, BudgetKey, BudgetUnit, Cost, MonthBudget};
pub use month_use::MonthUse;
pub use verdict::{BudgetVerdict, HoldCause};
