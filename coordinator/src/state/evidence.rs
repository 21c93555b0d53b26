//! Evidence as rows: the newest of each key of a target, found by key.

use deepclone_core::ids::{JobId, SourceKey, TargetKey};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqlitePool, Transaction};

use super::row_parts::row_parts;
use super::{StateError, history};

/// Keys that are asked for at once: each question wakes another thread, and the keys of one are
/// some hundred kilobytes of text.
pub const EVIDENCE_KEYS_MAX: usize = 4_096;

/// An object that a receipt saw whole at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its key below the target's folder.
    pub key: String,
    /// The source that its bytes were read from.
    pub source: SourceKey,
    /// Its length in bytes.
    pub size: u64,
    /// CRC-64/NVME of its bytes.
    pub crc64nvme: u64,
    /// The source's entity tag when they were read; empty where it has none.
    pub source_etag: String,
    /// The target's entity tag; empty where it has none.
    pub target_etag: String,
    /// True when the copy found it at the target instead of writing it.
    pub existed: bool,
    /// The name of the worker that saw it.
    pub worker: String,
    /// The job whose receipt saw it.
    pub job: JobId,
    /// The earliest time at which it may have been seen, in milliseconds since 1970 (UTC).
    pub recorded_ms: i64,
}

/// Evidence, with what is known of its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownObject {
    pub evidence: Evidence,
    /// True when the commit of its job may be in the target's log.
    pub may_be_published: bool,
}

/// Records evidence of objects of targets, and replaces what was known of their keys.
pub(super) async fn record(
    transaction: &mut Transaction<'_, Sqlite>,
    found: &[(TargetKey, Evidence)],
) -> Result<(), StateError> {
    for part in row_parts(found) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO objects (target, key, source, size, crc64nvme, source_etag, target_etag,
                                  existed, worker, job, recorded_ms) ",
        );
        insert.push_values(part, |mut row, (target, evidence)| {
            row.push_bind(target.0.as_slice())
                .push_bind(&evidence.key)
                .push_bind(evidence.source.0.as_slice())
                .push_bind(evidence.size.cast_signed())
                .push_bind(evidence.crc64nvme.cast_signed())
                .push_bind(&evidence.source_etag)
                .push_bind(&evidence.target_etag)
                .push_bind(evidence.existed)
                .push_bind(&evidence.worker)
                .push_bind(evidence.job.0.as_bytes().as_slice())
                .push_bind(evidence.recorded_ms);
        });
        // An update, not a replacement: that would fire the trigger which counts new rows.
        insert.push(
            " ON CONFLICT (target, key) DO UPDATE SET
                source = excluded.source, size = excluded.size, crc64nvme = excluded.crc64nvme,
                source_etag = excluded.source_etag, target_etag = excluded.target_etag,
                existed = excluded.existed, worker = excluded.worker, job = excluded.job,
                recorded_ms = excluded.recorded_ms",
        );
        insert.build().execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Records that the commit of a job may be in the target's log from here on.
pub(super) async fn intend(pool: &SqlitePool, job: JobId, now_ms: i64) -> Result<(), StateError> {
    sqlx::query("INSERT OR REPLACE INTO publications (job, recorded_ms) VALUES (?, ?)")
        .bind(job.0.as_bytes().as_slice())
        .bind(now_ms)
        .execute(pool)
        .await?;
    Ok(())
}

/// Returns whether there is evidence of any key of a target.
pub(super) async fn has_any(pool: &SqlitePool, target: TargetKey) -> Result<bool, StateError> {
    let found = sqlx::query("SELECT EXISTS(SELECT 1 FROM objects WHERE target = ?)")
        .bind(target.0.as_slice())
        .fetch_one(pool)
        .await?;
    Ok(found.try_get(0)?)
}

/// Returns the evidence for these keys that was recorded at `since_ms` or later, by key.
pub(super) async fn find(
    pool: &SqlitePool,
    target: TargetKey,
    keys: &[&str],
    since_ms: i64,
) -> Result<Vec<KnownObject>, StateError> {
    // One lookup by the primary key for each wanted key, whatever else the target has.
    let rows = sqlx::query(
        "SELECT objects.key, source, size, crc64nvme, source_etag, target_etag, existed, worker,
         job, recorded_ms, EXISTS(SELECT 1 FROM publications WHERE publications.job = objects.job)
         FROM json_each(?) AS wanted CROSS JOIN objects
         WHERE objects.target = ? AND objects.key = wanted.value AND recorded_ms >= ?
         ORDER BY objects.key",
    )
    .bind(serde_json::Value::from(keys).to_string())
    .bind(target.0.as_slice())
    .bind(since_ms)
    .fetch_all(pool)
    .await?;
    rows.iter().map(known).collect()
}

fn known(row: &SqliteRow) -> Result<KnownObject, StateError> {
    let source: &[u8] = row.try_get(1)?;
    let source = source.try_into().map_err(|_| StateError::Damaged {
        kind: "source of an object".to_owned(),
        why: format!("it has {} bytes", source.len()),
    })?;
    let evidence = Evidence {
        key: row.try_get(0)?,
        source: SourceKey(source),
        size: row.try_get::<i64, _>(2)?.cast_unsigned(),
        crc64nvme: row.try_get::<i64, _>(3)?.cast_unsigned(),
        source_etag: row.try_get(4)?,
        target_etag: row.try_get(5)?,
        existed: row.try_get(6)?,
        worker: row.try_get(7)?,
        job: history::job_id(row.try_get(8)?)?,
        recorded_ms: row.try_get(9)?,
    };
    Ok(KnownObject { evidence, may_be_published: row.try_get(10)? })
}
