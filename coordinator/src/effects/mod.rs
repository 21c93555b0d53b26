//! The slow work that the machine asks for: planning and publishing. The driver spawns each effect,
//! and its end comes back as a message; a panic comes back as a failure.
//!
//! * [`plan`]: both logs → change set → tasks.
//! * `keep`: their objects, and what earlier jobs copied of them.
//! * `ahead`: what a first sync needs besides, begun while its plan is made.
//! * [`preview`]: what a plan would be, without making it.
//! * `ledgers`: digests that are lost, for a repair.
//! * `turn`: which plans are made at the same time.
//! * [`target`]: checks that the target can hold a replica, before anything is copied.
//! * [`again`]: planning for a job, after an earlier attempt at it.
//! * [`abort`]: uploads of shared objects that were given up.
//! * [`reads`]: counts what they read.
//! * [`vacuum`]: a vacuum that a client or a schedule asks for.
//! * [`publish`]: checks of vectors and objects, the ledger → the commit → checkpoint, hints.

pub mod abort;
pub mod again;
mod ahead;
mod keep;
mod ledgers;
pub mod plan;
pub mod preview;
pub mod publish;
pub mod reads;
pub mod target;
pub(crate) mod turn;
pub mod vacuum;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::clock::Clock;
use deepclone_common::connections::{Connections, Resolved, Side};
use deepclone_common::panics::panic_text;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{SourceKey, TargetKey};
use deepclone_core::limits::Limits;
use deepclone_core::price::PriceTable;
use deepclone_core::reason::Reason;
use deepclone_core::shard::Packing;
use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};

use self::reads::LogReads;
pub(crate) use self::turn::in_time;
use self::turn::{Turn, Turns};
use crate::costs::pricing::Pricing;
use crate::observers::SyncObservers;
use crate::state::Store;

/// What every effect needs.
#[derive(Clone)]
pub struct Context {
    /// The connections of this process.
    pub connections: Arc<Connections>,
    /// The durable state, for evidence.
    pub store: Arc<dyn Store>,
    /// Tells when facts are recorded, and how old evidence is.
    pub clock: Clock,
    /// By what costs are estimated.
    pub pricing: Pricing,
    /// Who is told of syncs.
    pub observers: SyncObservers,
    /// Counts what is read of tables.
    reads: LogReads,
    /// The plans that are made.
    turns: Turns,
    /// How objects are packed into tasks.
    pub(crate) packing: Packing,
    /// How long a plan may take once it is its turn.
    pub(crate) plan_time_max: Duration,
    /// True if the workers are this process's, by the same connections.
    pub(crate) copies_here: bool,
}

impl Context {
    /// Makes the context of a coordinator with these limits.
    #[must_use]
    pub fn new(connections: Arc<Connections>, store: Arc<dyn Store>, limits: &Limits) -> Self {
        Self {
            pricing: Pricing { connections: Arc::clone(&connections), ..Pricing::default() },
            connections,
            store,
            clock: Clock::System,
            observers: SyncObservers::default(),
            reads: LogReads::default(),
            turns: Turns::new(),
            packing: Packing {
                task_objects_max: limits.task_objects_max,
                group_bytes_min: limits.group_bytes_min,
            },
            plan_time_max: limits.plan_time_max,
            copies_here: false,
        }
    }

    /// Returns the same for a coordinator whose workers are of its process.
    #[must_use]
    pub fn copying_here(self) -> Self {
        Self { copies_here: true, ..self }
    }

    /// Returns the same under another clock than the operating system's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Returns the same with other prices than the list prices.
    #[must_use]
    pub fn with_prices(self, table: PriceTable) -> Self {
        let pricing = Pricing { table: Arc::new(table), ..self.pricing };
        Self { pricing, ..self }
    }

    /// Returns the same with those who look on.
    #[must_use]
    pub fn with_observers(self, observers: SyncObservers) -> Self {
        Self { observers, ..self }
    }

    /// Returns the same for one effect, with what counts its reads.
    pub(crate) fn counted(&self) -> (Self, LogReads) {
        let reads = LogReads::default();
        (Self { reads: reads.clone(), ..self.clone() }, reads)
    }

    /// Waits until another plan may be made.
    pub(crate) async fn turn_to_plan(&self) -> Turn {
        self.turns.next().await
    }

    /// Opens a table that was resolved before.
    ///
    /// # Errors
    /// This process has the connection no more.
    pub fn open(&self, side: Side, table: &Resolved) -> Result<TableStore, Failure> {
        let table = self.connections.open(table).map_err(|error| error.failure_of(side))?;
        Ok(self.reads.count(side, table))
    }
}

/// Names a target. Jobs of one target run one after another, and find each other's evidence.
#[must_use]
pub fn target_key(target: &Resolved) -> TargetKey {
    // A local folder is the same folder over every connection.
    let store = if target.uri.starts_with("file:") { [0; 32] } else { target.fingerprint };
    TargetKey(Sha256::new().chain_update(store).chain_update(&target.uri).finalize().into())
}

/// Names the source of a table's bytes in this lineage: evidence serves it alone.
#[must_use]
pub fn source_key(source: &Resolved, lineage: &str) -> SourceKey {
    let digest = Sha256::new()
        .chain_update(source.fingerprint)
        .chain_update((source.uri.len() as u64).to_be_bytes())
        .chain_update(&source.uri)
        .chain_update(lineage);
    SourceKey(digest.finalize().into())
}

/// Runs an effect, and turns its panic into a failure.
///
/// # Errors
/// The effect's failure, or `Internal` when it panicked.
pub async fn guarded<T>(effect: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match AssertUnwindSafe(effect).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => {
            let what = panic_text(&*panic);
            let message = format!("a step of the sync panicked, which is a bug: {what}");
            Err(Failure::new(Reason::Internal, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_an_effect_is_a_failure_without_secrets() {
        let failure = guarded::<()>(async { panic!("PUT https://a/b?sig=hunter2 is odd") }).await;
        let failure = failure.unwrap_err();
        assert_eq!(failure.reason, Reason::Internal);
        let text = "a step of the sync panicked, which is a bug: PUT https://a/b?*** is odd";
        assert_eq!(failure.message, text);
    }
}
