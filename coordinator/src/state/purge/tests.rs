//! What the purge drops, what it keeps, and in which order.

use deepclone_core::ids::{Epoch, JobId, TargetKey, TaskFingerprint};
use deepclone_core::limits::{EVIDENCE_KEPT, JOBS_KEPT, JOBS_KEPT_MAX, PURGE_ROWS_MAX};
use deepclone_core::machine::{End, Fact};

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::super::migrations::MIGRATIONS;
use super::super::sqlite::{Place, SqliteStore};
use super::super::tests::{
    append, created, ended, entry, evidence, job, purge_all, receipt, whole,
};
use super::super::{Batch, Store as _};
use super::ROWS_PER_JOB_MIN;

const HERE: TargetKey = TargetKey([1; 32]);
const THERE: TargetKey = TargetKey([2; 32]);

/// A store that keeps so many rows of evidence, and its epoch.
async fn opened(evidence_rows_max: usize) -> (SqliteStore, Epoch) {
    let store = SqliteStore::open(&Place::Private).await.unwrap();
    let store = store.with_evidence_rows_max(evidence_rows_max);
    let epoch = store.lead(Epoch(0)).await.unwrap();
    (store, epoch)
}

async fn count(store: &SqliteStore, table: &str) -> usize {
    let query = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    let count: i64 = sqlx::query_scalar(query).fetch_one(store.pool()).await.unwrap();
    count.try_into().unwrap()
}

/// Records so many rows of one job, and begins it.
async fn copy(store: &SqliteStore, epoch: Epoch, number: u128, target: TargetKey, rows: usize) {
    let seen = |n: usize| (target, evidence(&format!("{number}/{n:09}"), 1, job(number), 0));
    let entries = vec![entry(created(job(number)), 0)];
    let batch = Batch { entries, evidence: (0..rows).map(seen).collect(), usage: vec![] };
    store.append(epoch, &batch).await.unwrap();
}

async fn end(store: &SqliteStore, epoch: Epoch, number: u128, at_ms: i64) {
    append(store, epoch, vec![entry(ended(number, End::Cancelled), at_ms)]).await;
}

/// The rows of each of the first jobs. The total that is kept must be their sum.
async fn rows<const JOBS: usize>(store: &SqliteStore) -> [usize; JOBS] {
    let mut rows = [0; JOBS];
    for (number, rows) in (1..).zip(&mut rows) {
        let id: JobId = job(number);
        let query = "SELECT count(*) FROM objects WHERE job = ?";
        let query = sqlx::query_scalar(query).bind(id.0.as_bytes().as_slice());
        let count: i64 = query.fetch_one(store.pool()).await.unwrap();
        *rows = count.try_into().unwrap();
    }
    let total = "SELECT objects FROM objects_total";
    let total: i64 = sqlx::query_scalar(total).fetch_one(store.pool()).await.unwrap();
    assert_eq!(rows.iter().sum::<usize>(), usize::try_from(total).unwrap());
    rows
}

fn kept_ms() -> i64 {
    EVIDENCE_KEPT.as_millis().try_into().unwrap()
}

#[tokio::test]
async fn facts_of_an_ended_job_are_dropped_some_at_a_time() {
    let (store, epoch) = opened(0).await;
    let fingerprint = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        TaskFingerprint(bytes)
    };
    let done = |n| Fact::TaskDone { job: job(1), fingerprint: fingerprint(n), receipt: receipt() };
    let tasks = PURGE_ROWS_MAX * 2 + 10;
    let mut entries = vec![entry(created(job(1)), 0)];
    entries.extend((0..tasks).map(|n| entry(done(n), 0)));
    entries.push(entry(ended(1, End::Cancelled), 0));
    append(&store, epoch, entries).await;
    for left in [PURGE_ROWS_MAX + 12, 12, 0] {
        assert!(store.purge(epoch, 0).await.unwrap());
        assert_eq!(count(&store, "facts").await, left);
    }
    assert!(!store.purge(epoch, 0).await.unwrap());
}

#[tokio::test]
async fn evidence_goes_by_age_some_at_a_time_and_a_live_job_keeps_its_own() {
    let (store, epoch) = opened(usize::MAX).await;
    copy(&store, epoch, 1, HERE, PURGE_ROWS_MAX + 10).await;
    copy(&store, epoch, 2, HERE, 5).await;
    copy(&store, epoch, 3, HERE, 5).await;
    for number in [1, 3] {
        store.intend(job(number), 0).await.unwrap();
    }
    end(&store, epoch, 1, 100).await;
    end(&store, epoch, 2, 200).await;
    purge_all(&store, epoch, kept_ms() + 100).await;
    assert_eq!(rows(&store).await, [PURGE_ROWS_MAX + 10, 5, 5], "kept for all of its time");

    assert!(store.purge(epoch, kept_ms() + 101).await.unwrap());
    assert_eq!((rows(&store).await, count(&store, "publications").await), ([10, 5, 5], 2));
    purge_all(&store, epoch, kept_ms() + 101).await;
    assert_eq!((rows(&store).await, count(&store, "publications").await), ([0, 5, 5], 1));
    purge_all(&store, epoch, 99 * kept_ms()).await;
    assert_eq!((rows(&store).await, count(&store, "publications").await), ([0, 0, 5], 1));
}

#[tokio::test]
async fn beyond_the_bound_the_evidence_of_the_jobs_that_ended_first_goes() {
    let (store, epoch) = opened(120).await;
    for (number, target) in (1..).zip([HERE, THERE, HERE, THERE, HERE]) {
        copy(&store, epoch, number, target, 30).await;
    }
    // Job 1 is the oldest and goes on; job 4 ended before job 2.
    for (number, at_ms) in [(2, 20), (4, 10), (5, 30)] {
        end(&store, epoch, number, at_ms).await;
    }
    purge_all(&store, epoch, 30).await;
    assert_eq!(rows(&store).await, [30, 30, 30, 0, 30]);

    // A key that is seen again counts once, for the later job.
    copy(&store, epoch, 6, HERE, 1).await;
    let again = (0..9).map(|n| (HERE, evidence(&format!("5/{n:09}"), 1, job(6), 1))).collect();
    store.append(epoch, &Batch { evidence: again, ..Batch::default() }).await.unwrap();
    store.forget(HERE, &["5/000000009".to_owned(), "none".to_owned()]).await.unwrap();
    assert_eq!(rows(&store).await, [30, 30, 30, 0, 20, 10]);
    purge_all(&store, epoch, 30).await;
    assert_eq!(rows(&store).await, [30, 30, 30, 0, 20, 10], "no more than may stay");

    // What is live stays, also beyond the bound.
    copy(&store, epoch, 7, THERE, 90).await;
    purge_all(&store, epoch, 30).await;
    assert_eq!(rows(&store).await, [30, 0, 30, 0, 0, 10, 90]);
    end(&store, epoch, 7, 40).await;
    purge_all(&store, epoch, 40).await;
    assert_eq!(rows(&store).await, [30, 0, 30, 0, 0, 10, 0]);
}

#[tokio::test]
async fn one_step_drops_few_rows_of_few_jobs() {
    let (store, epoch) = opened(0).await;
    let jobs = PURGE_ROWS_MAX / ROWS_PER_JOB_MIN;
    for number in 0..=jobs {
        copy(&store, epoch, number as u128, HERE, 1).await;
        end(&store, epoch, number as u128, 0).await;
    }
    assert!(store.purge(epoch, 0).await.unwrap());
    assert_eq!(count(&store, "objects").await, 1);
    copy(&store, epoch, 1_000, HERE, PURGE_ROWS_MAX + 1).await;
    end(&store, epoch, 1_000, 1).await;
    assert!(store.purge(epoch, 0).await.unwrap());
    let step = count(&store, "objects").await;
    assert!((2..=1 + ROWS_PER_JOB_MIN).contains(&step), "{step}");
}

#[tokio::test]
async fn a_job_that_leaves_no_evidence_waits_for_no_purge_of_it() {
    let (store, epoch) = opened(0).await;
    append(&store, epoch, whole(1, End::Cancelled, 0)).await;
    append(&store, epoch, vec![entry(created(job(2)), 0)]).await;
    store.intend(job(2), 0).await.unwrap();
    end(&store, epoch, 2, 0).await;
    let entries = vec![entry(created(job(3)), 0), entry(ended(3, End::Cancelled), 0)];
    let evidence = vec![(HERE, evidence("last", 1, job(3), 0))];
    store.append(epoch, &Batch { entries, evidence, usage: vec![] }).await.unwrap();
    let query = "SELECT has_evidence FROM jobs ORDER BY job";
    let flags: Vec<i64> = sqlx::query_scalar(query).fetch_all(store.pool()).await.unwrap();
    assert_eq!(flags, [0, 1, 1]);
    purge_all(&store, epoch, kept_ms() + 1).await;
    assert_eq!((count(&store, "objects").await, count(&store, "publications").await), (0, 0));
}

#[tokio::test]
async fn a_job_is_forgotten_after_its_facts() {
    let (store, epoch) = opened(usize::MAX).await;
    let mut entries = vec![entry(created(job(1)), 0)];
    let noise = || entry(Fact::CancelRequested { job: job(1) }, 0);
    entries.extend((0..PURGE_ROWS_MAX).map(|_| noise()));
    entries.push(entry(ended(1, End::Cancelled), 0));
    append(&store, epoch, entries).await;
    let long_after_ms = 2 * i64::try_from(JOBS_KEPT.as_millis()).unwrap();
    assert!(store.purge(epoch, long_after_ms).await.unwrap());
    assert_eq!((count(&store, "facts").await, count(&store, "jobs").await), (2, 1));
    purge_all(&store, epoch, long_after_ms).await;
    assert_eq!((count(&store, "facts").await, count(&store, "jobs").await), (0, 0));
}

#[tokio::test]
async fn the_oldest_ended_jobs_give_way_to_newer_ones_with_their_evidence() {
    let (store, epoch) = opened(usize::MAX).await;
    for number in 1..=5 {
        copy(&store, epoch, number, HERE, 3).await;
        end(&store, epoch, number, 1).await;
    }
    purge_all(&store, epoch, 1).await;
    assert_eq!(rows(&store).await, [3; 5]);
    // As if many had ended since.
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
         INSERT INTO jobs (job, created_sequence, created_ms, created, ended_sequence, ended_ms,
                           ended, has_facts, has_evidence)
         SELECT randomblob(16), 0, 1, x'00', 1000000 + i, 1, x'00', 0, 0 FROM n",
    )
    .bind(i64::try_from(JOBS_KEPT_MAX - 2).unwrap())
    .execute(store.pool())
    .await
    .unwrap();
    purge_all(&store, epoch, 1).await;
    assert_eq!(count(&store, "jobs").await, JOBS_KEPT_MAX);
    for (number, kept) in [(3, false), (4, true), (5, true)] {
        assert_eq!(store.find(job(number)).await.unwrap().is_some(), kept, "{number}");
    }
    assert_eq!(rows(&store).await, [0, 0, 0, 3, 3]);
}

#[tokio::test]
async fn a_database_of_before_is_counted_and_rid_of_what_no_job_is_left_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let before = Migrator {
        migrations: MIGRATIONS.iter().filter(|one| one.version < 4).cloned().collect(),
        ..Migrator::DEFAULT
    };
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    before.run(&pool).await.unwrap();
    // Job 1 ended, job 2 is live, job 3 was purged.
    for statement in [
        "INSERT INTO jobs (job, created_sequence, created_ms, created, ended_sequence, ended_ms,
                           ended, has_facts) VALUES (?1, 0, 1, x'00', 9, 1, x'00', 0)",
        "INSERT INTO facts (job, kind, body, recorded_ms) VALUES (?2, 'cancel_requested', x'', 0)",
    ] {
        sqlx::query(statement)
            .bind(job(1).0.as_bytes().as_slice())
            .bind(job(2).0.as_bytes().as_slice())
            .execute(&pool)
            .await
            .unwrap();
    }
    for number in 1..=3 {
        sqlx::query(
            "INSERT INTO objects VALUES (x'01', ?1, x'07', 1, 1, '', '', 0, 'w', ?2, 0);
             INSERT INTO publications VALUES (?2, 0)",
        )
        .bind(number.to_string())
        .bind(job(number).0.as_bytes().as_slice())
        .execute(&pool)
        .await
        .unwrap();
    }
    pool.close().await;

    let store = SqliteStore::open(&Place::File(path)).await.unwrap().with_evidence_rows_max(0);
    assert_eq!(rows(&store).await, [1, 1, 0]);
    let epoch = store.lead(Epoch(0)).await.unwrap();
    purge_all(&store, epoch, 1).await;
    assert_eq!((rows(&store).await, count(&store, "publications").await), ([0, 1, 0], 1));
}
