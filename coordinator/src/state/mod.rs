//! What survives a crash of the coordinator: facts, evidence of objects, and who leads.
//!
//! Words: an *entry* is a fact with its time and a note; a *batch* is what one transaction makes
//! durable; *evidence* is an object that a receipt saw whole at a target.
//!
//! Flow: [`Store::lead`] once, [`Store::load`] once, then [`Store::append`] batch by batch (I4).
//! Every append checks the term of the writer, so that an old leader loses, never the facts.
//!
//! A job that ended is kept in short: what it was asked for, its last plan, its end. That is found
//! by [`Store::find`] for as long as it is kept; [`Store::purge`] drops everything else of it, and
//! what is too old.

mod encoding;
mod evidence;
mod history;
mod lock;
mod purge;
mod sqlite;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use deepclone_common::connections::Resolved;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{Epoch, JobId, TargetKey};
use deepclone_core::machine::Fact;
use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use futures::future::BoxFuture;

pub use encoding::{decode_spec, encode_spec};
pub use evidence::{Evidence, KnownObject};
pub use sqlite::{Place, SqliteStore};

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

/// A fact as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened.
    pub fact: Fact,
    /// What the engine does not see of a plan; with `Planned` and `Ended` facts only.
    pub note: Option<PlanNote>,
    /// When, in milliseconds since 1970 (UTC).
    pub recorded_ms: i64,
}

/// What people are told of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanNote {
    /// Databricks' figures under their own names; sizes in bytes.
    pub clone_metrics: BTreeMap<String, i64>,
    /// Remarks, one line each.
    pub notices: Vec<String>,
}

/// What one transaction makes durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Facts, in order.
    pub entries: Vec<Entry>,
    /// What the receipts among them saw.
    pub evidence: Vec<(TargetKey, Evidence)>,
}

/// A job's order as it was accepted: the spec and both sides as they were resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// What was asked for.
    pub spec: CloneSpec,
    /// The table copied from.
    pub source: Resolved,
    /// Where to.
    pub target: Resolved,
}

/// Why the durable state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database is another process's.
    #[error("the database {path} is used by another coordinator: stop that one, or name another")]
    Locked {
        /// The file.
        path: String,
    },
    /// Another coordinator leads now.
    #[error("another coordinator took the lead of this database")]
    Deposed,
    /// A job is created under the id of one that ended: a bug of the caller.
    #[error("the job {job} was created and ended before")]
    CreatedTwice {
        /// The job.
        job: JobId,
    },
    /// What was read means nothing.
    #[error("the database holds a {kind} that cannot be read: {why}")]
    Damaged {
        /// The kind of the fact.
        kind: String,
        /// What is wrong.
        why: String,
    },
    /// The file of the database or its lock.
    #[error("cannot open the database {path}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The database's own error.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl StateError {
    /// The error as it leaves the process.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let reason = match self {
            Self::Locked { .. } | Self::File { .. } => Reason::InvalidArgument,
            Self::Deposed => Reason::CoordinatorUnavailable,
            Self::CreatedTwice { .. }
            | Self::Damaged { .. }
            | Self::Database(_)
            | Self::Migrate(_) => Reason::Internal,
        };
        let message = match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        };
        Failure::new(reason, message.replace('\n', " "))
    }
}
