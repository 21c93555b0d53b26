//! What a copy costs by a table.
//!
//! Costs are counted exactly, in billionths of a millionth: a price for each GB is as many of them
//! for each byte. The cost of a month's traffic is rounded up to a whole millionth once, and an
//! estimate is the cost of the month with it less the cost without it. So estimates that follow
//! each other add up to the one of all, to the last millionth.

use std::ops::Add;

use super::lookup::rule_of;
use super::region::{Region, RegionPair};
use super::table::{PriceTable, PriceTier};
use crate::money::Money;

/// A GB has so many bytes, and a millionth so many parts in which costs are counted.
const PARTS_PER_MICRO: i128 = 1_000_000_000;
const REQUESTS_PRICED: i128 = 1_000;

/// What a copy moves and asks for, or what was moved so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that leave the source's region.
    pub bytes: u64,
    /// Objects that are read or described at the source.
    pub source_reads: u64,
    /// Pages of listings at the source.
    pub source_lists: u64,
    /// Objects that are read or described at the target.
    pub target_reads: u64,
    /// Pages of listings at the target.
    pub target_lists: u64,
    /// All other requests to the target: mostly objects and parts that are written.
    pub target_writes: u64,
}

/// A cost by list prices, and by which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    pub money: Money,
    /// The name of the rule that priced the bytes.
    pub rule: String,
}

/// Why a cost is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceUnknown {
    #[error("the region of the source is not known")]
    SourceRegion,
    #[error("the region of the target is not known")]
    TargetRegion,
    #[error("the prices have none for what goes from {source_region} to {target_region}")]
    Route { source_region: Region, target_region: Region },
    #[error("the prices have none for the requests of {cloud}")]
    Requests { cloud: String },
}

impl Traffic {
    /// All requests to the source.
    #[must_use]
    pub fn source_requests(&self) -> u64 {
        self.source_reads.saturating_add(self.source_lists)
    }

    /// All requests to the target.
    #[must_use]
    pub fn target_requests(&self) -> u64 {
        self.target_reads.saturating_add(self.target_lists).saturating_add(self.target_writes)
    }

    /// Returns what of this is more than `other`, each count by itself.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    fn with(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes: join(self.bytes, other.bytes),
            source_reads: join(self.source_reads, other.source_reads),
            source_lists: join(self.source_lists, other.source_lists),
            target_reads: join(self.target_reads, other.target_reads),
            target_lists: join(self.target_lists, other.target_lists),
            target_writes: join(self.target_writes, other.target_writes),
        }
    }
}

impl Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }
}

/// Returns what `traffic` costs after `month_to_date`, which this month saw before it. A tier
/// prices the bytes within its bounds alone. A cloud counts the month of a whole account: where
/// more is known to have left it, by whatever program, that belongs into `month_to_date`.
///
/// # Errors
/// Which price is not known: that of the pair, or of the requests at one of its sides.
pub fn estimate(
    table: &PriceTable,
    pair: &RegionPair,
    month_to_date: Traffic,
    traffic: Traffic,
) -> Result<Estimate, PriceUnknown> {
    let source = pair.source.as_ref().ok_or(PriceUnknown::SourceRegion)?;
    let target = pair.target.as_ref().ok_or(PriceUnknown::TargetRegion)?;
    let no_rule = || {
        let (source_region, target_region) = (source.clone(), target.clone());
        PriceUnknown::Route { source_region, target_region }
    };
    let rule = rule_of(table, pair).ok_or_else(no_rule)?;
    let requests = |cloud: &str| {
        let unknown = || PriceUnknown::Requests { cloud: cloud.to_owned() };
        table.requests_of(cloud).ok_or_else(unknown)
    };
    let (at_source, at_target) = (requests(&source.cloud)?, requests(&target.cloud)?);
    let cost = |total: Traffic| {
        let requests = [
            (total.source_reads, at_source.read_micros_per_1000),
            (total.source_lists, at_source.list_micros_per_1000),
            (total.target_reads, at_target.read_micros_per_1000),
            (total.target_lists, at_target.list_micros_per_1000),
            (total.target_writes, at_target.write_micros_per_1000),
        ];
        let of_bytes = bytes_cost(&rule.tiers, total.bytes);
        let parts = requests.iter().fold(of_bytes, |parts, (requests, micros_per_1000)| {
            parts.saturating_add(requests_cost(*requests, *micros_per_1000))
        });
        let micros = parts.saturating_add(PARTS_PER_MICRO - 1) / PARTS_PER_MICRO;
        i64::try_from(micros).unwrap_or(i64::MAX)
    };
    let micros = cost(month_to_date + traffic).saturating_sub(cost(month_to_date));
    let money = Money { micros, currency: table.currency };
    Ok(Estimate { money, rule: rule.name.clone() })
}

fn bytes_cost(tiers: &[PriceTier], bytes: u64) -> i128 {
    let mut cost = 0_i128;
    let mut counted = 0;
    for tier in tiers {
        let end = tier.up_to_bytes.unwrap_or(u64::MAX).min(bytes);
        let within = i128::from(end.saturating_sub(counted));
        cost = cost.saturating_add(within.saturating_mul(i128::from(tier.micros_per_gb)));
        counted = counted.max(end);
    }
    cost
}

fn requests_cost(requests: u64, micros_per_1000: i64) -> i128 {
    let parts_per_request = i128::from(micros_per_1000) * (PARTS_PER_MICRO / REQUESTS_PRICED);
    i128::from(requests).saturating_mul(parts_per_request)
}
