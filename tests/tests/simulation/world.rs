//! Everything that the processes of a simulation share, behind one lock: the clouds, the one
//! source of chance, what sources and replicas should hold.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use deepclone_common::clock::Clock;
use tokio::time::Instant;

use crate::check::{self, Replicas};
use crate::clouds::{Clouds, START_MS};
use crate::faults::Faults;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::source::Sources;

/// The clock, and the rest behind its lock.
pub(crate) struct World {
    clock: Clock,
    parts: Mutex<Parts>,
}

/// What lies behind the lock.
pub(crate) struct Parts {
    pub(crate) clouds: Clouds,
    pub(crate) random: Random,
    pub(crate) faults: Faults,
    /// Listings tell no entity tags.
    pub(crate) hides_tags: bool,
    pub(crate) sources: Sources,
    pub(crate) replicas: Replicas,
    /// Whole buckets that do not answer, and until when.
    pub(crate) outages: BTreeMap<&'static str, i64>,
    pub(crate) requests: u64,
    /// Objects that vacuums of ours deleted.
    pub(crate) vacuumed: u64,
    /// Multipart uploads by their ids; `None` once one is over.
    pub(crate) uploads: BTreeMap<String, Option<Received>>,
}

/// The parts of an upload by their numbers, as far as they came.
pub(crate) type Received = BTreeMap<usize, Bytes>;

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl World {
    pub(crate) fn new(random: Random, scenario: &Scenario, is_told: bool) -> Self {
        let clock = Clock::Simulated { start_ms: START_MS, started: Instant::now() };
        let parts = Parts {
            clouds: Clouds::new(scenario.counts_tags_by_key, is_told),
            random,
            faults: scenario.faults,
            hides_tags: scenario.hides_tags,
            sources: Sources::default(),
            replicas: Replicas::default(),
            outages: BTreeMap::new(),
            requests: 0,
            vacuumed: 0,
            uploads: BTreeMap::new(),
        };
        Self { clock, parts: Mutex::new(parts) }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Everything, at this moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Parts> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.clouds.now_ms = self.clock.now_ms();
        parts
    }

    pub(crate) fn note(&self, what: &fmt::Arguments<'_>) {
        self.lock().clouds.note(what);
    }

    pub(crate) fn violate(&self, what: String) {
        self.lock().clouds.violate(what);
    }
}

impl Parts {
    /// Lets the checkers look at what has changed.
    pub(crate) fn settle(&mut self) {
        check::settle(&mut self.clouds, &mut self.replicas, &self.sources.ledger);
    }
}
