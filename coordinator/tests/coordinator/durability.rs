//! A database that fails: no answer and no effect before the facts are durable (I4), and without
//! them the coordinator stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use deepclone_coordinator::state::{
    AuditQuery, AuditRow, Batch, EndedJobsQuery, Entry, KnownObject, Place, ReplicationRow,
    RowChange, SqliteStore, StateError, Store, UsageQuery, UsageRow, UsageSum,
};
use deepclone_core::ids::{Epoch, JobId, TargetKey};
use deepclone_core::machine::Fact;
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::support::{Lake, Running, Worker};

/// A store whose next appends fail, or wait.
struct Failing {
    inner: SqliteStore,
    failures_left: AtomicU32,
    /// Closed while appends wait.
    gate: Semaphore,
    /// Appends before the gate.
    waiting: AtomicU32,
    /// Rows of replications cannot be written.
    rows_fail: AtomicBool,
}

impl Failing {
    async fn new(failures: u32) -> Arc<Self> {
        let inner = SqliteStore::open(&Place::Private).await.unwrap();
        let (failures_left, waiting) = (AtomicU32::new(failures), AtomicU32::new(0));
        let (gate, rows_fail) = (Semaphore::new(1), AtomicBool::new(false));
        Arc::new(Self { inner, failures_left, gate, waiting, rows_fail })
    }
}

impl Store for Failing {
    fn lead(&self, at_least: Epoch) -> BoxFuture<'_, Result<Epoch, StateError>> {
        self.inner.lead(at_least)
    }

    fn load(&self, ended_max: usize) -> BoxFuture<'_, Result<Vec<Entry>, StateError>> {
        self.inner.load(ended_max)
    }

    fn find(&self, job: JobId) -> BoxFuture<'_, Result<Option<Vec<Entry>>, StateError>> {
        self.inner.find(job)
    }

    fn ended_jobs<'a>(
        &'a self,
        query: &'a EndedJobsQuery,
    ) -> BoxFuture<'a, Result<Vec<Vec<Entry>>, StateError>> {
        self.inner.ended_jobs(query)
    }

    fn purge(&self, epoch: Epoch, now_ms: i64) -> BoxFuture<'_, Result<bool, StateError>> {
        self.inner.purge(epoch, now_ms)
    }

    fn append<'a>(
        &'a self,
        epoch: Epoch,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<(), StateError>> {
        let left = &self.failures_left;
        let less =
            left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if less.is_ok() {
            return Box::pin(async { Err(StateError::Database(sqlx::Error::WorkerCrashed)) });
        }
        Box::pin(async move {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let _open = self.gate.acquire().await.unwrap();
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.inner.append(epoch, batch).await
        })
    }

    fn has_evidence(&self, target: TargetKey) -> BoxFuture<'_, Result<bool, StateError>> {
        self.inner.has_evidence(target)
    }

    fn evidence<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [&'a str],
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<KnownObject>, StateError>> {
        self.inner.evidence(target, keys, since_ms)
    }

    fn intend(&self, job: JobId, now_ms: i64) -> BoxFuture<'_, Result<(), StateError>> {
        self.inner.intend(job, now_ms)
    }

    fn replication_rows(&self) -> BoxFuture<'_, Result<Vec<ReplicationRow>, StateError>> {
        self.inner.replication_rows()
    }

    fn change_rows<'a>(
        &'a self,
        epoch: Epoch,
        changes: &'a [RowChange],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        match self.rows_fail.load(Ordering::Relaxed) {
            true => Box::pin(async { Err(StateError::Database(sqlx::Error::WorkerCrashed)) }),
            false => self.inner.change_rows(epoch, changes),
        }
    }

    fn live_usage(&self) -> BoxFuture<'_, Result<Vec<UsageRow>, StateError>> {
        self.inner.live_usage()
    }

    fn usage<'a>(
        &'a self,
        query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageSum>, StateError>> {
        self.inner.usage(query)
    }

    fn audit<'a>(&'a self, rows: &'a [AuditRow]) -> BoxFuture<'a, Result<(), StateError>> {
        self.inner.audit(rows)
    }

    fn audited<'a>(
        &'a self,
        query: &'a AuditQuery,
    ) -> BoxFuture<'a, Result<Vec<AuditRow>, StateError>> {
        self.inner.audited(query)
    }

    fn forget<'a>(
        &'a self,
        target: TargetKey,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        self.inner.forget(target, keys)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_for_a_while_is_waited_for() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let store = Failing::new(2).await;
    let mut running = Running::over(&lake, Arc::<Failing>::clone(&store)).await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    assert_eq!(store.load(9).await.unwrap().len(), 1);
    let _working = Worker::register(&running, &lake, "w").await.work();
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_durable_facts_nothing_is_answered_and_the_coordinator_stops() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let mut running = Running::over(&lake, Failing::new(u32::MAX).await).await;
    let failure = running.create(lake.spec("source", "target")).await.unwrap_err();
    assert_eq!(failure.reason, Reason::CoordinatorUnavailable, "{failure}");
    let failure = running.embedded.stop().await.unwrap_err();
    assert_eq!(failure.reason, Reason::Internal);
    assert!(failure.message.starts_with("stopping: facts cannot be made durable"), "{failure}");
    assert!(!lake.path("target").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_answered_once_its_facts_are_durable() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"a")]);
    let store = Failing::new(0).await;
    let mut running = Running::over(&lake, Arc::<Failing>::clone(&store)).await;
    let mut worker = Worker::register(&running, &lake, "w").await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    let grants = worker.acquire().await.unwrap();
    let outcomes = vec![worker.copy(&grants[0])];
    let closed = store.gate.acquire().await.unwrap();
    let reported = worker.report(outcomes);
    tokio::pin!(reported);
    while store.waiting.load(Ordering::Relaxed) == 0 {
        let early = tokio::time::timeout(Duration::from_millis(1), &mut reported).await;
        assert!(early.is_err(), "answered before its facts are durable");
    }
    // The append waits: an answer that was sent before it arrives by now.
    let early = tokio::time::timeout(Duration::from_millis(200), &mut reported).await;
    assert!(early.is_err(), "answered before its facts are durable");
    assert!(!lake.path("target").join("_delta_log").exists(), "published before it is intended");
    drop(closed);
    reported.await;
    assert!(store.load(9).await.unwrap().iter().any(is_done));
    assert_eq!(running.finish(&job.name).await.state(), State::Succeeded);
}

fn is_done(entry: &Entry) -> bool {
    matches!(entry.fact, Fact::TaskDone { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_cannot_keep_what_was_declared_refuses_it_and_stops() {
    let lake = Lake::new();
    lake.commit("in/a", 0, &[("a.parquet", b"a")]);
    let store = Failing::new(0).await;
    let mut running = Running::over(&lake, Arc::<Failing>::clone(&store)).await;
    store.rows_fail.store(true, Ordering::Relaxed);
    let every = prost_types::Duration { seconds: 3_600, nanos: 0 };
    let due = Some(v1::replication_spec::schedule::Due::Every(every));
    let spec = v1::ReplicationSpec {
        name: "a".to_owned(),
        source: "in".to_owned(),
        target: "out".to_owned(),
        include: vec!["a".to_owned()],
        schedule: Some(v1::replication_spec::Schedule { due, spread: None }),
        ..Default::default()
    };
    let request = v1::ApplyReplicationsRequest {
        replications: vec![spec],
        ..v1::ApplyReplicationsRequest::default()
    };
    let refused = running.replications.apply_replications(request).await.unwrap_err();
    assert_eq!(from_status(&refused).reason, Reason::Internal);
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while running.jobs.list_jobs(v1::ListJobsRequest::default()).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    stopped.await.expect("it goes on as if it kept the replication");
    assert!(store.replication_rows().await.unwrap().is_empty());
}
