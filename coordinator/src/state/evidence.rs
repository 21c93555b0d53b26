//! Evidence as rows: the newest of each key of a target, found by key.

use deepclone_core::ids::{JobId, SourceKey, TargetKey};
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
    // One lookup by the primary key for each wanted key, whatever else the target has. All that is
    // found is one text: a row of its own costs a turn of two threads, and a copy of each column.
    let found = sqlx::query(
        "SELECT json_group_array(json_array(objects.key, hex(source), size, crc64nvme, source_etag,
           target_etag, existed, worker, hex(job), recorded_ms,
           EXISTS(SELECT 1 FROM publications WHERE publications.job = objects.job)))
         FROM json_each(?) AS wanted CROSS JOIN objects
         WHERE objects.target = ? AND objects.key = wanted.value AND recorded_ms >= ?",
    )
    .bind(serde_json::Value::from(keys).to_string())
    .bind(target.0.as_slice())
    .bind(since_ms)
    .fetch_one(pool)
    .await?;
    let rows: Vec<FoundRow> = serde_json::from_str(found.try_get(0)?)
        .map_err(|error| damaged("evidence", error.to_string()))?;
    let mut found = rows.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable_by(|a, b| a.evidence.key.cmp(&b.evidence.key));
    Ok(found)
}

/// The columns of an object, in the order in which they are asked for.
type FoundRow = (String, String, i64, i64, String, String, u8, String, String, i64, u8);

fn known(row: FoundRow) -> Result<KnownObject, StateError> {
    let (key, source, size, crc64nvme, source_etag, target_etag, existed, worker, job, at, out) =
        row;
    let source = from_hex(&source).ok_or_else(|| damaged("source of an object", source))?;
    let job: [u8; 16] = from_hex(&job).ok_or_else(|| damaged("job id", job))?;
    let evidence = Evidence {
        key,
        source: SourceKey(source),
        size: size.cast_unsigned(),
        crc64nvme: crc64nvme.cast_unsigned(),
        source_etag,
        target_etag,
        existed: existed != 0,
        worker,
        job: history::job_id(&job)?,
        recorded_ms: at,
    };
    Ok(KnownObject { evidence, may_be_published: out != 0 })
}

fn damaged(kind: &str, why: String) -> StateError {
    StateError::Damaged { kind: kind.to_owned(), why }
}

/// Reads `N` bytes, each of two digits; `None` for any other text.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let digits = digits.filter(|digits| digits.len() == 2 * N)?;
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(bytes)
}
