//! What copies cost: estimates by a table of prices, and an account of what each job sent.
//!
//! * [`priced`]: a cost, or why it is not known.
//! * [`pricing`]: the table of prices, and where the stores of the connections are.
//! * [`quote`]: what a copy would cost.
//! * [`book`]: what live jobs sent, by month, and what it cost at that time.

pub mod book;
pub mod priced;
pub mod pricing;
pub mod quote;
