//! What leaves the database: facts of ended jobs, their evidence, and at last the jobs themselves.
//!
//! One call is one short transaction: facts that wait to become durable wait for it. Evidence goes
//! by whole jobs in the order of their ends, so that what is of a live job is never looked at.

#[cfg(test)]
mod tests;

use std::time::Duration;

use deepclone_core::limits::{
    EVIDENCE_KEPT, EVIDENCE_ROWS_MAX, JOBS_KEPT, JOBS_KEPT_MAX, PURGE_ROWS_MAX,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{StateError, audit};

/// What a job costs of a step at least, in rows: the look-ups take time, too.
const ROWS_PER_JOB_MIN: usize = 20;

/// What is kept of ended jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeBounds {
    /// How long evidence stays once its job has ended.
    pub evidence_kept: Duration,
    /// How long an ended job stays.
    pub jobs_kept: Duration,
    /// Rows of evidence beyond which that of ended jobs goes before its time.
    pub evidence_rows_max: usize,
}

impl Default for PurgeBounds {
    fn default() -> Self {
        Self {
            evidence_kept: EVIDENCE_KEPT,
            jobs_kept: JOBS_KEPT,
            evidence_rows_max: EVIDENCE_ROWS_MAX,
        }
    }
}

impl PurgeBounds {
    /// Ended jobs stay for this long, and what belongs to them, too.
    #[must_use]
    pub fn older_than(age: Duration) -> Self {
        Self { evidence_kept: age, jobs_kept: age, ..Self::default() }
    }
}

/// Drops some of what is too old or too much, in the caller's transaction. True when more is left.
pub(super) async fn step(
    connection: &mut SqliteConnection,
    now_ms: i64,
    bounds: &PurgeBounds,
) -> Result<bool, StateError> {
    let facts = purge_facts(connection).await?;
    let surplus = surplus(connection).await?;
    let due = Due {
        ended_before_ms: now_ms.saturating_sub(milliseconds(bounds.evidence_kept)),
        rows_max: count(bounds.evidence_rows_max),
        surplus,
    };
    let evidence = purge_evidence(connection, &due).await?;
    // At last: a job's row waits for the rest.
    let ended_before_ms = now_ms.saturating_sub(milliseconds(bounds.jobs_kept));
    let jobs = purge_jobs(connection, ended_before_ms, surplus).await?;
    let audit = audit::purge(connection, now_ms).await?;
    Ok(facts || evidence || jobs || audit)
}

/// Facts of one job that is kept in short.
async fn purge_facts(connection: &mut SqliteConnection) -> Result<bool, StateError> {
    let row = sqlx::query("SELECT job FROM jobs WHERE has_facts = 1 LIMIT 1")
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let job: Vec<u8> = row.try_get(0)?;
    let deleted = sqlx::query(
        "DELETE FROM facts WHERE sequence IN
            (SELECT sequence FROM facts WHERE job = ? ORDER BY sequence LIMIT ?)",
    )
    .bind(&job)
    .bind(count(PURGE_ROWS_MAX))
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if deleted < PURGE_ROWS_MAX as u64 {
        sqlx::query("UPDATE jobs SET has_facts = 0 WHERE job = ?")
            .bind(&job)
            .execute(connection)
            .await?;
    }
    Ok(true)
}

/// Where the end of the newest job that is too many lies in the order of all facts.
async fn surplus(connection: &mut SqliteConnection) -> Result<Option<i64>, StateError> {
    let newest = "SELECT ended_sequence FROM jobs ORDER BY ended_sequence DESC LIMIT 1 OFFSET ?";
    let row = sqlx::query(newest).bind(count(JOBS_KEPT_MAX)).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Jobs that ended too long ago, or that are too many. Never one with facts: its id would be free
/// for a new job that had them, too. Never one with evidence: nobody else would find it.
async fn purge_jobs(
    connection: &mut SqliteConnection,
    ended_before_ms: i64,
    surplus: Option<i64>,
) -> Result<bool, StateError> {
    let by_age = sqlx::query(
        "DELETE FROM jobs WHERE job IN
            (SELECT job FROM jobs WHERE ended_ms < ? AND has_facts = 0 AND has_evidence = 0
             ORDER BY ended_ms LIMIT ?)",
    )
    .bind(ended_before_ms)
    .bind(count(PURGE_ROWS_MAX))
    .execute(&mut *connection)
    .await?;
    let by_count = sqlx::query(
        "DELETE FROM jobs WHERE job IN
            (SELECT job FROM jobs WHERE ended_sequence <= ? AND has_facts = 0 AND has_evidence = 0
             ORDER BY ended_sequence LIMIT ?)",
    )
    .bind(surplus)
    .bind(count(PURGE_ROWS_MAX))
    .execute(connection)
    .await?;
    Ok(by_age.rows_affected().max(by_count.rows_affected()) >= PURGE_ROWS_MAX as u64)
}

/// When evidence of an ended job goes.
struct Due {
    ended_before_ms: i64,
    /// As soon as there are more rows than these, of all jobs.
    rows_max: i64,
    /// Up to here, the jobs themselves are too many.
    surplus: Option<i64>,
}

/// Evidence of the jobs that ended first, as long as it is due.
async fn purge_evidence(connection: &mut SqliteConnection, due: &Due) -> Result<bool, StateError> {
    let mut rows_left = PURGE_ROWS_MAX;
    while rows_left > 0 {
        let Some(job) = next_due(connection, due).await? else { return Ok(false) };
        let deleted = sqlx::query(
            "DELETE FROM objects WHERE (target, key) IN
                (SELECT target, key FROM objects WHERE job = ? LIMIT ?)",
        )
        .bind(&job)
        .bind(count(rows_left))
        .execute(&mut *connection)
        .await?
        .rows_affected();
        let deleted = usize::try_from(deleted).unwrap_or(usize::MAX);
        if deleted < rows_left {
            forget(connection, &job).await?;
        }
        rows_left = rows_left.saturating_sub(deleted.max(ROWS_PER_JOB_MIN));
    }
    Ok(true)
}

/// The job whose evidence goes next.
async fn next_due(
    connection: &mut SqliteConnection,
    due: &Due,
) -> Result<Option<Vec<u8>>, StateError> {
    let oldest = sqlx::query(
        "SELECT job, ended_ms, (SELECT objects FROM objects_total) FROM jobs
         WHERE has_evidence = 1 ORDER BY ended_ms LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(oldest) = oldest else { return Ok(None) };
    let (ended_ms, total): (i64, i64) = (oldest.try_get(1)?, oldest.try_get(2)?);
    if ended_ms < due.ended_before_ms || total > due.rows_max {
        return Ok(Some(oldest.try_get(0)?));
    }
    let too_many = sqlx::query(
        "SELECT job FROM jobs WHERE ended_sequence <= ? AND has_evidence = 1
         ORDER BY ended_sequence LIMIT 1",
    )
    .bind(due.surplus)
    .fetch_optional(connection)
    .await?;
    Ok(too_many.as_ref().map(|row: &SqliteRow| row.try_get(0)).transpose()?)
}

/// Notes that a job has no evidence any more. That of its commit spoke of what it had.
async fn forget(connection: &mut SqliteConnection, job: &[u8]) -> Result<(), StateError> {
    sqlx::query("DELETE FROM publications WHERE job = ?")
        .bind(job)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE jobs SET has_evidence = 0 WHERE job = ?")
        .bind(job)
        .execute(connection)
        .await?;
    Ok(())
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
