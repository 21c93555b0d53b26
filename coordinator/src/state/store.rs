//! The durable state as the rest of the coordinator uses it.

use deepclone_core::ids::{Epoch, JobId, TargetKey};
use futures::future::BoxFuture;

use super::entry::Entry;
use super::error::StateError;
use super::evidence::{Evidence, KnownObject};

/// A durable state. Implementations pass one conformance suite.
pub trait Store: Send + Sync + 'static {
    /// Takes the lead in a new term.
    fn lead(&self) -> BoxFuture<'_, Result<Epoch, StateError>>;
    /// Every entry of the jobs that have not ended, and in short the `ended_max` newest that have,
    /// in the order in which they were appended.
    fn load(&self, ended_max: usize) -> BoxFuture<'_, Result<Vec<Entry>, StateError>>;
    /// An ended job in short: `Created`, its last `Planned` if any, `Ended`. None: there is none,
    /// or it is not kept any more.
    fn find(&self, job: JobId) -> BoxFuture<'_, Result<Option<Vec<Entry>>, StateError>>;
    /// Drops a bounded part of what is not needed any more. True: there is more, call again.
    fn purge(&self, epoch: Epoch, now_ms: i64) -> BoxFuture<'_, Result<bool, StateError>>;
    /// Makes a batch durable, whole or not at all.
    fn append<'a>(
        &'a self,
        epoch: Epoch,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<(), StateError>>;
    /// Evidence for these keys of a target, recorded at `since_ms` or later, by key.
    fn evidence<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [&'a str],
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<KnownObject>, StateError>>;
    /// Notes that the commit of a job may be in its target's log from here on: what it copied is
    /// never replaced any more.
    fn intend(&self, job: JobId, now_ms: i64) -> BoxFuture<'_, Result<(), StateError>>;
    /// Drops the evidence for these keys: their objects turned out to be gone.
    fn forget<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<(), StateError>>;
}

/// What one transaction makes durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Facts, in order.
    pub entries: Vec<Entry>,
    /// What the receipts among them saw.
    pub evidence: Vec<(TargetKey, Evidence)>,
}
