//! The prices of a coordinator: its table, and where the stores of its connections are.

use std::sync::Arc;

use deepclone_common::connections::Connections;
use deepclone_core::calendar::zone::{Month, Zone};
use deepclone_core::money::Money;
use deepclone_core::price::{PriceTable, PriceUnknown, RegionPair, Traffic, estimate, list_prices};
use deepclone_core::unix_time::UnixTime;

use super::month_to_date::MonthToDate;
use super::priced::Priced;
use crate::state::UsageSums;

/// Prices what goes from one connection to another.
#[derive(Clone, Debug)]
pub struct Pricing {
    /// Where their stores are.
    pub connections: Arc<Connections>,
    /// The table by which costs are estimated.
    pub table: Arc<PriceTable>,
    /// What was sent so far, for the tiers of the table.
    pub to_date: MonthToDate,
}

impl Pricing {
    /// Where the stores of two connections are.
    #[must_use]
    pub fn regions(&self, source: &str, target: &str) -> RegionPair {
        self.connections.regions(source, target)
    }

    /// Returns what is paid for this traffic after `month_to_date`, which this month saw before it
    /// between the same regions.
    #[must_use]
    pub fn price(
        &self,
        source: &str,
        target: &str,
        month_to_date: Traffic,
        traffic: Traffic,
    ) -> Priced {
        let regions = self.regions(source, target);
        let of_store = |name: &str| match name.strip_prefix('@') {
            Some(side) => format!("the region of the {side} is not known"),
            None => format!("the region of connection {name} is not known"),
        };
        match estimate(&self.table, &regions, month_to_date, traffic) {
            Ok(found) => Priced::Known { money: found.money, price_table: self.table.name.clone() },
            Err(PriceUnknown::SourceRegion) => Priced::Unknown(of_store(source)),
            Err(PriceUnknown::TargetRegion) => Priced::Unknown(of_store(target)),
            Err(unknown) => Priced::Unknown(unknown.to_string()),
        }
    }

    /// Returns what is paid for this traffic if it is sent next, after all that this month has
    /// seen between the same regions.
    #[must_use]
    pub fn price_next(
        &self,
        source: &str,
        target: &str,
        now: UnixTime,
        traffic: Traffic,
    ) -> Priced {
        let before = self.to_date.seen(utc_month(now), &self.regions(source, target));
        self.price(source, target, before, traffic)
    }

    /// What was sent cost, at the prices of its time.
    #[must_use]
    pub fn of_sums(&self, sums: &UsageSums) -> Priced {
        match sums.currency.parse() {
            Ok(currency) => Priced::Known {
                money: Money { micros: sums.micros, currency },
                price_table: self.table.name.clone(),
            },
            Err(_) => Priced::Unknown("the prices were not known when it was sent".to_owned()),
        }
    }

    /// What several sums are together; `None` for none.
    pub fn sum_up<'a>(
        &self,
        sums: impl IntoIterator<Item = &'a UsageSums>,
    ) -> Option<(Traffic, Priced)> {
        let priced = sums.into_iter().map(|sums| (sums.traffic, self.of_sums(sums)));
        priced.reduce(|(traffic, cost), (more, other)| (traffic + more, cost.plus(&other)))
    }
}

/// What the month of UTC is called in which this time is.
#[must_use]
pub fn utc_month(now: UnixTime) -> Month {
    Zone::UTC.month(now).unwrap_or(Month { year: i16::MAX, month: 12 })
}

/// Without connections, by list prices.
impl Default for Pricing {
    fn default() -> Self {
        let (connections, to_date) = Default::default();
        Self { connections, table: Arc::new(list_prices()), to_date }
    }
}
