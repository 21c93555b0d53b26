//! Counts what a coordinator does, for `/metrics`: the one place where each of its metrics is
//! described, with `state`, `calls` and `told` below it. Those of replications are in
//! [`crate::replications::metrics`].

mod calls;
mod state;
#[cfg(test)]
mod tests;
mod told;

use std::path::PathBuf;
use std::sync::Arc;

use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::labelled::{Counters, Gauges};
use deepclone_common::metrics::process;
use deepclone_common::store::counts;
use deepclone_core::machine::{End, Fact, JobState, Machine, Notice, TaskCounts, WorkerState};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use self::calls::CallMetrics;
use self::state::{DATABASE, DatabaseFiles, StateMetrics};
use self::told::ToldMetrics;
use crate::access::calls::known_names;

/// The metrics of a coordinator.
#[derive(Debug)]
pub struct CoordinatorMetrics {
    jobs: Gauges,
    jobs_ended: Counters,
    tasks: Gauges,
    bytes: Gauges,
    task_failures: Counters,
    workers: Gauges,
    pub(crate) workers_registered: Counter,
    pub(crate) workers_left: Counter,
    workers_lost: Counter,
    pub(crate) workers_refused: Counters,
    pub(crate) leases_granted: Counter,
    leases_lost: Counters,
    pub(crate) driver_waiting: Gauge,
    pub(crate) state: StateMetrics,
    pub(crate) calls: CallMetrics,
    pub(crate) told: ToldMetrics,
}

impl Default for CoordinatorMetrics {
    /// Metrics that nobody is shown.
    fn default() -> Self {
        Self::new(&mut Catalog::default())
    }
}

impl CoordinatorMetrics {
    /// Returns the metrics of a coordinator's process, with those of the process itself, of its
    /// stores, and of its database where that is a file.
    #[must_use]
    pub fn of_process(database: Option<PathBuf>) -> (Arc<Self>, Catalog) {
        let mut catalog = Catalog::default();
        let metrics = Self::new(&mut catalog);
        catalog.collect([DATABASE], Box::new(DatabaseFiles::new(database)));
        counts::register(&mut catalog);
        process::register(&mut catalog, env!("CARGO_PKG_VERSION"));
        (Arc::new(metrics), catalog)
    }

    /// Makes the metrics of a coordinator.
    #[must_use]
    pub fn new(catalog: &mut Catalog) -> Self {
        let metrics = Self {
            jobs: catalog.gauges("deepclone_jobs", &["state"], "Jobs that are known"),
            jobs_ended: catalog.counters(
                "deepclone_jobs_ended_total",
                &["outcome", "reason"],
                "Jobs that ended: succeeded, up_to_date, cancelled, or failed for a reason",
            ),
            tasks: catalog.gauges(
                "deepclone_tasks",
                &["status"],
                "Tasks of the jobs that are copied: ready, leased, waiting (for other tasks, or \
                 after a failure), done",
            ),
            bytes: catalog.gauges(
                "deepclone_bytes",
                &["status"],
                "Bytes of the jobs that have not ended: done, moving, open",
            ),
            task_failures: catalog.counters(
                "deepclone_task_failures_total",
                &["reason"],
                "Attempts at tasks that failed, as workers reported",
            ),
            workers: catalog.gauges("deepclone_workers", &["state"], "Workers that are known"),
            workers_registered: catalog.counter(
                "deepclone_workers_registered_total",
                "Registrations of workers, those that come back included",
            ),
            workers_left: catalog
                .counter("deepclone_workers_left_total", "Workers that left in good order"),
            workers_lost: catalog.counter(
                "deepclone_workers_lost_total",
                "Workers that sent nothing for the time of a lease",
            ),
            workers_refused: catalog.counters(
                "deepclone_workers_refused_total",
                &["reason"],
                "Registrations of workers that were refused",
            ),
            leases_granted: catalog
                .counter("deepclone_leases_granted_total", "Tasks granted to workers"),
            leases_lost: catalog.counters(
                "deepclone_leases_lost_total",
                &["cause"],
                "Leases that ended without a report: expired while the worker lived, or with a \
                 worker_lost",
            ),
            driver_waiting: catalog.gauge(
                "deepclone_driver_messages",
                "Messages that waited for the driver at its last turn",
            ),
            state: StateMetrics::new(catalog),
            calls: CallMetrics::new(catalog),
            told: ToldMetrics::new(catalog),
        };
        metrics.begin_at_zero();
        metrics
    }

    /// Shows each series whose labels are few before its first event: a rate needs a beginning.
    fn begin_at_zero(&self) {
        for outcome in ["succeeded", "up_to_date", "cancelled"] {
            let _shown = self.jobs_ended.with(&[outcome, ""]);
        }
        for cause in [EXPIRED, WORKER_LOST] {
            let _shown = self.leases_lost.with(&[cause]);
        }
        let _shown = self.state.audit_entries.with(&["OK"]);
        for method in known_names() {
            let _shown = (self.calls.ended.with(&[method, "OK"]), self.calls.open.with(&[method]));
        }
    }

    /// Sets every gauge from the machine.
    pub fn show(&self, machine: &Machine) {
        let mut jobs = JOB_STATES.map(|(state, name)| (state, name, 0));
        let (mut done, mut moving, mut open) = (0, 0, 0);
        for job in machine.jobs() {
            if let Some(row) = jobs.iter_mut().find(|(state, _, _)| *state == job.state) {
                row.2 += 1;
            }
            if !job.state.is_final() {
                let progress = job.progress;
                done += progress.bytes_done;
                moving += progress.bytes_moving;
                open += progress.bytes_total.saturating_sub(progress.bytes_done);
            }
        }
        for (_, name, count) in jobs {
            self.jobs.set(&[name], count);
        }
        for (state, name) in WORKER_STATES {
            let count = machine.workers().filter(|worker| worker.state == state).count();
            self.workers.set(&[name], count as u64);
        }
        let TaskCounts { ready, leased, waiting, done: tasks_done } = machine.task_counts();
        for (name, count) in
            [("ready", ready), ("leased", leased), ("waiting", waiting), ("done", tasks_done)]
        {
            self.tasks.set(&[name], count);
        }
        for (name, count) in [("done", done), ("moving", moving), ("open", open)] {
            self.bytes.set(&[name], count);
        }
    }

    /// Counts a fact that is durable.
    pub(crate) fn recorded(&self, fact: &Fact) {
        match fact {
            Fact::TaskFailed { kind, .. } => {
                self.task_failures.with(&[kind.name()]).inc();
            }
            Fact::Ended { end, .. } => {
                let labels = match end {
                    End::Succeeded { up_to_date: false, .. } => ["succeeded", ""],
                    End::Succeeded { up_to_date: true, .. } => ["up_to_date", ""],
                    End::Failed(failure) => ["failed", failure.reason.row().name],
                    End::Cancelled => ["cancelled", ""],
                };
                self.jobs_ended.with(&labels).inc();
            }
            _ => {}
        }
    }

    /// Counts what the machine noticed.
    pub(crate) fn noticed(&self, notice: &Notice) {
        match notice {
            Notice::WorkerLost { leases, .. } => {
                self.workers_lost.inc();
                self.leases_lost.with(&[WORKER_LOST]).inc_by(*leases as u64);
            }
            Notice::LeaseExpired { .. } => {
                self.leases_lost.with(&[EXPIRED]).inc();
            }
        }
    }
}

const EXPIRED: &str = "expired";
const WORKER_LOST: &str = "worker_lost";

const JOB_STATES: [(JobState, &str); 10] = [
    (JobState::Queued, "queued"),
    (JobState::Planning, "planning"),
    (JobState::Copying, "copying"),
    (JobState::WaitingForWorkers, "waiting_for_workers"),
    (JobState::Held, "held"),
    (JobState::Publishing, "publishing"),
    (JobState::Succeeded, "succeeded"),
    (JobState::Failed, "failed"),
    (JobState::Cancelling, "cancelling"),
    (JobState::Cancelled, "cancelled"),
];

const WORKER_STATES: [(WorkerState, &str); 3] = [
    (WorkerState::Active, "active"),
    (WorkerState::Draining, "draining"),
    (WorkerState::Lost, "lost"),
];
