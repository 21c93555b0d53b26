//! The table of prices: plain data, from a file or from the list prices in code.

use jiff::civil::Date;

use super::region::Region;
use crate::money::Currency;

/// Prices of one currency. All prices are whole millionths of its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceTable {
    /// How estimates name it.
    pub name: String,
    /// The day from which the prices held.
    pub valid_from: Date,
    pub currency: Currency,
    pub areas: Vec<AreaPrefix>,
    pub rules: Vec<PriceRule>,
    pub requests: Vec<RequestPrices>,
}

/// Puts the regions of a cloud whose names begin so into an area. The longest prefix counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaPrefix {
    pub cloud: String,
    pub prefix: String,
    pub area: String,
}

/// The price of what is sent by a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRule {
    pub name: String,
    pub route: PriceRoute,
    /// By what was sent in the month, in ascending order; the last one is open.
    pub tiers: Vec<PriceTier>,
}

/// Which pairs of regions a rule is for, the most exact kind first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceRoute {
    /// From one region to another, in this direction only.
    Regions { source: Region, target: Region },
    /// Within any one region of the cloud. Without such a rule the ones below price that, too.
    SameRegion { cloud: String },
    /// From an area of the cloud to an area of the same cloud.
    Areas { cloud: String, source: String, target: String },
    /// From an area of the cloud to any other region of the same cloud.
    AreaToCloud { cloud: String, source: String },
    /// From an area of the cloud to anywhere.
    AreaToInternet { cloud: String, source: String },
    /// From the cloud to anywhere.
    CloudToInternet { cloud: String },
}

/// The price of the bytes of a month up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceTier {
    /// Bytes of the month at which the tier ends, counted from the month's start. `None`: open.
    pub up_to_bytes: Option<u64>,
    /// For each decimal GB (10⁹ bytes).
    pub micros_per_gb: i64,
}

/// What a cloud takes for requests, whatever the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPrices {
    pub cloud: String,
    /// For each 1 000 reads of an object.
    pub read_micros_per_1000: i64,
    /// For each 1 000 pages of listings.
    pub list_micros_per_1000: i64,
    /// For each 1 000 writes of an object or of a part of one, and whatever else is asked.
    pub write_micros_per_1000: i64,
}

impl PriceTable {
    /// Returns the area of a region; `None` when no prefix of its cloud fits.
    #[must_use]
    pub fn area_of(&self, region: &Region) -> Option<&str> {
        self.areas
            .iter()
            .filter(|area| area.cloud == region.cloud && region.name.starts_with(&area.prefix))
            .max_by_key(|area| area.prefix.len())
            .map(|area| area.area.as_str())
    }

    /// Returns what a cloud takes for requests, if the table has it.
    #[must_use]
    pub fn requests_of(&self, cloud: &str) -> Option<&RequestPrices> {
        self.requests.iter().find(|prices| prices.cloud == cloud)
    }
}
