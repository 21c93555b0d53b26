//! What copies cost: estimates by a table of prices, and an account of what each job sent.
//!
//! * [`priced`]: a cost, or why it is not known.
//! * [`pricing`]: the table of prices, and where the stores of the connections are.
//! * [`month_to_date`]: what each month saw so far, by which tiers go.
//! * [`book`]: what live jobs sent, by month, and what it cost at that time.

pub mod book;
pub mod month_to_date;
pub mod priced;
pub mod pricing;
