//! Slots: how many objects and parts a worker moves at once.
//!
//! Each *route*, a pair of source store and target store, has a [`lane::Lane`] of its own, whose
//! tuner finds the number of its slots. All lanes share the worker's budget. One task takes the
//! samples of all lanes, and sleeps while none is in use.

pub(crate) mod lane;
pub(crate) mod meter;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deepclone_core::task::TaskSpec;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::lane::Lane;
use crate::budget::Budget;
use crate::metrics::WorkerMetrics;

/// Time between two samples: a small object takes twice as long 20 ms away, and a run of some
/// thousands of them is over in a second.
const INTERVAL: Duration = Duration::from_millis(20);

/// The lanes of a worker; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    shared: Arc<LanesShared>,
    _sampler: Arc<AbortOnDropHandle<()>>,
}

#[derive(Debug)]
struct LanesShared {
    budget: Budget,
    metrics: WorkerMetrics,
    wanted: Arc<Notify>,
    /// By the fingerprints of the source's and the target's connection. As many as there are pairs
    /// of the worker's own connections, for other tasks are refused before they have a lane.
    lanes: Mutex<BTreeMap<LaneKey, NamedLane>>,
}

type LaneKey = ([u8; 32], [u8; 32]);

/// A lane, and the names of the first task's connections, for people.
#[derive(Clone, Debug)]
struct NamedLane {
    source: String,
    target: String,
    lane: Lane,
}

impl Lanes {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(budget: Budget, metrics: WorkerMetrics) -> Self {
        let wanted = Arc::default();
        let lanes = Mutex::default();
        let shared = Arc::new(LanesShared { budget, metrics, wanted, lanes });
        let sampler = tokio::spawn(sample_all(Arc::clone(&shared)));
        Self { shared, _sampler: Arc::new(AbortOnDropHandle::new(sampler)) }
    }

    /// The lane of a task, which the worker may do.
    pub(crate) fn of(&self, spec: &TaskSpec) -> Lane {
        let key = (spec.source.fingerprint, spec.target.fingerprint);
        let shared = &self.shared;
        let mut lanes = shared.lock();
        let named = lanes.entry(key).or_insert_with(|| NamedLane {
            source: spec.source.connection.clone(),
            target: spec.target.connection.clone(),
            lane: Lane::new(shared.budget.clone(), Arc::clone(&shared.wanted)),
        });
        named.lane.clone()
    }
}

impl LanesShared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LaneKey, NamedLane>> {
        self.lanes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Samples the lanes for ever.
async fn sample_all(shared: Arc<LanesShared>) {
    loop {
        shared.wanted.notified().await;
        let mut sampled_at = Instant::now();
        loop {
            tokio::time::sleep_until(sampled_at + INTERVAL).await;
            let elapsed = sampled_at.elapsed();
            sampled_at += elapsed;
            let lanes: Vec<NamedLane> = shared.lock().values().cloned().collect();
            let mut is_idle = true;
            for NamedLane { source, target, lane } in &lanes {
                let slots = lane.sample(elapsed);
                let used = lane.used();
                shared.metrics.slots(source, target, slots, used);
                // The last sample shows no slot in use.
                is_idle &= used == 0 && lane.is_idle();
            }
            if is_idle {
                break;
            }
        }
    }
}
