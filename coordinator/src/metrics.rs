//! The gauges of `/metrics`: jobs, workers, tasks and bytes, counted in the machine.

use deepclone_core::machine::{JobState, Machine, WorkerState};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = [(&'static str, &'static str); 1];
type Gauged = Family<Labels, Gauge>;

/// The gauges that the driver sets.
#[derive(Debug, Default)]
pub struct Gauges {
    jobs: Gauged,
    workers: Gauged,
    tasks: Gauged,
    bytes: Gauged,
}

impl Gauges {
    /// Returns a registry of all gauges, for `/metrics`.
    #[must_use]
    pub fn registry(&self) -> Registry {
        // No prefix at the root: what `/metrics` adds to it has its whole name.
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("deepclone");
        ours.register("jobs", "Jobs that are known, by state", self.jobs.clone());
        ours.register("workers", "Workers that are known, by state", self.workers.clone());
        ours.register("tasks", "Tasks of live jobs: done, open", self.tasks.clone());
        ours.register("bytes", "Bytes of live jobs: done, open", self.bytes.clone());
        registry
    }

    /// Sets every gauge from the machine.
    pub fn show(&self, machine: &Machine) {
        let mut jobs = JOB_STATES.map(|(state, name)| (state, name, 0));
        let (mut tasks_done, mut tasks_open, mut bytes_done, mut bytes_open) = (0, 0, 0, 0);
        for job in machine.jobs() {
            if let Some(row) = jobs.iter_mut().find(|(state, _, _)| *state == job.state) {
                row.2 += 1;
            }
            if !job.state.is_final() {
                let progress = job.progress;
                tasks_done += progress.tasks_done;
                tasks_open += progress.tasks_total.saturating_sub(progress.tasks_done);
                bytes_done += progress.bytes_done;
                bytes_open += progress.bytes_total.saturating_sub(progress.bytes_done);
            }
        }
        for (_, name, count) in jobs {
            set(&self.jobs, "state", name, count);
        }
        for (state, name) in WORKER_STATES {
            let count = machine.workers().filter(|worker| worker.state == state).count();
            set(&self.workers, "state", name, count as u64);
        }
        set(&self.tasks, "status", "done", tasks_done);
        set(&self.tasks, "status", "open", tasks_open);
        set(&self.bytes, "status", "done", bytes_done);
        set(&self.bytes, "status", "open", bytes_open);
    }
}

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

fn set(family: &Gauged, label: &'static str, name: &'static str, count: u64) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    family.get_or_create(&[(label, name)]).set(count);
}
