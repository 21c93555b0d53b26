//! Counts what a worker does, for `/metrics`.

use deepclone_core::machine::TaskOutcome;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts what a worker does; clones share the counters.
#[derive(Clone, Debug, Default)]
pub struct WorkerMetrics {
    bytes_read: Counter,
    bytes_written: Counter,
    objects_done: Counter,
    requests: Counter,
    slots: Family<Vec<(String, String)>, Gauge>,
    tasks_failed: Counter,
    tasks_held: Gauge,
}

impl WorkerMetrics {
    /// Adds the counters to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("deepclone_worker");
        let Self { bytes_read, bytes_written, objects_done, requests, .. } = self.clone();
        registry.register("bytes_read", "Bytes read from sources in tasks done", bytes_read);
        registry.register("bytes_written", "Bytes written in tasks done", bytes_written);
        registry.register("objects_done", "Objects copied or found at targets", objects_done);
        registry.register("store_requests", "Requests to stores in tasks done", requests);
        registry.register(
            "slots",
            "Objects and parts that may be copied at once, by connections",
            self.slots.clone(),
        );
        registry.register(
            "tasks_failed",
            "Attempts at tasks that failed",
            self.tasks_failed.clone(),
        );
        registry.register(
            "tasks_held",
            "Grants held, until their report is answered",
            self.tasks_held.clone(),
        );
    }

    /// Adds what a task did at its end.
    pub(crate) fn count(&self, outcome: &TaskOutcome) {
        match outcome {
            TaskOutcome::Done(receipt) => {
                self.bytes_read.inc_by(receipt.bytes_read);
                self.bytes_written.inc_by(receipt.bytes_written);
                self.objects_done.inc_by(receipt.objects.len() as u64);
                self.requests.inc_by(u64::from(receipt.requests));
            }
            TaskOutcome::Failed(_) => {
                self.tasks_failed.inc();
            }
        }
    }

    /// Shows how many slots there are now between two connections.
    pub(crate) fn slots(&self, source: &str, target: &str, slots: u32) {
        let labels = [("source", source), ("target", target)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.slots.get_or_create(&labels.into()).set(i64::from(slots));
    }

    /// Shows how many grants are held now.
    pub(crate) fn hold(&self, tasks: usize) {
        self.tasks_held.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn every_name_has_one_prefix() {
        let mut registry = Registry::default();
        let metrics = WorkerMetrics::default();
        metrics.register(&mut registry);
        metrics.slots("lake", "replica", 64);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let names: Vec<_> = names.map(|(name, _)| name).collect();
        let expected = [
            "bytes_read",
            "bytes_written",
            "objects_done",
            "store_requests",
            "slots",
            "tasks_failed",
            "tasks_held",
        ];
        assert_eq!(names, expected.map(|name| format!("deepclone_worker_{name}")), "{text}");
        let line = "deepclone_worker_slots{source=\"lake\",target=\"replica\"} 64";
        assert!(text.lines().any(|found| found == line), "{text}");
    }
}
