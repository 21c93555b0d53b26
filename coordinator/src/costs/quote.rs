//! What a copy would cost that no job makes yet.

use deepclone_core::price::Traffic;
use deepclone_core::unix_time::UnixTime;

use super::book::by_regions;
use super::month_to_date::pair_of;
use super::priced::Priced;
use crate::effects::Context;
use crate::state::StateError;

/// Returns what this traffic would cost now, after what the month has seen between the same
/// regions.
///
/// # Errors
/// The state cannot be read.
pub async fn quote(
    context: &Context,
    source: &str,
    target: &str,
    traffic: Traffic,
) -> Result<Priced, StateError> {
    let now = UnixTime(context.clock.now_ms());
    let regions = context.pricing.regions(source, target);
    let month = context.store.usage(&by_regions(now)).await?;
    let seen = month.iter().filter(|sum| pair_of(&sum.labels.regions).as_ref() == Some(&regions));
    let before = seen.fold(Traffic::default(), |before, sum| before + sum.sums.traffic);
    Ok(context.pricing.price(source, target, before, traffic))
}
