//! Ended jobs in SQLite: kept in short, and found by id.
//!
//! Flow: the transaction that makes the end of a job durable also writes its row in `jobs`; the
//! purge then drops the job's facts, later its evidence, and at last the row.

use deepclone_core::ids::{Epoch, JobId};
use deepclone_core::machine::{Fact, Progress};
use futures::stream::BoxStream;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use super::{EndedJobsQuery, Entry, JobOrder, StateError, encoding};

const COLUMNS: &str = "job, created_sequence, created_ms, created, planned_sequence, planned_ms, \
                       planned, ended_sequence, ended_ms, ended, limited_sequence, limited_ms, \
                       limited";

/// Entries, each with its sequence number among all facts.
type Placed = Vec<(i64, Entry)>;

/// Writes the row of an ended job, whose facts are in the database, from them.
pub(super) async fn keep_in_short(
    connection: &mut SqliteConnection,
    job: JobId,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO jobs (job, created_sequence, created_ms, created, planned_sequence,
                           planned_ms, planned, ended_sequence, ended_ms, ended,
                           limited_sequence, limited_ms, limited, has_evidence)
         SELECT c.job, c.sequence, c.recorded_ms, c.body, p.sequence, p.recorded_ms, p.body,
                e.sequence, e.recorded_ms, e.body, l.sequence, l.recorded_ms, l.body,
                EXISTS(SELECT 1 FROM objects WHERE job = ?1)
                OR EXISTS(SELECT 1 FROM publications WHERE job = ?1)
         FROM facts c
         JOIN facts e ON e.sequence =
            (SELECT max(sequence) FROM facts WHERE job = ?1 AND kind = 'ended')
         LEFT JOIN facts p ON p.sequence =
            (SELECT max(sequence) FROM facts WHERE job = ?1 AND kind = 'planned')
         LEFT JOIN facts l ON l.sequence =
            (SELECT max(sequence) FROM facts WHERE job = ?1 AND kind = 'limited')
         WHERE c.job = ?1 AND c.kind = 'created'",
    )
    .bind(job.0.as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// True when the job ended and is kept in short.
pub(super) async fn is_kept(
    connection: &mut SqliteConnection,
    job: JobId,
) -> Result<bool, StateError> {
    let row = sqlx::query("SELECT 1 FROM jobs WHERE job = ?")
        .bind(job.0.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Returns the newest ended jobs, `most` of them at the most.
pub(super) async fn newest(pool: &SqlitePool, most: usize) -> Result<Placed, StateError> {
    let query = format!("SELECT {COLUMNS} FROM jobs ORDER BY ended_sequence DESC LIMIT ?");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await?;
    let mut placed = Placed::new();
    for row in &rows {
        placed.extend(entries(row)?);
    }
    Ok(placed)
}

/// Returns an ended job. `None` when there is none of this id, or it is purged.
pub(super) async fn find(pool: &SqlitePool, job: JobId) -> Result<Option<Vec<Entry>>, StateError> {
    let query = format!("SELECT {COLUMNS} FROM jobs WHERE job = ?");
    let row = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(job.0.as_bytes().as_slice())
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(entries(&row)?.into_iter().map(|(_, entry)| entry).collect()))
}

/// Returns ended jobs as a query asks for them.
pub(super) async fn list(
    pool: &SqlitePool,
    query: &EndedJobsQuery,
) -> Result<Vec<Vec<Entry>>, StateError> {
    let (is_after, order) = match query.order {
        JobOrder::NewestFirst => ("<", "DESC"),
        JobOrder::OldestFirst => (">", "ASC"),
    };
    // Without a place to begin after: one that no job has, before all others of the order.
    let nowhere = match query.order {
        JobOrder::NewestFirst => (i64::MAX, Uuid::max()),
        JobOrder::OldestFirst => (i64::MIN, Uuid::nil()),
    };
    let (created_ms, job) = query.after.map_or(nowhere, |after| (after.created_ms, after.job.0));
    let text = format!(
        "SELECT {COLUMNS} FROM jobs WHERE (created_ms, job) {is_after} (?, ?) AND created_ms >= ? \
         AND created_ms < ? ORDER BY created_ms {order}, job {order} LIMIT ?"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(created_ms)
        .bind(job.as_bytes().as_slice())
        .bind(query.created_ms.start)
        .bind(query.created_ms.end)
        .bind(i64::try_from(query.size).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await?;
    let of_job = |row: &SqliteRow| -> Result<Vec<Entry>, StateError> {
        Ok(entries(row)?.into_iter().map(|(_, entry)| entry).collect())
    };
    rows.iter().map(of_job).collect()
}

/// Returns the row of every ended job, with its name as `name`, in the order of their ends.
pub(super) fn every(
    connection: &mut SqliteConnection,
) -> BoxStream<'_, Result<SqliteRow, sqlx::Error>> {
    let query =
        format!("SELECT {COLUMNS}, lower(hex(job)) AS name FROM jobs ORDER BY ended_sequence");
    sqlx::query(sqlx::AssertSqlSafe(query)).fetch(connection)
}

/// Returns the entries of a row of ended jobs.
pub(super) fn entries(row: &SqliteRow) -> Result<Placed, StateError> {
    let job = job_id(row.try_get(0)?)?;
    let mut placed = Placed::with_capacity(4);
    for (at, kind) in [(1, "created"), (10, "limited"), (4, "planned"), (7, "ended")] {
        let Some(sequence) = row.try_get::<Option<i64>, _>(at)? else { continue };
        let entry = encoding::decode(job, kind, row.try_get(at + 2)?, row.try_get(at + 1)?)?;
        placed.push((sequence, entry));
    }
    Ok(placed)
}

/// Writes the rows of jobs that ended before there was a table for them. Their progress is counted
/// from their receipts.
pub(super) async fn keep_older_ends(
    mut transaction: Transaction<'_, Sqlite>,
) -> Result<(), StateError> {
    let rows = sqlx::query(
        "SELECT DISTINCT job FROM facts WHERE kind = 'ended' AND job NOT IN (SELECT job FROM jobs)",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for row in &rows {
        let job = job_id(row.try_get(0)?)?;
        let facts = sqlx::query(
            "SELECT sequence, kind, body, recorded_ms FROM facts WHERE job = ? ORDER BY sequence",
        )
        .bind(job.0.as_bytes().as_slice())
        .fetch_all(&mut *transaction)
        .await?;
        let mut progress = Progress::default();
        for row in &facts {
            let mut entry =
                encoding::decode(job, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)?;
            if let Fact::TaskDone { receipt, .. } = &entry.fact {
                progress.count(receipt);
            }
            if let Fact::Ended { progress: ended_with, .. } = &mut entry.fact
                && *ended_with == Progress::default()
            {
                *ended_with = progress;
                let (_, _, body) = encoding::encode(&entry);
                sqlx::query("UPDATE facts SET body = ? WHERE sequence = ?")
                    .bind(body)
                    .bind(row.try_get::<i64, _>(0)?)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        keep_in_short(&mut transaction, job).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Checks that `epoch` still leads. The caller's transaction holds the write lock: no other epoch
/// can begin before it commits.
pub(super) async fn check_term(
    connection: &mut SqliteConnection,
    epoch: Epoch,
) -> Result<(), StateError> {
    let row = sqlx::query("SELECT epoch FROM leader").fetch_one(connection).await?;
    let leading: i64 = row.try_get(0)?;
    if leading.unsigned_abs() == epoch.0 { Ok(()) } else { Err(StateError::Deposed) }
}

/// Reads the id of a job.
pub(super) fn job_id(bytes: &[u8]) -> Result<JobId, StateError> {
    let damaged = |error: uuid::Error| StateError::Damaged {
        kind: "job id".to_owned(),
        why: error.to_string(),
    };
    Uuid::from_slice(bytes).map(JobId).map_err(damaged)
}
