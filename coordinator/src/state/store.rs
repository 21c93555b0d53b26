//! The durable state, as the rest of the coordinator uses it.

use deepclone_core::ids::{Epoch, JobId, TargetKey};
use futures::future::BoxFuture;

use super::audit::{AuditQuery, AuditRow};
use super::entry::Entry;
use super::error::StateError;
use super::evidence::{Evidence, KnownObject};
use super::job_place::EndedJobsQuery;
use super::replications::{ReplicationRow, RowChange};
use super::usage::{UsageQuery, UsageRow, UsageSum};

/// A durable state. Every implementation passes the conformance suite of this folder.
pub trait Store: Send + Sync + 'static {
    /// Takes the lead, in a new epoch above every one before and not below `at_least`.
    fn lead(&self, at_least: Epoch) -> BoxFuture<'_, Result<Epoch, StateError>>;
    /// Returns every entry of the jobs that have not ended, and in short the `ended_max` newest
    /// that have, in the order in which they were appended.
    fn load(&self, ended_max: usize) -> BoxFuture<'_, Result<Vec<Entry>, StateError>>;
    /// Returns an ended job in short: `Created`, its last `Planned` if any, `Ended`. `None` when
    /// there is none, or it is kept no more.
    fn find(&self, job: JobId) -> BoxFuture<'_, Result<Option<Vec<Entry>>, StateError>>;
    /// Returns ended jobs in short, each as [`Store::find`] does, in the order of the query.
    fn ended_jobs<'a>(
        &'a self,
        query: &'a EndedJobsQuery,
    ) -> BoxFuture<'a, Result<Vec<Vec<Entry>>, StateError>>;
    /// Drops a bounded part of what is not needed any more. Returns true when there is more.
    fn purge(&self, epoch: Epoch, now_ms: i64) -> BoxFuture<'_, Result<bool, StateError>>;
    /// Makes a batch durable: all of it, or nothing.
    fn append<'a>(
        &'a self,
        epoch: Epoch,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<(), StateError>>;
    /// Makes a small write durable that changes nothing which is kept: it fails, or does not end,
    /// when facts could not be made durable either.
    fn probe(&self, epoch: Epoch) -> BoxFuture<'_, Result<(), StateError>> {
        Box::pin(async move { self.append(epoch, &Batch::default()).await })
    }
    /// Returns whether there is evidence of any key of a target.
    fn has_evidence(&self, target: TargetKey) -> BoxFuture<'_, Result<bool, StateError>>;
    /// Returns the evidence for these keys of a target that was recorded at `since_ms` or later, by
    /// key.
    fn evidence<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [&'a str],
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<KnownObject>, StateError>>;
    /// Records that the commit of a job may be in its target's log from here on: no job replaces
    /// what this one copied.
    fn intend(&self, job: JobId, now_ms: i64) -> BoxFuture<'_, Result<(), StateError>>;
    /// Returns every row of replications, by key.
    fn replication_rows(&self) -> BoxFuture<'_, Result<Vec<ReplicationRow>, StateError>>;
    /// Returns the rows of one kind, by key.
    fn rows_of_kind<'a>(
        &'a self,
        kind: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ReplicationRow>, StateError>> {
        Box::pin(async move {
            let mut rows = self.replication_rows().await?;
            rows.retain(|row| row.key.kind == kind);
            Ok(rows)
        })
    }
    /// Makes changes of such rows durable: all of them, or none.
    fn change_rows<'a>(
        &'a self,
        epoch: Epoch,
        changes: &'a [RowChange],
    ) -> BoxFuture<'a, Result<(), StateError>>;
    /// Returns what the jobs that have not ended sent.
    fn live_usage(&self) -> BoxFuture<'_, Result<Vec<UsageRow>, StateError>>;
    /// Returns what was sent in a month, summed up, in the order of the labels.
    fn usage<'a>(
        &'a self,
        query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageSum>, StateError>>;
    /// Adds rows of who asked for what.
    fn audit<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), StateError>>;
    /// Returns such rows, the newest first.
    fn audited<'a>(
        &'a self,
        query: &'a AuditQuery,
    ) -> BoxFuture<'a, Result<Vec<AuditRow>, StateError>>;
    /// Drops the evidence for these keys, whose objects are gone.
    fn forget<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<(), StateError>>;
}

/// What one transaction makes durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub entries: Vec<Entry>,
    /// What the receipts among the entries saw.
    pub evidence: Vec<(TargetKey, Evidence)>,
    /// What the jobs of the entries sent so far.
    pub usage: Vec<UsageRow>,
}
