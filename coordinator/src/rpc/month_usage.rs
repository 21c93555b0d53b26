//! What replications sent in their months, from the durable sums.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deepclone_core::calendar::zone::Zone;
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::v1::replication::MonthUsage;

use super::show::{self, signed};
use crate::effects::Context;
use crate::replications::current_names::CurrentNames;
use crate::replications::view::ReplicationView;
use crate::state::{StateError, UsageBy, UsageCalendar, UsageQuery, UsageSums};

/// Returns what each of these replications sent in its month, by name. Those that sent nothing are
/// absent.
///
/// # Errors
/// The state cannot be read.
pub(super) async fn month_usage(
    context: &Context,
    views: &[Arc<ReplicationView>],
    now: UnixTime,
) -> Result<BTreeMap<String, MonthUsage>, StateError> {
    let months: BTreeMap<&str, String> =
        views.iter().map(|view| (view.spec.name.as_str(), month_of(view, now))).collect();
    let mut found: BTreeMap<String, Vec<UsageSums>> = BTreeMap::new();
    let names = CurrentNames::read(&*context.store).await?;
    for month in months.values().collect::<BTreeSet<_>>() {
        let (by, calendar) = (UsageBy::Replication, UsageCalendar::OfZone);
        let query = UsageQuery { by, month: month.clone(), calendar };
        for sum in names.of(context.store.usage(&query).await?) {
            let name = sum.labels.replication;
            if months.get(name.as_str()) == Some(month) {
                found.entry(name).or_default().push(sum.sums);
            }
        }
    }
    let shown = found.into_iter().filter_map(|(name, sums)| {
        let (traffic, cost) = context.pricing.sum_up(&sums)?;
        let usage = MonthUsage {
            month: months.get(name.as_str())?.clone(),
            bytes_read: signed(traffic.bytes),
            source_requests: signed(traffic.source_requests()),
            target_requests: signed(traffic.target_requests()),
            cost: Some(show::cost(&cost)),
        };
        Some((name, usage))
    });
    Ok(shown.collect())
}

fn month_of(view: &ReplicationView, now: UnixTime) -> String {
    let zone = Zone::of_name(&view.spec.time_zone).unwrap_or(Zone::UTC);
    zone.month(now).map(|month| month.to_string()).unwrap_or_default()
}
