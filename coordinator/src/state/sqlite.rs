//! The state in one SQLite file: the embedded default.
//!
//! One connection writes: a single writer needs no pool, and a private database lives in its
//! connection. Readers of a file have connections of their own, so that look-ups of evidence and of
//! ended jobs do not delay facts. With WAL and `synchronous = FULL` a committed batch survives the
//! loss of power.

use std::fs::File;
use std::path::PathBuf;

use deepclone_core::ids::{Epoch, JobId, TargetKey};
use deepclone_core::limits::EVIDENCE_ROWS_MAX;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Row as _, Sqlite, Transaction};

use super::history::{self, job_id};
use super::migrations::MIGRATIONS;
use super::{
    AuditQuery, AuditRow, Batch, EndedJobsQuery, Entry, KnownObject, ReplicationRow, RowChange,
    StateError, Store, UsageQuery, UsageRow, UsageSum, audit, encoding, evidence, facts, lock,
    purge, replications, usage,
};

/// Connections that read a file at the same time; further reads wait.
const READERS_MAX: u32 = 4;

/// Where the state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this file, which is created if it is absent.
    File(PathBuf),
    /// In memory, until the process ends.
    Private,
}

impl Place {
    /// Returns the file; `None` in memory.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Private => None,
        }
    }
}

/// The [`Store`] in SQLite.
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    /// Equals `pool` for a private database, which has only one connection.
    readers: SqlitePool,
    evidence_rows_max: usize,
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the state and brings its schema up to date.
    ///
    /// # Errors
    /// Another process uses it, or it cannot be opened.
    pub async fn open(place: &Place) -> Result<Self, StateError> {
        let (options, lock) = match place {
            Place::File(path) => {
                let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
                (options.journal_mode(SqliteJournalMode::Wal), Some(lock::lock(path)?))
            }
            Place::Private => (SqliteConnectOptions::new().in_memory(true), None),
        };
        let options = options.synchronous(SqliteSynchronous::Full);
        let mut pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None);
        if matches!(place, Place::File(_)) {
            // A commit that failed of the disk was rolled back by SQLite itself, which the client
            // does not know: no transaction would begin on this connection any more.
            pool = pool.before_acquire(|connection, _| {
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            });
        } else {
            // A caller that goes while its connection is tried takes the connection along, and with
            // it all of a private database.
            pool = pool.test_before_acquire(false);
        }
        let pool = pool.connect_with(options.clone()).await?;
        MIGRATIONS.run(&pool).await?;
        history::keep_older_ends(pool.begin_with("BEGIN IMMEDIATE").await?).await?;
        let readers = match place {
            Place::File(_) => SqlitePoolOptions::new()
                .max_connections(READERS_MAX)
                .connect_lazy_with(options.create_if_missing(false).read_only(true)),
            Place::Private => pool.clone(),
        };
        Ok(Self { pool, readers, evidence_rows_max: EVIDENCE_ROWS_MAX, _lock: lock })
    }

    #[cfg(test)]
    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    #[cfg(test)]
    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    #[cfg(test)]
    pub(super) fn with_evidence_rows_max(self, evidence_rows_max: usize) -> Self {
        Self { evidence_rows_max, ..self }
    }

    async fn begin(&self) -> Result<Transaction<'_, Sqlite>, StateError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn take_lead(&self, at_least: Epoch) -> Result<Epoch, StateError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query("UPDATE leader SET epoch = max(epoch + 1, ?) RETURNING epoch")
            .bind(at_least.0.cast_signed())
            .fetch_one(&mut *transaction)
            .await?;
        let epoch: i64 = row.try_get(0)?;
        transaction.commit().await?;
        Ok(Epoch(epoch.unsigned_abs()))
    }

    async fn load_all(&self, ended_max: usize) -> Result<Vec<Entry>, StateError> {
        let mut placed = history::newest(&self.readers, ended_max).await?;
        let mut rows = sqlx::query(
            "SELECT job, kind, body, recorded_ms, sequence FROM facts
             WHERE job NOT IN (SELECT job FROM jobs) ORDER BY sequence",
        )
        .fetch(&self.readers);
        while let Some(row) = rows.try_next().await? {
            let job = job_id(row.try_get(0)?)?;
            let entry = encoding::decode(job, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)?;
            placed.push((row.try_get(4)?, entry));
        }
        placed.sort_by_key(|(sequence, _)| *sequence);
        Ok(placed.into_iter().map(|(_, entry)| entry).collect())
    }

    async fn append_batch(&self, epoch: Epoch, batch: &Batch) -> Result<(), StateError> {
        let mut transaction = self.begin().await?;
        history::check_term(&mut transaction, epoch).await?;
        // Before the entries: the end of a job tells whether it leaves any.
        evidence::record(&mut transaction, &batch.evidence).await?;
        usage::write(&mut transaction, &batch.usage).await?;
        let mut rows = Vec::with_capacity(batch.entries.len());
        for entry in &batch.entries {
            let (job, kind, body) = encoding::encode(entry);
            if kind == "created" && history::is_kept(&mut transaction, job).await? {
                return Err(StateError::CreatedTwice { job });
            }
            rows.push((job, kind, body, entry.recorded_ms));
            if kind == "ended" {
                facts::append(&mut transaction, &std::mem::take(&mut rows)).await?;
                history::keep_in_short(&mut transaction, job).await?;
                usage::close(&mut transaction, job).await?;
            }
        }
        facts::append(&mut transaction, &rows).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn purge_some(&self, epoch: Epoch, now_ms: i64) -> Result<bool, StateError> {
        let mut transaction = self.begin().await?;
        history::check_term(&mut transaction, epoch).await?;
        usage::purge(&mut transaction, now_ms).await?;
        let evidence_rows_max = self.evidence_rows_max;
        let bounds = purge::PurgeBounds { evidence_rows_max, ..Default::default() };
        let has_more = purge::step(&mut transaction, now_ms, &bounds).await?;
        transaction.commit().await?;
        Ok(has_more)
    }

    /// Writes one page: a number of the header that nobody reads. SQLite writes it also when it
    /// stays the same.
    async fn write_probe(&self, epoch: Epoch) -> Result<(), StateError> {
        let mut transaction = self.begin().await?;
        history::check_term(&mut transaction, epoch).await?;
        sqlx::query("PRAGMA user_version = 1").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn forget_keys(&self, target: TargetKey, keys: &[String]) -> Result<(), StateError> {
        let mut transaction = self.begin().await?;
        for key in keys {
            sqlx::query("DELETE FROM objects WHERE target = ? AND key = ?")
                .bind(target.0.as_slice())
                .bind(key)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

impl Store for SqliteStore {
    fn lead(&self, at_least: Epoch) -> BoxFuture<'_, Result<Epoch, StateError>> {
        Box::pin(self.take_lead(at_least))
    }

    fn load(&self, ended_max: usize) -> BoxFuture<'_, Result<Vec<Entry>, StateError>> {
        Box::pin(self.load_all(ended_max))
    }

    fn find(&self, job: JobId) -> BoxFuture<'_, Result<Option<Vec<Entry>>, StateError>> {
        Box::pin(history::find(&self.readers, job))
    }

    fn ended_jobs<'a>(
        &'a self,
        query: &'a EndedJobsQuery,
    ) -> BoxFuture<'a, Result<Vec<Vec<Entry>>, StateError>> {
        Box::pin(history::list(&self.readers, query))
    }

    fn purge(&self, epoch: Epoch, now_ms: i64) -> BoxFuture<'_, Result<bool, StateError>> {
        Box::pin(self.purge_some(epoch, now_ms))
    }

    fn append<'a>(
        &'a self,
        epoch: Epoch,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(self.append_batch(epoch, batch))
    }

    fn probe(&self, epoch: Epoch) -> BoxFuture<'_, Result<(), StateError>> {
        Box::pin(self.write_probe(epoch))
    }

    fn has_evidence(&self, target: TargetKey) -> BoxFuture<'_, Result<bool, StateError>> {
        Box::pin(evidence::has_any(&self.readers, target))
    }

    fn evidence<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [&'a str],
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<KnownObject>, StateError>> {
        Box::pin(evidence::find(&self.readers, target, keys, since_ms))
    }

    fn intend(&self, job: JobId, now_ms: i64) -> BoxFuture<'_, Result<(), StateError>> {
        Box::pin(evidence::intend(&self.pool, job, now_ms))
    }

    fn replication_rows(&self) -> BoxFuture<'_, Result<Vec<ReplicationRow>, StateError>> {
        Box::pin(replications::load(&self.readers))
    }

    fn rows_of_kind<'a>(
        &'a self,
        kind: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ReplicationRow>, StateError>> {
        Box::pin(replications::load_kind(&self.readers, kind))
    }

    fn change_rows<'a>(
        &'a self,
        epoch: Epoch,
        changes: &'a [RowChange],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(async move { replications::write(self.begin().await?, epoch, changes).await })
    }

    fn live_usage(&self) -> BoxFuture<'_, Result<Vec<UsageRow>, StateError>> {
        Box::pin(usage::live(&self.readers))
    }

    fn usage<'a>(
        &'a self,
        query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageSum>, StateError>> {
        Box::pin(usage::find(&self.readers, query))
    }

    fn audit<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            audit::write(&mut transaction, rows).await?;
            Ok(transaction.commit().await?)
        })
    }

    fn audited<'a>(
        &'a self,
        query: &'a AuditQuery,
    ) -> BoxFuture<'a, Result<Vec<AuditRow>, StateError>> {
        Box::pin(audit::read(&self.readers, query))
    }

    fn forget<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        Box::pin(self.forget_keys(target, keys))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_probe_writes_and_fails_as_facts_would() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let store = SqliteStore::open(&Place::File(file.clone())).await.unwrap();
        let epoch = store.lead(Epoch(0)).await.unwrap();
        let written = || std::fs::metadata(folder.path().join("state.db-wal")).unwrap().len();
        for _ in 0..3 {
            let before = written();
            store.probe(epoch).await.unwrap();
            assert!(written() > before, "nothing reached the disk");
        }
        let batch = Batch::default();
        let refused = |outcome: Result<(), StateError>| outcome.unwrap_err().failure().message;

        sqlx::query("PRAGMA query_only = ON").execute(&store.pool).await.unwrap();
        let message = refused(store.probe(epoch).await);
        assert!(message.contains("readonly"), "{message}");
        sqlx::query("PRAGMA query_only = OFF").execute(&store.pool).await.unwrap();

        let busy = "PRAGMA busy_timeout = 50";
        sqlx::query(busy).execute(&store.pool).await.unwrap();
        let other = SqliteConnectOptions::new().filename(&file);
        let other = SqlitePoolOptions::new().max_connections(1).connect_with(other).await.unwrap();
        let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let message = refused(store.probe(epoch).await);
        assert!(message.contains("locked"), "{message}");
        drop(held);
        // The other connection ends its transaction a moment later.
        let waited = async {
            while store.probe(epoch).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), waited).await.unwrap();

        store.lead(Epoch(0)).await.unwrap();
        assert_eq!(refused(store.probe(epoch).await), refused(store.append(epoch, &batch).await));
    }

    /// Its one connection is all there is of it.
    #[tokio::test]
    async fn a_private_state_outlives_questions_whose_caller_has_gone() {
        let store = SqliteStore::open(&Place::Private).await.unwrap();
        for polls in (0..1_000).map(|number| number % 5) {
            let mut question = store.has_evidence(TargetKey([1; 32]));
            for _ in 0..polls {
                if (&mut question).now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(store.lead(Epoch(7)).await.unwrap(), Epoch(7));
    }
}
