//! Who asked for what: one row for each change and each refusal, never changed.

use deepclone_core::limits::{AUDIT_KEPT, AUDIT_ROWS_MAX, PURGE_ROWS_MAX};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::StateError;

/// One change or refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the record; 0 before it is there.
    pub id: i64,
    /// In milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// Empty where nobody is asked, or nobody is known.
    pub principal: String,
    /// Where the request came from.
    pub address: String,
    /// As `JobService/CreateJob`, or `page/run`.
    pub call: String,
    /// As `jobs/…` or `replications/…`; empty when the call was refused before it was read.
    pub resource: String,
    /// `OK`, or the name of a reason.
    pub outcome: String,
    /// Of a refusal or a failure, one line.
    pub message: String,
    /// Leads to the lines of the log; empty where a request has none.
    pub request_id: String,
}

/// Which rows are asked for, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only those of this principal.
    pub principal: Option<String>,
    /// Only those of this resource.
    pub resource: Option<String>,
    /// Only those from this time on.
    pub since_ms: Option<i64>,
    /// Only those before this one.
    pub before: Option<i64>,
    pub size: usize,
}

pub(super) async fn write(
    connection: &mut SqliteConnection,
    rows: &[AuditRow],
) -> Result<(), StateError> {
    for row in rows {
        sqlx::query(
            "INSERT INTO audit
                (at_ms, principal, address, call, resource, outcome, message, request_id)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(row.at_ms)
        .bind(&row.principal)
        .bind(&row.address)
        .bind(&row.call)
        .bind(&row.resource)
        .bind(&row.outcome)
        .bind(&row.message)
        .bind(&row.request_id)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn read(
    pool: &SqlitePool,
    query: &AuditQuery,
) -> Result<Vec<AuditRow>, StateError> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT id, at_ms, principal, address, call, resource, outcome, message, request_id
         FROM audit WHERE id < ",
    );
    sql.push_bind(query.before.unwrap_or(i64::MAX));
    if let Some(principal) = &query.principal {
        sql.push(" AND principal = ").push_bind(principal);
    }
    if let Some(resource) = &query.resource {
        sql.push(" AND resource = ").push_bind(resource);
    }
    if let Some(since_ms) = query.since_ms {
        sql.push(" AND at_ms >= ").push_bind(since_ms);
    }
    sql.push(" ORDER BY id DESC LIMIT ").push_bind(count(query.size));
    let rows = sql.build().fetch_all(pool).await?;
    rows.iter().map(row).collect()
}

fn row(row: &SqliteRow) -> Result<AuditRow, StateError> {
    Ok(AuditRow {
        id: row.try_get(0)?,
        at_ms: row.try_get(1)?,
        principal: row.try_get(2)?,
        address: row.try_get(3)?,
        call: row.try_get(4)?,
        resource: row.try_get(5)?,
        outcome: row.try_get(6)?,
        message: row.try_get(7)?,
        request_id: row.try_get(8)?,
    })
}

/// Drops some of what is too old or too much. True when more is left.
pub(super) async fn purge(
    connection: &mut SqliteConnection,
    now_ms: i64,
) -> Result<bool, StateError> {
    let kept_ms = i64::try_from(AUDIT_KEPT.as_millis()).unwrap_or(i64::MAX);
    let dropped = sqlx::query(
        "DELETE FROM audit WHERE id IN
            (SELECT id FROM audit
             WHERE at_ms < ? OR id <= (SELECT max(id) FROM audit) - ? ORDER BY id LIMIT ?)",
    )
    .bind(now_ms.saturating_sub(kept_ms))
    .bind(count(AUDIT_ROWS_MAX))
    .bind(count(PURGE_ROWS_MAX))
    .execute(connection)
    .await?
    .rows_affected();
    Ok(dropped == PURGE_ROWS_MAX as u64)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use deepclone_core::ids::Epoch;

    use super::super::{MemoryStore, Place, SqliteStore, Store};
    use super::*;

    fn row(principal: &str, resource: &str, at_ms: i64) -> AuditRow {
        let text = |text: &str| text.to_owned();
        AuditRow {
            at_ms,
            principal: text(principal),
            address: text("10.0.0.9:1"),
            call: text("JobService/CreateJob"),
            resource: text(resource),
            outcome: text("OK"),
            message: text("it's \"done\""),
            request_id: text("0192f0c1"),
            ..AuditRow::default()
        }
    }

    async fn ids(store: &dyn Store, query: AuditQuery) -> Vec<i64> {
        store.audited(&query).await.unwrap().iter().map(|row| row.id).collect()
    }

    #[tokio::test]
    async fn rows_come_back_the_newest_first_as_they_are_asked_for() {
        let private = SqliteStore::open(&Place::Private).await.unwrap();
        for store in [&MemoryStore::default() as &dyn Store, &private] {
            let (first, second) = (row("a", "jobs/1", 10), row("b", "jobs/2", 20));
            store.audit(&[first.clone(), second]).await.unwrap();
            store.audit(&[row("a", "jobs/2", 30)]).await.unwrap();
            let all = AuditQuery { size: 9, ..AuditQuery::default() };
            assert_eq!(ids(store, all.clone()).await, [3, 2, 1]);
            let found =
                store.audited(&AuditQuery { before: Some(2), ..all.clone() }).await.unwrap();
            assert_eq!(found, [AuditRow { id: 1, ..first }]);
            let principal = Some("a".to_owned());
            assert_eq!(ids(store, AuditQuery { principal, ..all.clone() }).await, [3, 1]);
            let resource = Some("jobs/2".to_owned());
            assert_eq!(ids(store, AuditQuery { resource, ..all.clone() }).await, [3, 2]);
            let since_ms = Some(20);
            assert_eq!(ids(store, AuditQuery { since_ms, ..all.clone() }).await, [3, 2]);
            assert_eq!(ids(store, AuditQuery { size: 1, ..all }).await, [3]);
        }
    }

    #[tokio::test]
    async fn a_row_is_never_changed_and_goes_when_it_is_old() {
        let store = SqliteStore::open(&Place::Private).await.unwrap();
        let day_ms = 24 * 3_600_000;
        let rows = [row("a", "x", 0), row("b", "x", day_ms)];
        store.audit(&rows).await.unwrap();
        let change = sqlx::query("UPDATE audit SET principal = 'c'");
        let refused = change.execute(store.pool()).await.unwrap_err().to_string();
        assert!(refused.contains("never changed"), "{refused}");
        let epoch = store.lead(Epoch(0)).await.unwrap();
        let kept_ms = i64::try_from(AUDIT_KEPT.as_millis()).unwrap();
        let all = AuditQuery { size: 9, ..AuditQuery::default() };
        store.purge(epoch, kept_ms).await.unwrap();
        assert_eq!(ids(&store, all.clone()).await, [2, 1]);
        store.purge(epoch, kept_ms + 1).await.unwrap();
        assert_eq!(ids(&store, all).await, [2]);
    }
}
