//! The state in one SQLite file: the embedded default.
//!
//! One connection: a single writer needs no pool, and a private database lives in its connection.
//! WAL with `synchronous = FULL`: a committed batch survives the loss of power.

use std::fs::File;
use std::path::PathBuf;

use deepclone_core::ids::{Epoch, JobId, TargetKey};
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction};
use uuid::Uuid;

use super::{Batch, Entry, KnownObject, Store, StoreError, encoding, evidence, lock};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Where the state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this file, which is made when it is absent.
    File(PathBuf),
    /// In memory: gone with the process.
    Private,
}

/// The state in SQLite.
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the state and brings its schema up to date.
    ///
    /// # Errors
    /// Another process uses it, or it cannot be opened.
    pub async fn open(place: &Place) -> Result<Self, StoreError> {
        let (options, lock) = match place {
            Place::File(path) => {
                let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
                (options.journal_mode(SqliteJournalMode::Wal), Some(lock::lock(path)?))
            }
            Place::Private => (SqliteConnectOptions::new().in_memory(true), None),
        };
        let options = options.synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        MIGRATIONS.run(&pool).await?;
        Ok(Self { pool, _lock: lock })
    }

    async fn begin(&self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn take_lead(&self) -> Result<Epoch, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query("UPDATE leader SET epoch = epoch + 1 RETURNING epoch")
            .fetch_one(&mut *transaction)
            .await?;
        let epoch: i64 = row.try_get(0)?;
        transaction.commit().await?;
        Ok(Epoch(epoch.unsigned_abs()))
    }

    async fn load_all(&self) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query("SELECT job, kind, body, recorded_ms FROM facts ORDER BY sequence")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let job = job_id(row.try_get(0)?)?;
                encoding::decode(job, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)
            })
            .collect()
    }

    async fn append_batch(&self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        // The write lock is ours from BEGIN IMMEDIATE on: the term cannot change under us.
        let row = sqlx::query("SELECT epoch FROM leader").fetch_one(&mut *transaction).await?;
        let leading: i64 = row.try_get(0)?;
        if leading.unsigned_abs() != epoch.0 {
            return Err(StoreError::Deposed);
        }
        for entry in &batch.entries {
            let (job, kind, body) = encoding::encode(entry);
            sqlx::query("INSERT INTO facts (job, kind, body, recorded_ms) VALUES (?, ?, ?, ?)")
                .bind(job.0.as_bytes().as_slice())
                .bind(kind)
                .bind(body)
                .bind(entry.recorded_ms)
                .execute(&mut *transaction)
                .await?;
        }
        for (target, found) in &batch.evidence {
            evidence::record(&mut transaction, *target, found).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn forget_keys(&self, target: TargetKey, keys: &[String]) -> Result<(), StoreError> {
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

/// The job of these 16 bytes.
pub(super) fn job_id(bytes: &[u8]) -> Result<JobId, StoreError> {
    let damaged = |error: uuid::Error| StoreError::Damaged {
        kind: "job id".to_owned(),
        why: error.to_string(),
    };
    Uuid::from_slice(bytes).map(JobId).map_err(damaged)
}

impl Store for SqliteStore {
    fn lead(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        Box::pin(self.take_lead())
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        Box::pin(self.load_all())
    }

    fn append<'a>(
        &'a self,
        epoch: Epoch,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.append_batch(epoch, batch))
    }

    fn evidence<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [&'a str],
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<KnownObject>, StoreError>> {
        Box::pin(evidence::find(&self.pool, target, keys, since_ms))
    }

    fn intend(&self, job: JobId, now_ms: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(evidence::intend(&self.pool, job, now_ms))
    }

    fn forget<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.forget_keys(target, keys))
    }
}
