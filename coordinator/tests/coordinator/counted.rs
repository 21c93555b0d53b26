//! Metrics, moved by what really happens.

use std::sync::Arc;
use std::time::Duration;

use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::exposition::classic;
use deepclone_coordinator::effects::Context;
use deepclone_coordinator::embedded::Embedded;
use deepclone_coordinator::metrics::CoordinatorMetrics;
use deepclone_coordinator::state::{Place, SqliteStore};
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;

use crate::support::{LIMITS, Lake, Running, Worker};

/// A coordinator whose metrics are read.
struct Counted {
    running: Running,
    catalog: Catalog,
}

impl Counted {
    /// With its database in the folder of the lake.
    async fn start(lake: &Lake) -> Self {
        let file = lake.path("coordinator.db");
        let (metrics, catalog) = CoordinatorMetrics::of_process(Some(file.clone()));
        let store = Arc::new(SqliteStore::open(&Place::File(file)).await.unwrap());
        let context = Context::new(lake.connections(), store, &LIMITS());
        let embedded = Embedded::start_counted(context, LIMITS(), metrics).await.unwrap();
        Self { running: Running::over_embedded(embedded), catalog }
    }

    /// The value of a series, by its name and labels; 0 for one that is not shown.
    fn value(&self, series: &str) -> f64 {
        let text = classic(self.catalog.registry()).unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.map_or(0.0, |number| number.parse().unwrap())
    }

    /// Waits until a series has this value: gauges are set once a second.
    async fn becomes(&self, series: &str, expected: f64) {
        let wait = async {
            while (self.value(series) - expected).abs() > f64::EPSILON {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(came.is_ok(), "{series} is {}, not {expected}", self.value(series));
    }
}

/// A worker lives, and names nothing that it holds.
async fn beat(worker: &mut Worker) {
    loop {
        worker.heartbeat(vec![]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_counted_by_how_they_end_and_tasks_by_where_they_stand() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa"), ("b.parquet", b"bb")]);
    let mut counted = Counted::start(&lake).await;
    let ended = |outcome: &str, reason: &str| {
        format!("deepclone_jobs_ended_total{{outcome=\"{outcome}\",reason=\"{reason}\"}}")
    };
    assert!(classic(counted.catalog.registry()).unwrap().contains(&ended("succeeded", "")));
    let job = counted.running.create(lake.spec("source", "target")).await.unwrap();
    counted.becomes("deepclone_tasks{status=\"ready\"}", 1.0).await;
    counted.becomes("deepclone_bytes{status=\"open\"}", 6.0).await;
    counted.becomes("deepclone_jobs{state=\"waiting_for_workers\"}", 1.0).await;
    let mut worker = Worker::register(&counted.running, &lake, "w").await;
    tokio::select! {
        () = counted.becomes("deepclone_workers{state=\"active\"}", 1.0) => {}
        () = beat(&mut worker) => {}
    }
    assert!((counted.value("deepclone_workers_registered_total") - 1.0).abs() < f64::EPSILON);
    let grants = worker.acquire().await.unwrap();
    assert!((counted.value("deepclone_leases_granted_total") - 1.0).abs() < f64::EPSILON);
    let fails = Worker::fail(&grants[0], v1::task_failure::Kind::Throttled);
    worker.report(vec![fails]).await;
    counted.becomes("deepclone_task_failures_total{reason=\"throttled\"}", 1.0).await;
    let grants = worker.acquire().await.unwrap();
    worker.report(vec![worker.copy(&grants[0])]).await;
    assert_eq!(counted.running.finish(&job.name).await.state(), State::Succeeded);
    let request = v1::DeregisterWorkerRequest { worker_id: worker.id.clone(), returned: vec![] };
    worker.client.deregister_worker(request).await.unwrap();
    counted.becomes("deepclone_workers_left_total", 1.0).await;
    counted.becomes(&ended("succeeded", ""), 1.0).await;
    counted.becomes("deepclone_leases_granted_total", 2.0).await;
    counted.becomes("deepclone_tasks{status=\"ready\"}", 0.0).await;
    for (source, outcome, reason) in
        [("source", "up_to_date", ""), ("absent", "failed", "NOT_A_DELTA_TABLE")]
    {
        let job = counted.running.create(lake.spec(source, "target")).await.unwrap();
        counted.running.finish(&job.name).await;
        counted.becomes(&ended(outcome, reason), 1.0).await;
    }
    lake.commit("source", 1, &[("c.parquet", b"c")]);
    let job = counted.running.create(lake.spec("source", "target")).await.unwrap();
    counted.running.reach(&job.name, State::WaitingForWorkers).await;
    let cancel = v1::CancelJobRequest { name: job.name.clone() };
    counted.running.jobs.cancel_job(cancel).await.unwrap();
    counted.becomes(&ended("cancelled", ""), 1.0).await;
    // What all that made durable: transactions, and a file that holds them.
    assert!(counted.value("deepclone_database_commit_duration_seconds_count") >= 8.0);
    assert!(counted.value("deepclone_database_commit_age_seconds").abs() < f64::EPSILON);
    assert!(counted.value("deepclone_database_bytes{file=\"wal\"}") > 4096.0);
    counted.running.embedded.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_counted_that_end_without_a_report() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut counted = Counted::start(&lake).await;
    counted.running.create(lake.spec("source", "target")).await.unwrap();
    let lost = |cause: &str| format!("deepclone_leases_lost_total{{cause=\"{cause}\"}}");
    let mut living = Worker::register(&counted.running, &lake, "living").await;
    assert_eq!(living.acquire().await.unwrap().len(), 1);
    // It lives, and never names what it was granted: its answer may have been lost.
    let expired = lost("expired");
    tokio::select! {
        () = counted.becomes(&expired, 1.0) => {}
        () = beat(&mut living) => {}
    }
    assert!(counted.value("deepclone_workers_lost_total").abs() < f64::EPSILON);
    assert_eq!(living.acquire().await.unwrap().len(), 1);
    // Now it is silent.
    counted.becomes("deepclone_workers_lost_total", 1.0).await;
    counted.becomes(&lost("worker_lost"), 1.0).await;
    counted.becomes("deepclone_workers{state=\"lost\"}", 1.0).await;
    counted.becomes("deepclone_tasks{status=\"ready\"}", 1.0).await;
    assert!((counted.value(&expired) - 1.0).abs() < f64::EPSILON);
    counted.running.embedded.stop().await.unwrap();
}
