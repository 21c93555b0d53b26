//! What the coordinator's own purge drops, by hand: sooner if that is wanted, or only counted.

use std::path::Path;

use sqlx::{Connection as _, Row as _, Sqlite, SqliteConnection, Transaction};

use super::super::purge::{PurgeBounds, step};
use super::super::{StateError, lock, usage};
use super::{open, schema};

/// Whether anything is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeMode {
    /// Rows are counted and stay.
    DryRun,
    /// Rows are dropped, in steps of one transaction each.
    Drop,
}

/// How many rows a purge dropped, or would drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgedRows {
    /// Facts of ended jobs.
    pub facts: u64,
    /// Evidence of objects at targets.
    pub objects: u64,
    /// Jobs that ended long ago.
    pub jobs: u64,
    /// Entries of who asked for what.
    pub audit: u64,
    /// Sums of what was sent in a month.
    pub usage: u64,
}

/// Purges a database that no coordinator uses.
///
/// # Errors
/// A coordinator uses it, there is no such file, or another version wrote it.
pub async fn purge(
    database: &Path,
    now_ms: i64,
    bounds: &PurgeBounds,
    mode: PurgeMode,
) -> Result<PurgedRows, StateError> {
    open::exists(database)?;
    let _lock = lock::lock(database)?;
    let mut connection = open::to_change(database).await?;
    if let Some(wrong) = schema::wrong_steps(&mut connection).await?.into_iter().next() {
        return Err(StateError::OtherSchema { path: database.display().to_string(), wrong });
    }
    let before = counts(&mut connection).await?;
    let after = match mode {
        PurgeMode::Drop => {
            loop {
                let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
                let has_more = take(&mut transaction, now_ms, bounds).await?;
                transaction.commit().await?;
                if !has_more {
                    break;
                }
            }
            counts(&mut connection).await?
        }
        PurgeMode::DryRun => {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            while take(&mut transaction, now_ms, bounds).await? {}
            let after = counts(&mut transaction).await?;
            transaction.rollback().await?;
            after
        }
    };
    Ok(PurgedRows {
        facts: before.facts - after.facts,
        objects: before.objects - after.objects,
        jobs: before.jobs - after.jobs,
        audit: before.audit - after.audit,
        usage: before.usage - after.usage,
    })
}

/// Takes one step. True when more is left.
async fn take(
    transaction: &mut Transaction<'_, Sqlite>,
    now_ms: i64,
    bounds: &PurgeBounds,
) -> Result<bool, StateError> {
    usage::purge(transaction, now_ms).await?;
    step(transaction, now_ms, bounds).await
}

async fn counts(connection: &mut SqliteConnection) -> Result<PurgedRows, StateError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM facts), (SELECT count(*) FROM objects),
                (SELECT count(*) FROM jobs), (SELECT count(*) FROM audit),
                (SELECT count(*) FROM usage) + (SELECT count(*) FROM usage_months)",
    )
    .fetch_one(connection)
    .await?;
    let count = |at: usize| Ok::<_, StateError>(row.try_get::<i64, _>(at)?.unsigned_abs());
    Ok(PurgedRows {
        facts: count(0)?,
        objects: count(1)?,
        jobs: count(2)?,
        audit: count(3)?,
        usage: count(4)?,
    })
}
