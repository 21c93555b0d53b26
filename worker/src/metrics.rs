//! What a worker counts, for `/metrics`.

use deepclone_core::machine::TaskOutcome;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The worker's counters; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    bytes_read: Counter,
    bytes_written: Counter,
    objects_copied: Counter,
    requests: Counter,
    tasks_failed: Counter,
    tasks_held: Gauge,
}

impl Metrics {
    /// Adds them to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("deepclone_worker");
        let Self { bytes_read, bytes_written, objects_copied, requests, .. } = self.clone();
        registry.register("bytes_read", "Bytes read from sources in tasks done", bytes_read);
        registry.register("bytes_written", "Bytes written in tasks done", bytes_written);
        registry.register("objects_copied", "Objects copied or found present", objects_copied);
        registry.register("store_requests", "Requests to stores in tasks done", requests);
        registry.register(
            "tasks_failed",
            "Attempts at tasks that failed",
            self.tasks_failed.clone(),
        );
        registry.register("tasks_held", "Grants that are worked on now", self.tasks_held.clone());
    }

    pub(crate) fn count(&self, outcome: &TaskOutcome) {
        match outcome {
            TaskOutcome::Done(receipt) => {
                self.bytes_read.inc_by(receipt.bytes_read);
                self.bytes_written.inc_by(receipt.bytes_written);
                self.objects_copied.inc_by(receipt.objects.len() as u64);
                self.requests.inc_by(u64::from(receipt.requests));
            }
            TaskOutcome::Failed(_) => {
                self.tasks_failed.inc();
            }
        }
    }

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
        Metrics::default().register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let names: Vec<_> = names.map(|(name, _)| name).collect();
        let expected = [
            "bytes_read",
            "bytes_written",
            "objects_copied",
            "store_requests",
            "tasks_failed",
            "tasks_held",
        ];
        assert_eq!(names, expected.map(|name| format!("deepclone_worker_{name}")), "{text}");
    }
}
