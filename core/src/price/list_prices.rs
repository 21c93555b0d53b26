//! The list prices of AWS, Azure and Google Cloud in US dollars, as of November 2026, without free
//! allowances and discounts. A user's own table takes their place.
//!
//! A rule is there only where its price is known: regions outside North America and Europe have
//! none to the internet but for Google Cloud's in Asia; regions of governments, of China and of
//! other continents have none at all. A cloud that means 2³⁰ bytes by a GB takes up to 7 % less.
//!
//! The pages that state them:
//!
//! * AWS: `aws.amazon.com/ec2/pricing/on-demand` (data transfer), `aws.amazon.com/s3/pricing`
//! * Azure: `azure.microsoft.com/pricing/details/bandwidth`; requests: the examples (July 2024) of
//!   `learn.microsoft.com/azure/storage/blobs/blob-storage-estimate-costs`, hot tier
//! * Google Cloud: `cloud.google.com/storage/pricing`, standard class, premium network
//!
//! Since September 2025 the EU Data Act lowers some of them on request; that is not counted.

use jiff::civil::date;

use super::region::Region;
use super::table::{AreaPrefix, PriceRoute, PriceRule, PriceTable, PriceTier, RequestPrices};
use crate::money::Currency;

/// Bytes of a decimal terabyte.
const TB: u64 = 1_000_000_000_000;

/// Tiers as (where each ends, millionths of a dollar for each GB).
type Tiers = [(Option<u64>, i64)];

/// 0.09 to 10 TB, 0.085 for the next 40, 0.07 for the next 100, then 0.05.
const AWS_INTERNET: &Tiers =
    &[(Some(10 * TB), 90_000), (Some(50 * TB), 85_000), (Some(150 * TB), 70_000), (None, 50_000)];
/// 0.087, 0.083, 0.07 and 0.05 at the same steps.
const AZURE_INTERNET: &Tiers =
    &[(Some(10 * TB), 87_000), (Some(50 * TB), 83_000), (Some(150 * TB), 70_000), (None, 50_000)];
/// Premium network: 0.12 to 1 TB, 0.11 to 10 TB, then 0.08.
const GCP_INTERNET: &Tiers = &[(Some(TB), 120_000), (Some(10 * TB), 110_000), (None, 80_000)];

/// The beginnings of the names of regions by cloud and area. Those with an area that no rule names
/// are set apart because their prices are others.
const AREAS: &[(&str, &str, &[&str])] = &[
    ("aws", "na", &["us-", "ca-"]),
    ("aws", "us-government", &["us-gov-", "us-iso"]),
    ("aws", "eu", &["eu-"]),
    ("aws", "eu-isolated", &["eu-iso"]),
    ("azure", "na", &["canada", "centralus", "eastus", "northcentralus", "southcentralus"]),
    ("azure", "na", &["westcentralus", "westus"]),
    ("azure", "eu", &["austria", "belgium", "denmark", "france", "germany", "italy"]),
    ("azure", "eu", &["northeurope", "norway", "poland", "spain", "sweden", "switzerland"]),
    ("azure", "eu", &["uksouth", "ukwest", "westeurope"]),
    ("azure", "asia", &["centralindia", "eastasia", "indonesia", "japan", "jioindia", "korea"]),
    ("azure", "asia", &["malaysia", "southeastasia", "southindia", "westindia"]),
    ("gcp", "na", &["northamerica-", "us-"]),
    ("gcp", "eu", &["europe-"]),
    ("gcp", "asia", &["asia-"]),
];

/// The areas of Azure, and what a GB from each to another area costs.
const AZURE_TO_CLOUD: [(&str, i64); 3] = [("na", 50_000), ("eu", 50_000), ("asia", 80_000)];

/// Returns the list prices that hold where the user gives none.
#[must_use]
pub fn list_prices() -> PriceTable {
    let mut rules = Vec::new();
    for cloud in ["aws", "azure", "gcp"] {
        // What stays in its region costs nothing, at each of the three.
        let route = PriceRoute::SameRegion { cloud: cloud.to_owned() };
        rules.push(rule(&format!("{cloud} same region"), route, &[(None, 0)]));
    }
    rules.extend(aws());
    rules.extend(azure());
    rules.extend(gcp());
    // What stays with oneself costs nothing, too.
    let route = PriceRoute::SameRegion { cloud: "local".to_owned() };
    rules.push(rule("local same region", route, &[(None, 0)]));
    PriceTable {
        name: "list prices of November 2026".to_owned(),
        valid_from: date(2026, 11, 1),
        currency: Currency::USD,
        areas: AREAS.iter().flat_map(|(cloud, area, names)| prefixes(cloud, area, names)).collect(),
        rules,
        requests: vec![
            // S3 standard: 0.0004 for 1 000 GETs, 0.005 for 1 000 PUTs or LISTs.
            requests("aws", 400, 5_000),
            // Hot tier: 0.0044 for 10 000 reads, 0.055 for 10 000 writes or lists.
            requests("azure", 440, 5_500),
            // Operations of class B (reads) and A (writes, lists): 0.0004 and 0.005 for 1 000.
            requests("gcp", 400, 5_000),
            // Stores of one's own bill no requests.
            requests("local", 0, 0),
        ],
    }
}

/// Internet by the tiers above; to another region of AWS 0.02, between the two of Ohio and
/// Virginia 0.01.
fn aws() -> Vec<PriceRule> {
    let region = |name: &str| Region { cloud: "aws".to_owned(), name: name.to_owned() };
    let mut rules = Vec::new();
    for (source, target) in [("us-east-1", "us-east-2"), ("us-east-2", "us-east-1")] {
        let route = PriceRoute::Regions { source: region(source), target: region(target) };
        rules.push(rule(&format!("aws {source} to {target}"), route, &[(None, 10_000)]));
    }
    for area in ["na", "eu"] {
        rules.push(area_to_cloud("aws", area, 20_000));
        rules.push(area_to_internet("aws", area, AWS_INTERNET));
    }
    rules
}

/// Internet by the tiers above; within North America or Europe 0.02, within Asia 0.08, from there
/// to other continents 0.05 and 0.08.
fn azure() -> Vec<PriceRule> {
    let mut rules = Vec::new();
    for (area, to_cloud) in AZURE_TO_CLOUD {
        let within = if area == "asia" { 80_000 } else { 20_000 };
        rules.push(areas("azure", area, area, within));
        rules.push(area_to_cloud("azure", area, to_cloud));
    }
    for area in ["na", "eu"] {
        rules.push(area_to_internet("azure", area, AZURE_INTERNET));
    }
    rules
}

/// Internet by the tiers above; within North America or Europe 0.02, within Asia 0.05, between
/// continents 0.08.
fn gcp() -> Vec<PriceRule> {
    let mut rules = Vec::new();
    for (area, within) in [("na", 20_000), ("eu", 20_000), ("asia", 50_000)] {
        rules.push(areas("gcp", area, area, within));
        for other in ["na", "eu", "asia"].into_iter().filter(|other| *other != area) {
            rules.push(areas("gcp", area, other, 80_000));
        }
        rules.push(area_to_internet("gcp", area, GCP_INTERNET));
    }
    rules
}

fn areas(cloud: &str, source: &str, target: &str, micros_per_gb: i64) -> PriceRule {
    let name = format!("{cloud} {source} to {target}");
    let (cloud, source, target) = (cloud.to_owned(), source.to_owned(), target.to_owned());
    rule(&name, PriceRoute::Areas { cloud, source, target }, &[(None, micros_per_gb)])
}

fn area_to_cloud(cloud: &str, area: &str, micros_per_gb: i64) -> PriceRule {
    let route = PriceRoute::AreaToCloud { cloud: cloud.to_owned(), source: area.to_owned() };
    rule(&format!("{cloud} {area} to {cloud}"), route, &[(None, micros_per_gb)])
}

fn area_to_internet(cloud: &str, area: &str, tiers: &Tiers) -> PriceRule {
    let route = PriceRoute::AreaToInternet { cloud: cloud.to_owned(), source: area.to_owned() };
    rule(&format!("{cloud} {area} to internet"), route, tiers)
}

fn rule(name: &str, route: PriceRoute, tiers: &Tiers) -> PriceRule {
    let tiers = tiers
        .iter()
        .map(|&(up_to_bytes, micros_per_gb)| PriceTier { up_to_bytes, micros_per_gb })
        .collect();
    PriceRule { name: name.to_owned(), route, tiers }
}

fn prefixes(cloud: &str, area: &str, names: &[&str]) -> Vec<AreaPrefix> {
    let prefix = |name: &&str| AreaPrefix {
        cloud: cloud.to_owned(),
        prefix: (*name).to_owned(),
        area: area.to_owned(),
    };
    names.iter().map(prefix).collect()
}

/// A list costs as much as a write, at each of the three.
fn requests(cloud: &str, read_micros_per_1000: i64, write_micros_per_1000: i64) -> RequestPrices {
    RequestPrices {
        cloud: cloud.to_owned(),
        read_micros_per_1000,
        list_micros_per_1000: write_micros_per_1000,
        write_micros_per_1000,
    }
}
