//! A table is looked at once, before it is used.

use std::collections::BTreeSet;

use super::table::{PriceRoute, PriceRule, PriceTable, RequestPrices};

/// What is wrong with a table, and where. An unknown currency is no table at all: it is refused
/// where the table is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceTableError {
    #[error("rule {rule:?} has no tiers")]
    NoTiers { rule: String },
    #[error("rule {rule:?}: tier {tier} does not end above the one before it")]
    NotAscending { rule: String, tier: usize },
    #[error("rule {rule:?}: tier {tier} is open, but is not the last one")]
    OpenTooEarly { rule: String, tier: usize },
    #[error("rule {rule:?}: the last tier is not open: leave out where it ends")]
    LastNotOpen { rule: String },
    #[error("rule {rule:?}: the price of tier {tier} is negative")]
    NegativePrice { rule: String, tier: usize },
    #[error("rule {rule:?} is for area {area:?} of {cloud:?}, which has no prefix in the table")]
    NoSuchArea { rule: String, cloud: String, area: String },
    #[error("rule {rule:?} is for the same regions as one before it")]
    SameRoute { rule: String },
    #[error("two rules have the name {rule:?}")]
    SameName { rule: String },
    #[error("the requests of {cloud:?} have a negative price")]
    NegativeRequests { cloud: String },
    #[error("the requests of {cloud:?} are priced twice")]
    SameRequests { cloud: String },
    #[error("the prefix {prefix:?} of {cloud:?} is in two areas")]
    SamePrefix { cloud: String, prefix: String },
}

/// Checks that a table says one thing of each pair of regions.
///
/// # Errors
/// The first fault, with the rule at fault.
pub fn check(table: &PriceTable) -> Result<(), PriceTableError> {
    let mut prefixes = BTreeSet::new();
    for area in &table.areas {
        if !prefixes.insert((&area.cloud, &area.prefix)) {
            let (cloud, prefix) = (area.cloud.clone(), area.prefix.clone());
            return Err(PriceTableError::SamePrefix { cloud, prefix });
        }
    }
    let (mut names, mut routes) = (BTreeSet::new(), BTreeSet::new());
    for rule in &table.rules {
        if !names.insert(&rule.name) {
            return Err(PriceTableError::SameName { rule: rule.name.clone() });
        }
        if !routes.insert(&rule.route) {
            return Err(PriceTableError::SameRoute { rule: rule.name.clone() });
        }
        check_areas(table, rule)?;
        check_tiers(rule)?;
    }
    let mut clouds = BTreeSet::new();
    for prices in &table.requests {
        let cloud = prices.cloud.clone();
        let RequestPrices { read_micros_per_1000, list_micros_per_1000, .. } = *prices;
        let each = [read_micros_per_1000, list_micros_per_1000, prices.write_micros_per_1000];
        if each.iter().any(|price| *price < 0) {
            return Err(PriceTableError::NegativeRequests { cloud });
        }
        if !clouds.insert(&prices.cloud) {
            return Err(PriceTableError::SameRequests { cloud });
        }
    }
    Ok(())
}

fn check_areas(table: &PriceTable, rule: &PriceRule) -> Result<(), PriceTableError> {
    let (cloud, named) = match &rule.route {
        PriceRoute::Regions { .. }
        | PriceRoute::SameRegion { .. }
        | PriceRoute::CloudToInternet { .. } => return Ok(()),
        PriceRoute::Areas { cloud, source, target } => (cloud, vec![source, target]),
        PriceRoute::AreaToCloud { cloud, source }
        | PriceRoute::AreaToInternet { cloud, source } => (cloud, vec![source]),
    };
    for area in named {
        if !table.areas.iter().any(|known| known.cloud == *cloud && known.area == *area) {
            let (rule, cloud, area) = (rule.name.clone(), cloud.clone(), area.clone());
            return Err(PriceTableError::NoSuchArea { rule, cloud, area });
        }
    }
    Ok(())
}

fn check_tiers(rule: &PriceRule) -> Result<(), PriceTableError> {
    let name = || rule.name.clone();
    let mut bound = 0;
    for (at, tier) in rule.tiers.iter().enumerate() {
        let is_last = at + 1 == rule.tiers.len();
        let tier_number = at + 1;
        if tier.micros_per_gb < 0 {
            return Err(PriceTableError::NegativePrice { rule: name(), tier: tier_number });
        }
        match tier.up_to_bytes {
            None if is_last => return Ok(()),
            None => return Err(PriceTableError::OpenTooEarly { rule: name(), tier: tier_number }),
            Some(end) if end <= bound => {
                return Err(PriceTableError::NotAscending { rule: name(), tier: tier_number });
            }
            Some(_) if is_last => return Err(PriceTableError::LastNotOpen { rule: name() }),
            Some(end) => bound = end,
        }
    }
    Err(PriceTableError::NoTiers { rule: name() })
}
