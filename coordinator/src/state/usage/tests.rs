//! Both stores keep the same sums, whatever becomes of the jobs.

use std::sync::Arc;

use deepclone_core::ids::Epoch;
use deepclone_core::machine::End;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::state::migrations::MIGRATIONS;
use crate::state::tests::{append, ended, job, purge_all};
use crate::state::{Batch, MemoryStore, Place, SqliteStore, Store};

/// A time on 2026-11-26.
const NOW_MS: i64 = 1_795_700_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Each count has another value.
fn of_bytes(bytes: u64) -> Traffic {
    Traffic {
        bytes,
        source_reads: 2 * bytes,
        source_lists: 3 * bytes,
        target_reads: 4 * bytes,
        target_lists: 5 * bytes,
        target_writes: 6 * bytes,
    }
}

fn row(number: u128, month: &str, path: &str, bytes: u64, currency: &str) -> UsageRow {
    let labels = UsageLabels {
        replication: "sales".to_owned(),
        replication_id: "7".to_owned(),
        owner: "finance".to_owned(),
        source: "prod".to_owned(),
        target: "dr".to_owned(),
        path: path.to_owned(),
        regions: "local/here local/here".to_owned(),
    };
    let traffic = of_bytes(bytes);
    let micros = if currency.is_empty() { 0 } else { 10 * i64::try_from(bytes).unwrap() };
    UsageRow {
        job: job(number),
        months: UsageMonths { of_utc: month.to_owned(), of_zone: "2026-11".to_owned() },
        labels,
        sums: UsageSums { traffic, currency: currency.to_owned(), micros },
    }
}

async fn stores() -> [Arc<dyn Store>; 2] {
    let sqlite = SqliteStore::open(&Place::Private).await.unwrap();
    [Arc::new(sqlite), Arc::new(MemoryStore::default())]
}

/// Bytes and millionths by a label.
async fn sums(store: &dyn Store, by: UsageBy, month: &str) -> Vec<(String, u64, i64)> {
    let query = UsageQuery { by, month: month.to_owned(), calendar: UsageCalendar::Utc };
    let found = store.usage(&query).await.unwrap();
    let shown = found.into_iter().map(|UsageSum { labels, sums }| {
        let UsageLabels { replication, replication_id, owner, source, target, path, regions } =
            labels;
        let label = [replication, replication_id, owner, source, target, path, regions].concat();
        assert_eq!(sums.traffic, of_bytes(sums.traffic.bytes));
        (label + &sums.currency, sums.traffic.bytes, sums.micros)
    });
    shown.collect()
}

fn batch(usage: Vec<UsageRow>) -> Batch {
    Batch { usage, ..Batch::default() }
}

#[tokio::test]
async fn the_last_total_of_a_job_counts_and_its_end_changes_no_sum() {
    for store in stores().await {
        let epoch = store.lead(Epoch(0)).await.unwrap();
        let first = [row(1, "2026-11", "a", 1, "EUR"), row(2, "2026-11", "b", 5, "EUR")];
        store.append(epoch, &batch(first.to_vec())).await.unwrap();
        let grown = row(1, "2026-11", "a", 4, "EUR");
        for _ in 0..2 {
            store.append(epoch, &batch(vec![grown.clone()])).await.unwrap();
        }
        let others = [row(1, "2026-10", "a", 2, "EUR"), row(2, "2026-11", "b", 7, "")];
        store.append(epoch, &batch(others.to_vec())).await.unwrap();
        let expected = |label: &str, bytes, micros| (label.to_owned(), bytes, micros);
        let check = async |store: &dyn Store| {
            let tables = sums(store, UsageBy::Table, "2026-11").await;
            let expected_tables =
                [expected("prodaEUR", 4, 40), expected("prodb", 7, 0), expected("prodbEUR", 5, 50)];
            assert_eq!(tables, expected_tables);
            for (by, label) in [
                (UsageBy::Owner, "finance"),
                (UsageBy::Pair, "proddr"),
                (UsageBy::Replication, "sales7"),
                (UsageBy::Regions, "local/here local/here"),
            ] {
                let all = [expected(label, 7, 0), expected(&format!("{label}EUR"), 9, 90)];
                assert_eq!(sums(store, by, "2026-11").await, all, "{by:?}");
            }
            assert_eq!(
                sums(store, UsageBy::Owner, "2026-10").await,
                [expected("financeEUR", 2, 20)]
            );
            assert!(sums(store, UsageBy::Owner, "2026-09").await.is_empty());
        };
        check(&*store).await;
        assert_eq!(store.live_usage().await.unwrap().len(), 4);
        for number in [1, 2] {
            let created = crate::state::tests::created(job(number));
            let end = ended(number, End::Cancelled);
            let entries = [created, end].map(|fact| crate::state::tests::entry(fact, NOW_MS));
            append(&*store, epoch, entries.to_vec()).await;
            check(&*store).await;
        }
        assert!(store.live_usage().await.unwrap().is_empty());
        let of_zone = UsageQuery {
            by: UsageBy::Owner,
            month: "2026-11".to_owned(),
            calendar: UsageCalendar::OfZone,
        };
        let found = store.usage(&of_zone).await.unwrap();
        assert_eq!(found.iter().map(|sum| sum.sums.traffic.bytes).sum::<u64>(), 18);
    }
}

#[tokio::test]
async fn the_sums_of_25_months_are_kept() {
    for store in stores().await {
        let epoch = store.lead(Epoch(0)).await.unwrap();
        let months = ["2024-09", "2024-10", "2024-11", "2026-11"];
        let rows = months.map(|month| row(1, month, "a", 1, "EUR"));
        store.append(epoch, &batch(rows.to_vec())).await.unwrap();
        let created = crate::state::tests::created(job(1));
        let entries = [created, ended(1, End::Cancelled)];
        let entries = entries.map(|fact| crate::state::tests::entry(fact, NOW_MS));
        append(&*store, epoch, entries.to_vec()).await;
        let kept = async |store: &dyn Store| {
            let mut kept = Vec::new();
            for month in months {
                if !sums(store, UsageBy::Owner, month).await.is_empty() {
                    kept.push(month);
                }
            }
            kept
        };
        assert_eq!(kept(&*store).await, months);
        purge_all(&*store, epoch, NOW_MS).await;
        assert_eq!(kept(&*store).await, ["2024-10", "2024-11", "2026-11"]);
        // The job itself is kept for 90 days; its sums go on.
        purge_all(&*store, epoch, NOW_MS + 100 * DAY_MS).await;
        assert_eq!(store.find(job(1)).await.unwrap(), None);
        assert_eq!(kept(&*store).await, ["2026-11"]);
    }
}

#[tokio::test]
async fn what_was_counted_before_requests_were_told_apart_is_read_as_it_was_priced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let before = MIGRATIONS.iter().filter(|step| step.version < 9).cloned().collect();
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    Migrator::with_migrations(before).run(&pool).await.unwrap();
    let labels = "'2026-11', '2026-11', 'EUR', 'sales', 'finance', 'prod', 'dr', 'a', 'x y'";
    for sql in [
        format!("INSERT INTO usage_months VALUES ({labels}, 1, 2, 3, 4)"),
        format!("INSERT INTO usage VALUES (zeroblob(16), {labels}, 10, 20, 30, 40)"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let store = SqliteStore::open(&Place::File(path)).await.unwrap();
    let (by, calendar) = (UsageBy::Replication, UsageCalendar::Utc);
    let query = UsageQuery { by, month: "2026-11".to_owned(), calendar };
    let found = store.usage(&query).await.unwrap();
    let labels = UsageLabels { replication: "sales".to_owned(), ..UsageLabels::default() };
    let traffic = Traffic { bytes: 11, source_reads: 22, target_writes: 33, ..Traffic::default() };
    let sums = UsageSums { traffic, currency: "EUR".to_owned(), micros: 44 };
    assert_eq!(found, [UsageSum { labels, sums }]);
}
