//! Facts as rows, in the order in which they were recorded.

use deepclone_core::ids::JobId;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::StateError;
use super::row_parts::row_parts;

/// Appends facts, each with its job, its kind and the time at which it was recorded.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    rows: &[(JobId, &'static str, Vec<u8>, i64)],
) -> Result<(), StateError> {
    for part in row_parts(rows) {
        let mut insert =
            QueryBuilder::<Sqlite>::new("INSERT INTO facts (job, kind, body, recorded_ms) ");
        insert.push_values(part, |mut row, (job, kind, body, recorded_ms)| {
            row.push_bind(job.0.as_bytes().as_slice())
                .push_bind(*kind)
                .push_bind(body.as_slice())
                .push_bind(*recorded_ms);
        });
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}
