//! What a copy costs by list prices: a dated table of rules, and the estimate that it gives.
//!
//! # Words
//!
//! A *region* is where a store is, such as `aws/eu-central-1`. An *area* is a group of regions of
//! one cloud with one price, such as `eu`. A *rule* gives the price of each byte that leaves its
//! source's region, by a route. What enters a cloud costs nothing; the requests at each side do.
//!
//! # Flow
//!
//! [`list_prices`] or a user's file makes a [`PriceTable`], [`check`] looks at it once,
//! [`rule_of`] finds the rule for two regions, [`estimate`] counts. Where a region or a price is
//! not known there is no estimate but a [`PriceUnknown`]: the price is never nothing.

mod check;
mod estimate;
mod list_prices;
mod lookup;
mod region;
mod table;
#[cfg(test)]
mod tests;

pub use check::{PriceTableError, check};
pub use estimate::{Estimate, PriceUnknown, Traffic, estimate};
pub use list_prices::list_prices;
pub use lookup::rule_of;
pub use region::{Region, RegionError, RegionPair};
pub use table::{AreaPrefix, PriceRoute, PriceRule, PriceTable, PriceTier, RequestPrices};
