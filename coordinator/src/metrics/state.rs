//! The durable state: transactions, the size of the database, and the record of changes.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deepclone_common::metrics::buckets::COMMIT_SECONDS;
use deepclone_common::metrics::catalog::{Catalog, MetricRow};
use deepclone_common::metrics::labelled::Counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

/// What is counted of the durable state.
#[derive(Debug)]
pub(crate) struct StateMetrics {
    commit_seconds: Histogram,
    commit_failures: Counter,
    commit: CommitClock,
    pub(crate) audit_entries: Counters,
    pub(crate) audit_failures: Counter,
}

impl StateMetrics {
    pub(super) fn new(catalog: &mut Catalog) -> Self {
        let commit = CommitClock::default();
        let metrics = Self {
            commit_seconds: catalog.histogram(
                "deepclone_database_commit_duration_seconds",
                &COMMIT_SECONDS,
                "Time of a transaction that makes facts durable",
            ),
            commit_failures: catalog.counter(
                "deepclone_database_commit_failures_total",
                "Attempts at such a transaction that failed",
            ),
            commit: commit.clone(),
            audit_entries: catalog.counters(
                "deepclone_audit_entries_total",
                &["outcome"],
                "Changes (OK, or why they failed) and refusals that were put on record, or \
                 dropped from it in a flood",
            ),
            audit_failures: catalog.counter(
                "deepclone_audit_failures_total",
                "Entries of the record that the database did not take",
            ),
        };
        catalog.collect([COMMIT_AGE], Box::new(commit));
        metrics
    }

    /// Times a transaction; how long it runs is shown meanwhile.
    pub(crate) async fn commit<T, E>(
        &self,
        commit: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begun = Instant::now();
        self.commit.set(Some(begun));
        let ended = commit.await;
        self.commit.set(None);
        self.commit_seconds.observe(begun.elapsed().as_secs_f64());
        ended.inspect_err(|_| {
            self.commit_failures.inc();
        })
    }
}

const COMMIT_AGE: MetricRow = MetricRow::gauge(
    "deepclone_database_commit_age_seconds",
    &[],
    "How long the transaction that is under way has run; 0 without one",
);

/// When the transaction that is under way began; clones share it.
#[derive(Clone, Debug, Default)]
struct CommitClock(Arc<Mutex<Option<Instant>>>);

impl CommitClock {
    fn set(&self, begun: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }

    fn age(&self) -> Duration {
        let begun = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.map(|begun| begun.elapsed()).unwrap_or_default()
    }
}

impl Collector for CommitClock {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let MetricRow { name, help, .. } = COMMIT_AGE;
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(self.age().as_secs_f64()).encode(metric)
    }
}

pub(super) const DATABASE: MetricRow = MetricRow::gauge(
    "deepclone_database_bytes",
    &["file"],
    "Size of the database on disk: main, and the log that is written before it (wal); absent for \
     one in memory",
);

/// The files of a database.
#[derive(Debug)]
pub(super) struct DatabaseFiles {
    database: Option<PathBuf>,
}

impl DatabaseFiles {
    /// Those of the database in this file; `None`: it has none.
    pub(super) fn new(database: Option<PathBuf>) -> Self {
        Self { database }
    }
}

impl Collector for DatabaseFiles {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(main) = &self.database else { return Ok(()) };
        let mut wal = main.clone().into_os_string();
        wal.push("-wal");
        let MetricRow { name, help, .. } = DATABASE;
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (file, path) in [("main", main), ("wal", &PathBuf::from(wal))] {
            let Ok(found) = std::fs::metadata(path) else { continue };
            let bytes = i64::try_from(found.len()).unwrap_or(i64::MAX);
            ConstGauge::new(bytes).encode(family.encode_family(&[("file", file)])?)?;
        }
        Ok(())
    }
}
