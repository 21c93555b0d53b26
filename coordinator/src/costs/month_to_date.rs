//! What each month saw between two regions so far. The books of a coordinator share it, so that
//! what one of them books counts for the tiers of all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deepclone_core::calendar::zone::Month;
use deepclone_core::price::{RegionPair, Traffic};

use crate::state::UsageSum;

/// What was sent in a month of UTC, this one and the one before; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MonthToDate(Arc<Mutex<MonthSums>>);

#[derive(Debug, Default)]
struct MonthSums {
    /// The durable sums are in it.
    is_read: bool,
    traffic: BTreeMap<(Month, RegionPair), Traffic>,
}

impl MonthToDate {
    /// Takes what the durable sums of a month say, once: later on more is known here.
    pub(super) fn read(&self, month: Month, sums: &[UsageSum]) {
        let mut known = self.lock();
        if std::mem::replace(&mut known.is_read, true) {
            return;
        }
        for sum in sums {
            if let Some(pair) = pair_of(&sum.labels.regions) {
                let seen = known.traffic.entry((month, pair)).or_default();
                *seen = *seen + sum.sums.traffic;
            }
        }
    }

    /// What the month saw between these regions.
    pub(super) fn seen(&self, month: Month, regions: &RegionPair) -> Traffic {
        self.lock().traffic.get(&(month, regions.clone())).copied().unwrap_or_default()
    }

    /// Adds what was sent. Returns what the month had seen before.
    pub(super) fn add(&self, month: Month, regions: &RegionPair, more: Traffic) -> Traffic {
        let mut known = self.lock();
        let seen = known.traffic.entry((month, regions.clone())).or_default();
        let before = *seen;
        *seen = before + more;
        let earlier = known.traffic.keys().map(|(seen, _)| *seen).filter(|seen| *seen < month);
        let oldest = earlier.max();
        known.traffic.retain(|(seen, _), _| Some(*seen) >= oldest);
        before
    }

    fn lock(&self) -> MutexGuard<'_, MonthSums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The places that the name of a pair of regions is of.
pub(super) fn pair_of(regions: &str) -> Option<RegionPair> {
    let (source, target) = regions.split_once(' ')?;
    Some(RegionPair { source: source.parse().ok(), target: target.parse().ok() })
}
