//! Counts what a worker does, for `/metrics`: the one place where each of its metrics is described.

use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::labelled::{Counters, Gauges};
use deepclone_common::metrics::process;
use deepclone_common::store::counts;
use deepclone_common::telemetry::spans::span_counters;
use deepclone_core::machine::TaskOutcome;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// Counts what a worker does; clones share the counters.
#[derive(Clone, Debug)]
pub struct WorkerMetrics {
    pub(crate) bytes_read: Counter,
    pub(crate) bytes_written: Counter,
    pub(crate) bytes_flowing: Gauge,
    pub(crate) requests: Counter,
    objects_done: Counter,
    tasks_done: Counter,
    tasks_failed: Counters,
    tasks_held: Gauge,
    slots: Gauges,
    slots_used: Gauges,
    pub(crate) buffers: Gauge,
    buffers_limit: Gauge,
    registered: Gauge,
    registrations: Counter,
    pub(crate) spans: Counters,
}

impl Default for WorkerMetrics {
    /// Metrics that nobody is shown.
    fn default() -> Self {
        Self::new(&mut Catalog::default())
    }
}

impl WorkerMetrics {
    /// Returns the metrics of a worker's process, with those of the process itself and of its
    /// stores.
    #[must_use]
    pub fn of_process() -> (Self, Catalog) {
        let mut catalog = Catalog::default();
        let metrics = Self::new(&mut catalog);
        counts::register(&mut catalog);
        process::register(&mut catalog, env!("CARGO_PKG_VERSION"));
        (metrics, catalog)
    }

    /// Makes the metrics of a worker.
    #[must_use]
    pub fn new(catalog: &mut Catalog) -> Self {
        Self {
            bytes_read: catalog.counter(
                "deepclone_worker_read_bytes_total",
                "Bytes that came from sources, as they come, repeats included",
            ),
            bytes_written: catalog.counter(
                "deepclone_worker_written_bytes_total",
                "Bytes of the objects and parts that targets took, repeats included",
            ),
            bytes_flowing: catalog.gauge(
                "deepclone_worker_flowing_bytes",
                "Bytes that writes under way have taken, and that no target has confirmed",
            ),
            requests: catalog.counter(
                "deepclone_worker_store_requests_total",
                "Requests for objects of tasks, each attempt, also to local disks",
            ),
            objects_done: catalog.counter(
                "deepclone_worker_objects_done_total",
                "Objects copied, or found at targets, of tasks that are done",
            ),
            tasks_done: catalog.counter("deepclone_worker_tasks_done_total", "Tasks done"),
            tasks_failed: catalog.counters(
                "deepclone_worker_tasks_failed_total",
                &["reason"],
                "Attempts at tasks that failed",
            ),
            tasks_held: catalog.gauge(
                "deepclone_worker_tasks_held",
                "Grants held, until their report is answered",
            ),
            slots: catalog.gauges(
                "deepclone_worker_slots",
                &["source", "target"],
                "Objects and parts that may be copied at once, by connections",
            ),
            slots_used: catalog.gauges(
                "deepclone_worker_slots_used",
                &["source", "target"],
                "Objects and parts that are copied now: the streams between two connections",
            ),
            buffers: catalog.gauge(
                "deepclone_worker_buffer_bytes",
                "Memory that copies have taken of the budget",
            ),
            buffers_limit: catalog.gauge(
                "deepclone_worker_buffer_limit_bytes",
                "The budget of memory for all copies together",
            ),
            registered: catalog
                .gauge("deepclone_worker_registered", "1 while a coordinator knows the worker"),
            registrations: catalog.counter(
                "deepclone_worker_registrations_total",
                "Times that the worker came to a coordinator: more than one tells of lost ones",
            ),
            spans: span_counters(catalog),
        }
    }

    /// Adds what a task did at its end.
    pub(crate) fn count(&self, outcome: &TaskOutcome) {
        match outcome {
            TaskOutcome::Done(receipt) => {
                self.objects_done.inc_by(receipt.objects.len() as u64);
                self.tasks_done.inc();
            }
            TaskOutcome::Failed(failure) => {
                self.tasks_failed.with(&[failure.kind.name()]).inc();
            }
        }
    }

    /// Shows how many slots there are now between two connections, and how many are used.
    pub(crate) fn slots(&self, source: &str, target: &str, slots: u32, used: u32) {
        self.slots.set(&[source, target], u64::from(slots));
        self.slots_used.set(&[source, target], u64::from(used));
    }

    /// Shows how many grants are held now.
    pub(crate) fn hold(&self, tasks: usize) {
        self.tasks_held.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }

    /// Shows the budget of memory.
    pub(crate) fn limit_buffers(&self, bytes: u64) {
        self.buffers_limit.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Shows whether a coordinator knows the worker.
    pub(crate) fn registered(&self, is_registered: bool) {
        if is_registered {
            self.registrations.inc();
        }
        self.registered.set(i64::from(is_registered));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_prometheus_wants_them() {
        let (_, catalog) = WorkerMetrics::of_process();
        for row in catalog.rows() {
            let is_ours = row.name.starts_with("deepclone_") || row.name.starts_with("process_");
            let is_counter = row.kind.name() == "counter";
            assert!(is_ours, "{row:?}");
            assert_eq!(is_counter, row.name.ends_with("_total"), "{row:?}");
            assert!(!row.help.ends_with('.'), "{row:?}");
        }
    }
}
