//! The durable state of a coordinator, which may die before or after each use of it. No task is
//! done twice, unless its objects turned out to be gone in between. Parts of an upload that is not
//! known are done again: a worker may report them after the state was lost that knew it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deepclone_coordinator::state::{
    AuditQuery, AuditRow, Batch, EndedJobsQuery, Entry, KnownObject, MemoryStore, ReplicationRow,
    RowChange, StateError, Store, UsageQuery, UsageRow, UsageSum,
};
use deepclone_core::ids::{Epoch, JobId, TargetKey, TaskFingerprint};
use deepclone_core::machine::Fact;
use futures::future::BoxFuture;

use crate::process::Process;
use crate::world::World;

/// A state that outlives its coordinators, and the tasks that it says are done.
#[derive(Default)]
pub(crate) struct KeptState {
    store: MemoryStore,
    done: Mutex<BTreeSet<DoneTask>>,
}

/// A task that is done, with the upload whose parts it wrote.
type DoneTask = (JobId, TaskFingerprint, Option<String>);

impl KeptState {
    fn done(&self) -> MutexGuard<'_, BTreeSet<DoneTask>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The durable state as one coordinator reaches it, and may die at.
pub(crate) struct ProcessState {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Process>,
    pub(crate) kept: Arc<KeptState>,
}

impl ProcessState {
    async fn append_checked(&self, epoch: Epoch, batch: &Batch) -> Result<(), StateError> {
        self.kept.store.append(epoch, batch).await?;
        for entry in &batch.entries {
            if let Fact::GroupRestarted { job, fingerprints } = &entry.fact {
                // Its upload is lost, and all of it begins again.
                self.kept.done().retain(|(of, task, _)| of != job || !fingerprints.contains(task));
            }
            if let Fact::TaskDone { job, fingerprint, receipt } = &entry.fact {
                let upload = receipt.upload.as_ref().filter(|_| !receipt.parts.is_empty());
                let upload = upload.map(|upload| upload.id.clone());
                if !self.kept.done().insert((*job, *fingerprint, upload)) {
                    self.world.violate(format!("{fingerprint:?} of {job} is done twice"));
                }
            }
        }
        Ok(())
    }

    async fn guard<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::task::yield_now().await;
        self.process.alive().await;
        let dies = {
            let mut parts = self.world.lock();
            let chance = parts.faults.deaths(self.process.role);
            parts.random.chance(chance)
        };
        let is_before = dies && self.world.lock().random.chance(500);
        if is_before {
            self.process.die();
            return std::future::pending().await;
        }
        let answer = work.await;
        if dies {
            self.process.die();
        }
        self.process.alive().await;
        answer
    }
}

impl Store for ProcessState {
    fn lead(&self, at_least: Epoch) -> BoxFuture<'_, Result<Epoch, StateError>> {
        Box::pin(self.guard(self.kept.store.lead(at_least)))
    }

    fn load(&self, ended_max: usize) -> BoxFuture<'_, Result<Vec<Entry>, StateError>> {
        Box::pin(self.guard(self.kept.store.load(ended_max)))
    }

    fn find(&self, job: JobId) -> BoxFuture<'_, Result<Option<Vec<Entry>>, StateError>> {
        Box::pin(self.guard(self.kept.store.find(job)))
    }

    fn ended_jobs<'a>(
        &'a self,
        query: &'a EndedJobsQuery,
    ) -> BoxFuture<'a, Result<Vec<Vec<Entry>>, StateError>> {
        Box::pin(self.guard(self.kept.store.ended_jobs(query)))
    }

    fn purge(&self, epoch: Epoch, now_ms: i64) -> BoxFuture<'_, Result<bool, StateError>> {
        Box::pin(self.guard(self.kept.store.purge(epoch, now_ms)))
    }

    fn append<'a>(
        &'a self,
        epoch: Epoch,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(self.guard(self.append_checked(epoch, batch)))
    }

    fn has_evidence(&self, target: TargetKey) -> BoxFuture<'_, Result<bool, StateError>> {
        Box::pin(self.guard(self.kept.store.has_evidence(target)))
    }

    fn evidence<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [&'a str],
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<KnownObject>, StateError>> {
        Box::pin(self.guard(self.kept.store.evidence(target, keys, since_ms)))
    }

    fn intend(&self, job: JobId, now_ms: i64) -> BoxFuture<'_, Result<(), StateError>> {
        Box::pin(self.guard(self.kept.store.intend(job, now_ms)))
    }

    fn replication_rows(&self) -> BoxFuture<'_, Result<Vec<ReplicationRow>, StateError>> {
        Box::pin(self.guard(self.kept.store.replication_rows()))
    }

    fn change_rows<'a>(
        &'a self,
        epoch: Epoch,
        changes: &'a [RowChange],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(self.guard(self.kept.store.change_rows(epoch, changes)))
    }

    fn live_usage(&self) -> BoxFuture<'_, Result<Vec<UsageRow>, StateError>> {
        Box::pin(self.guard(self.kept.store.live_usage()))
    }

    fn usage<'a>(
        &'a self,
        query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageSum>, StateError>> {
        Box::pin(self.guard(self.kept.store.usage(query)))
    }

    fn audit<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(self.guard(self.kept.store.audit(rows)))
    }

    fn audited<'a>(
        &'a self,
        query: &'a AuditQuery,
    ) -> BoxFuture<'a, Result<Vec<AuditRow>, StateError>> {
        Box::pin(self.guard(self.kept.store.audited(query)))
    }

    fn forget<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        self.kept.done().clear();
        Box::pin(self.guard(self.kept.store.forget(target, keys)))
    }
}
