//! A user's own table of prices, in a TOML file.
//!
//! The file has the shape of [`PriceTable`]. Amounts are texts, so that none is rounded: `"0.09"`
//! is 0.09 of the currency.

use std::path::{Path, PathBuf};

use deepclone_core::failure::Failure;
use deepclone_core::money::{Currency, Money};
use deepclone_core::price::{
    AreaPrefix, PriceRoute, PriceRule, PriceTable, PriceTier, RequestPrices, check, list_prices,
};
use deepclone_core::reason::Reason;
use serde::Deserialize;

/// The section `[prices]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceSettings {
    /// The file with the table, seen from the folder of the configuration file. `None`: the list
    /// prices that Deepclone has.
    pub file: Option<PathBuf>,
    /// The folder of the configuration file.
    #[serde(skip)]
    pub base: Option<PathBuf>,
}

impl PriceSettings {
    /// Reads the table.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with the file, and the line or the entry at fault.
    pub fn table(&self) -> Result<PriceTable, Failure> {
        let Some(file) = &self.file else { return Ok(list_prices()) };
        let path = self.base.as_ref().map_or_else(|| file.clone(), |base| base.join(file));
        read(&path).map_err(|why| {
            let message = format!("prices.file {}: {why}", path.display());
            Failure::new(Reason::InvalidArgument, message)
        })
    }
}

fn read(path: &Path) -> Result<PriceTable, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read it: {error}"))?;
    parse(&text)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    name: String,
    valid_from: String,
    currency: String,
    #[serde(default)]
    area: Vec<FileArea>,
    #[serde(default)]
    rule: Vec<FileRule>,
    #[serde(default)]
    requests: Vec<FileRequests>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileArea {
    cloud: String,
    area: String,
    prefixes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    name: String,
    route: FileRoute,
    cloud: Option<String>,
    source: Option<String>,
    target: Option<String>,
    tiers: Vec<FileTier>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FileRoute {
    Regions,
    SameRegion,
    Areas,
    AreaToCloud,
    AreaToInternet,
    CloudToInternet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTier {
    up_to: Option<String>,
    per_gb: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRequests {
    cloud: String,
    read_per_1000: String,
    /// As much as a write, if it is left out.
    list_per_1000: Option<String>,
    write_per_1000: String,
}

/// Reads a table from the text of a file, and checks it.
fn parse(text: &str) -> Result<PriceTable, String> {
    let file: FileTable = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: {}", error.message())
    })?;
    if file.name.trim().is_empty() {
        return Err("name: it is empty: estimates are shown with it".to_owned());
    }
    let currency: Currency = file.currency.parse().map_err(|error| format!("currency: {error}"))?;
    let table = PriceTable {
        name: file.name,
        valid_from: file.valid_from.parse().map_err(|_| {
            format!("valid_from: {:?} is not a day: write 2026-11-01", file.valid_from)
        })?,
        currency,
        areas: file.area.into_iter().flat_map(FileArea::prefixes).collect(),
        rules: file.rule.into_iter().map(|rule| rule.rule(currency)).collect::<Result<_, _>>()?,
        requests: file
            .requests
            .into_iter()
            .map(|requests| requests.prices(currency))
            .collect::<Result<_, _>>()?,
    };
    check(&table).map_err(|error| error.to_string())?;
    Ok(table)
}

impl FileArea {
    fn prefixes(self) -> impl Iterator<Item = AreaPrefix> {
        let Self { cloud, area, prefixes } = self;
        let prefix = move |prefix| AreaPrefix { cloud: cloud.clone(), prefix, area: area.clone() };
        prefixes.into_iter().map(prefix)
    }
}

impl FileRule {
    fn rule(self, currency: Currency) -> Result<PriceRule, String> {
        let in_rule = |why: String| format!("rule {:?}: {why}", self.name);
        let route = self.route().map_err(in_rule)?;
        let tiers = self.tiers.iter().map(|tier| tier.tier(currency));
        let tiers = tiers.collect::<Result<_, _>>().map_err(in_rule)?;
        Ok(PriceRule { route, tiers, name: self.name })
    }

    /// Each kind of route has its own keys, and refuses those of others.
    fn route(&self) -> Result<PriceRoute, String> {
        let cloud = || wanted("cloud", self.cloud.as_ref());
        let source = || wanted("source", self.source.as_ref());
        let target = || wanted("target", self.target.as_ref());
        let region = |key, text: String| text.parse().map_err(|error| format!("{key}: {error}"));
        let refuse = |key: &str, value: &Option<String>| match value {
            None => Ok(()),
            Some(_) => Err(format!("{key}: this route has none: leave it out")),
        };
        let route = match self.route {
            FileRoute::Regions => {
                refuse("cloud", &self.cloud)?;
                let (source, target) = (region("source", source()?)?, region("target", target()?)?);
                return Ok(PriceRoute::Regions { source, target });
            }
            FileRoute::Areas => {
                let (cloud, source, target) = (cloud()?, source()?, target()?);
                return Ok(PriceRoute::Areas { cloud, source, target });
            }
            FileRoute::AreaToCloud => {
                PriceRoute::AreaToCloud { cloud: cloud()?, source: source()? }
            }
            FileRoute::AreaToInternet => {
                PriceRoute::AreaToInternet { cloud: cloud()?, source: source()? }
            }
            FileRoute::SameRegion => PriceRoute::SameRegion { cloud: cloud()? },
            FileRoute::CloudToInternet => PriceRoute::CloudToInternet { cloud: cloud()? },
        };
        if matches!(self.route, FileRoute::SameRegion | FileRoute::CloudToInternet) {
            refuse("source", &self.source)?;
        }
        refuse("target", &self.target)?;
        Ok(route)
    }
}

impl FileTier {
    fn tier(&self, currency: Currency) -> Result<PriceTier, String> {
        let up_to_bytes = self.up_to.as_deref().map(size).transpose()?;
        Ok(PriceTier { up_to_bytes, micros_per_gb: micros("per_gb", &self.per_gb, currency)? })
    }
}

impl FileRequests {
    fn prices(self, currency: Currency) -> Result<RequestPrices, String> {
        let micros = |key: &str, text: &str| {
            micros(key, text, currency)
                .map_err(|why| format!("requests of {:?}: {why}", self.cloud))
        };
        let write_micros_per_1000 = micros("write_per_1000", &self.write_per_1000)?;
        let list = self.list_per_1000.as_deref().map(|text| micros("list_per_1000", text));
        Ok(RequestPrices {
            read_micros_per_1000: micros("read_per_1000", &self.read_per_1000)?,
            list_micros_per_1000: list.transpose()?.unwrap_or(write_micros_per_1000),
            write_micros_per_1000,
            cloud: self.cloud,
        })
    }
}

fn wanted(key: &str, value: Option<&String>) -> Result<String, String> {
    let value = value.filter(|value| !value.is_empty());
    value.cloned().ok_or_else(|| format!("{key} is missing, which this route needs"))
}

fn micros(key: &str, text: &str, currency: Currency) -> Result<i64, String> {
    let amount = format!("{text} {currency}").parse::<Money>();
    let why = || format!("{key}: {text:?} is not an amount: write \"0.09\", six decimals at most");
    amount.map(|amount| amount.micros).map_err(|_| why())
}

/// Reads `10 TB` or `500 GB`: powers of 1000, as prices count.
fn size(text: &str) -> Result<u64, String> {
    let why = || format!("up_to: {text:?} is not a size: write a whole number of GB or TB");
    let (number, unit) = text.split_once(' ').ok_or_else(why)?;
    let bytes = match unit {
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(why()),
    };
    let number: u64 = number.parse().map_err(|_| why())?;
    number.checked_mul(bytes).ok_or_else(why)
}

#[cfg(test)]
mod tests;
