//! Which rule prices the way from one region to another.

use super::region::RegionPair;
use super::table::{PriceRoute, PriceRule, PriceTable};

/// Returns the most exact rule for a pair: of the two regions themselves, of their areas, of what
/// leaves the source's area, of what leaves its cloud. `None` when a region is not known, or the
/// table has no rule.
#[must_use]
pub fn rule_of<'a>(table: &'a PriceTable, pair: &RegionPair) -> Option<&'a PriceRule> {
    let routes = routes(table, pair)?;
    routes.iter().find_map(|route| table.rules.iter().find(|rule| rule.route == *route))
}

/// The routes that fit a pair, the most exact first.
fn routes(table: &PriceTable, pair: &RegionPair) -> Option<Vec<PriceRoute>> {
    let (source, target) = (pair.source.as_ref()?, pair.target.as_ref()?);
    let cloud = || source.cloud.clone();
    let source_area = table.area_of(source).map(str::to_owned);
    let mut routes = vec![PriceRoute::Regions { source: source.clone(), target: target.clone() }];
    if source == target {
        routes.push(PriceRoute::SameRegion { cloud: cloud() });
    }
    if let Some(area) = &source_area
        && source.cloud == target.cloud
    {
        if let Some(target) = table.area_of(target) {
            let (source, target) = (area.clone(), target.to_owned());
            routes.push(PriceRoute::Areas { cloud: cloud(), source, target });
        }
        routes.push(PriceRoute::AreaToCloud { cloud: cloud(), source: area.clone() });
    }
    if let Some(source) = source_area {
        routes.push(PriceRoute::AreaToInternet { cloud: cloud(), source });
    }
    routes.push(PriceRoute::CloudToInternet { cloud: cloud() });
    Some(routes)
}
