//! Rows of replications. The last row of a key counts, so writing one twice changes nothing.

use deepclone_core::ids::Epoch;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, Sqlite, SqliteConnection, Transaction};

use super::{StateError, history};

/// The kind of the rows that hold what receivers of alerts were told; their owners are no ids.
pub const ALERT_ROWS: &str = "alert";

/// The name of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The replication or the budget that it is of.
    pub owner: String,
    /// What it holds, such as `spec`.
    pub kind: String,
    /// Which of that kind; empty when there is one at the most.
    pub part: String,
}

/// A row with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationRow {
    pub key: RowKey,
    pub body: Vec<u8>,
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    pub key: RowKey,
    /// `None` drops the row.
    pub body: Option<Vec<u8>>,
}

pub(super) async fn load(pool: &SqlitePool) -> Result<Vec<ReplicationRow>, StateError> {
    all(&mut *pool.acquire().await?).await
}

/// Returns every row in the caller's transaction.
pub(super) async fn all(
    connection: &mut SqliteConnection,
) -> Result<Vec<ReplicationRow>, StateError> {
    let rows = sqlx::query("SELECT owner, kind, part, body FROM replications ORDER BY 1, 2, 3")
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn load_kind(
    pool: &SqlitePool,
    kind: &str,
) -> Result<Vec<ReplicationRow>, StateError> {
    let rows = sqlx::query(
        "SELECT owner, kind, part, body FROM replications WHERE kind = ? ORDER BY 1, 2, 3",
    )
    .bind(kind)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<ReplicationRow, StateError> {
    let key = RowKey { owner: row.try_get(0)?, kind: row.try_get(1)?, part: row.try_get(2)? };
    Ok(ReplicationRow { key, body: row.try_get(3)? })
}

pub(super) async fn write(
    mut transaction: Transaction<'_, Sqlite>,
    epoch: Epoch,
    changes: &[RowChange],
) -> Result<(), StateError> {
    history::check_term(&mut transaction, epoch).await?;
    for RowChange { key, body } in changes {
        let query = match body {
            Some(body) => sqlx::query(
                "INSERT INTO replications (body, owner, kind, part) VALUES (?, ?, ?, ?)
                 ON CONFLICT (owner, kind, part) DO UPDATE SET body = excluded.body",
            )
            .bind(body),
            None => {
                sqlx::query("DELETE FROM replications WHERE owner = ? AND kind = ? AND part = ?")
            }
        };
        query.bind(&key.owner).bind(&key.kind).bind(&key.part).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}
