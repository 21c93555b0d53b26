//! What was sent, by month: rows of live jobs, and the sums of those that ended.
//!
//! A row has absolute values: the last one of its key counts. In the transaction that makes the end
//! of a job durable its rows are added to the sums, which the purge keeps for 25 months.

use deepclone_core::calendar::zone::{Month, Zone};
use deepclone_core::ids::JobId;
use deepclone_core::limits::USAGE_MONTHS_KEPT;
use deepclone_core::price::Traffic;
use deepclone_core::unix_time::UnixTime;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};

use super::{StateError, history};

const LABELS: [&str; 7] =
    ["replication", "replication_id", "owner", "source", "target", "path", "regions"];
/// What is summed up, in the order in which it is read.
const FIGURES: [&str; 7] = [
    "bytes",
    "source_reads",
    "source_lists",
    "target_reads",
    "target_lists",
    "target_writes",
    "micros",
];

/// What one job sent in one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    pub job: JobId,
    pub months: UsageMonths,
    pub labels: UsageLabels,
    pub sums: UsageSums,
}

/// The month in which something was sent, as `2026-11`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageMonths {
    pub of_utc: String,
    /// In the zone of the replication.
    pub of_zone: String,
}

/// By what it is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageLabels {
    /// Empty for a job of no replication.
    pub replication: String,
    /// Its id, which a new name does not change; empty where it was not kept.
    pub replication_id: String,
    pub owner: String,
    /// The names of both connections.
    pub source: String,
    pub target: String,
    /// The table below the source's root.
    pub path: String,
    /// Where both stores are, as `aws/eu-central-1 local/here`, with `?` for what is not known.
    pub regions: String,
}

/// What was sent, and what that cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageSums {
    pub traffic: Traffic,
    /// The code of the currency; empty when the price was not known.
    pub currency: String,
    pub micros: i64,
}

/// What is summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    pub by: UsageBy,
    /// The one asked for, as `2026-11`.
    pub month: String,
    pub calendar: UsageCalendar,
}

/// Whose months are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageCalendar {
    Utc,
    /// Those of each replication's zone.
    OfZone,
}

/// What becomes one sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageBy {
    Owner,
    /// A table of a source.
    Table,
    /// The connections of both sides.
    Pair,
    Replication,
    /// The places of both sides.
    Regions,
}

/// One sum. The labels by which it was not summed are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    pub labels: UsageLabels,
    pub sums: UsageSums,
}

impl UsageBy {
    /// The labels that tell two sums apart, and empty texts for the others.
    fn columns(self) -> String {
        let kept: &[&str] = match self {
            Self::Owner => &["owner"],
            Self::Table => &["source", "path"],
            Self::Pair => &["source", "target"],
            Self::Replication => &["replication", "replication_id"],
            Self::Regions => &["regions"],
        };
        let column = |label: &str| match kept.contains(&label) {
            true => label.to_owned(),
            false => format!("'' AS {label}"),
        };
        LABELS.map(column).join(", ")
    }

    /// Returns the labels that tell two sums apart, and the others empty.
    #[must_use]
    pub fn labels(self, all: &UsageLabels) -> UsageLabels {
        let all = all.clone();
        let none = UsageLabels::default();
        match self {
            Self::Owner => UsageLabels { owner: all.owner, ..none },
            Self::Table => UsageLabels { source: all.source, path: all.path, ..none },
            Self::Pair => UsageLabels { source: all.source, target: all.target, ..none },
            Self::Replication => {
                let (replication, replication_id) = (all.replication, all.replication_id);
                UsageLabels { replication, replication_id, ..none }
            }
            Self::Regions => UsageLabels { regions: all.regions, ..none },
        }
    }
}

impl UsageMonths {
    /// The month of `calendar`.
    #[must_use]
    pub fn of(&self, calendar: UsageCalendar) -> &str {
        match calendar {
            UsageCalendar::Utc => &self.of_utc,
            UsageCalendar::OfZone => &self.of_zone,
        }
    }
}

impl UsageSums {
    /// Adds what was sent in the same currency.
    pub fn add(&mut self, other: &Self) {
        self.traffic = self.traffic + other.traffic;
        self.micros = self.micros.saturating_add(other.micros);
    }
}

/// The first month that is kept at this time, as `2026-11`.
pub(super) fn first_month_kept(now_ms: i64) -> String {
    let month = Zone::UTC.month(UnixTime(now_ms)).unwrap_or(Month { year: 0, month: 1 });
    let months = i32::from(month.year) * 12 + i32::from(month.month) - 1 - USAGE_MONTHS_KEPT;
    let year = i16::try_from(months.div_euclid(12)).unwrap_or(0);
    let month = i8::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
    Month { year, month }.to_string()
}

pub(super) async fn write(
    connection: &mut SqliteConnection,
    rows: &[UsageRow],
) -> Result<(), StateError> {
    for UsageRow { job, months, labels, sums } in rows {
        sqlx::query(
            "INSERT INTO usage (job, month, zone_month, currency, replication, replication_id,
                                owner, source, target, path, regions, bytes, source_reads,
                                source_lists, target_reads, target_lists, target_writes, micros)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (job, month, zone_month, currency) DO UPDATE SET
                bytes = excluded.bytes, source_reads = excluded.source_reads,
                source_lists = excluded.source_lists, target_reads = excluded.target_reads,
                target_lists = excluded.target_lists, target_writes = excluded.target_writes,
                micros = excluded.micros",
        )
        .bind(job.0.as_bytes().as_slice())
        .bind(&months.of_utc)
        .bind(&months.of_zone)
        .bind(&sums.currency)
        .bind(&labels.replication)
        .bind(&labels.replication_id)
        .bind(&labels.owner)
        .bind(&labels.source)
        .bind(&labels.target)
        .bind(&labels.path)
        .bind(&labels.regions)
        .bind(signed(sums.traffic.bytes))
        .bind(signed(sums.traffic.source_reads))
        .bind(signed(sums.traffic.source_lists))
        .bind(signed(sums.traffic.target_reads))
        .bind(signed(sums.traffic.target_lists))
        .bind(signed(sums.traffic.target_writes))
        .bind(sums.micros)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Adds the rows of an ended job to the sums.
pub(super) async fn close(connection: &mut SqliteConnection, job: JobId) -> Result<(), StateError> {
    let id = job.0.as_bytes().as_slice();
    sqlx::query(
        "INSERT INTO usage_months (month, zone_month, currency, replication, replication_id, owner,
                                   source, target, path, regions, bytes, source_reads,
                                   source_lists, target_reads, target_lists, target_writes, micros)
         SELECT month, zone_month, currency, replication, replication_id, owner, source, target,
                path, regions, bytes, source_reads, source_lists, target_reads, target_lists,
                target_writes, micros
         FROM usage WHERE job = ?
         ON CONFLICT DO UPDATE SET
            bytes = bytes + excluded.bytes,
            source_reads = source_reads + excluded.source_reads,
            source_lists = source_lists + excluded.source_lists,
            target_reads = target_reads + excluded.target_reads,
            target_lists = target_lists + excluded.target_lists,
            target_writes = target_writes + excluded.target_writes,
            micros = micros + excluded.micros",
    )
    .bind(id)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM usage WHERE job = ?").bind(id).execute(connection).await?;
    Ok(())
}

/// Drops the sums of months that are too long ago.
pub(super) async fn purge(
    connection: &mut SqliteConnection,
    now_ms: i64,
) -> Result<(), StateError> {
    let first = first_month_kept(now_ms);
    // What is of no job has rows that no end adds to the sums.
    for table in ["DELETE FROM usage_months WHERE month < ?", "DELETE FROM usage WHERE month < ?"] {
        sqlx::query(table).bind(&first).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Returns the rows of the jobs that have not ended.
pub(super) async fn live(pool: &SqlitePool) -> Result<Vec<UsageRow>, StateError> {
    let rows = sqlx::query(
        "SELECT replication, replication_id, owner, source, target, path, regions, currency, bytes,
                source_reads, source_lists, target_reads, target_lists, target_writes, micros, job,
                month, zone_month
         FROM usage ORDER BY job, month, zone_month, currency",
    )
    .fetch_all(pool)
    .await?;
    let read = |row: &SqliteRow| {
        let UsageSum { labels, sums } = sum(row)?;
        let months = UsageMonths { of_utc: row.try_get(16)?, of_zone: row.try_get(17)? };
        Ok(UsageRow { job: history::job_id(row.try_get(15)?)?, months, labels, sums })
    };
    rows.iter().map(read).collect()
}

/// Returns the sums of a month, in the order of their labels.
pub(super) async fn find(
    pool: &SqlitePool,
    query: &UsageQuery,
) -> Result<Vec<UsageSum>, StateError> {
    let month = match query.calendar {
        UsageCalendar::Utc => "month",
        UsageCalendar::OfZone => "zone_month",
    };
    let labels = query.by.columns();
    let columns = format!("{}, currency", LABELS.join(", "));
    let figures = FIGURES.join(", ");
    let sums = FIGURES.map(|figure| format!("sum({figure})")).join(", ");
    let sql = format!(
        "SELECT {columns}, {sums}
         FROM (SELECT {labels}, currency, {figures} FROM usage_months WHERE {month} = ?1
               UNION ALL SELECT {labels}, currency, {figures} FROM usage WHERE {month} = ?1)
         GROUP BY {columns} ORDER BY {columns}"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&query.month).fetch_all(pool).await?;
    rows.iter().map(sum).collect()
}

fn sum(row: &SqliteRow) -> Result<UsageSum, StateError> {
    let labels = UsageLabels {
        replication: row.try_get(0)?,
        replication_id: row.try_get(1)?,
        owner: row.try_get(2)?,
        source: row.try_get(3)?,
        target: row.try_get(4)?,
        path: row.try_get(5)?,
        regions: row.try_get(6)?,
    };
    let count = |at: usize| row.try_get(at).map(|count: i64| u64::try_from(count).unwrap_or(0));
    let traffic = Traffic {
        bytes: count(8)?,
        source_reads: count(9)?,
        source_lists: count(10)?,
        target_reads: count(11)?,
        target_lists: count(12)?,
        target_writes: count(13)?,
    };
    Ok(UsageSum {
        labels,
        sums: UsageSums { traffic, currency: row.try_get(7)?, micros: row.try_get(14)? },
    })
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
