//! What the driver does → traces of syncs.

use deepclone_core::ids::{GrantKey, JobId};
use deepclone_core::machine::{Fact, TaskOutcome};
use deepclone_core::trace::TraceContext;
use deepclone_core::unix_time::UnixTime;

use super::message::Report;
use super::owner::Driver;
use crate::state::Entry;

impl Driver {
    /// Takes an entry that is durable.
    pub(super) fn trace(&mut self, entry: &Entry) {
        if !self.traces.is_wanted() {
            return;
        }
        let job = entry.fact.job();
        let job_spec = match entry.fact {
            Fact::Created { .. } => self.jobs.get(job).map(|entry| entry.job_spec.clone()),
            _ => None,
        };
        let progress = self.machine.job(job).map(|view| view.progress).unwrap_or_default();
        self.traces.recorded(entry, job_spec, progress);
    }

    /// Takes that a job changed.
    pub(super) fn trace_state(&mut self, job: JobId) {
        if let Some(state) = self.machine.job_state(job).filter(|_| self.traces.is_wanted()) {
            self.traces.changed(job, state, self.unix_now());
        }
    }

    /// Takes a grant to a worker of this name, and returns the span of its task.
    pub(super) fn trace_grant(&mut self, key: &GrantKey, worker: &str) -> Option<TraceContext> {
        self.traces.granted(key, worker, self.unix_now())
    }

    /// Takes the attempts that a worker says have failed.
    pub(super) fn trace_failures(&mut self, report: &Report) {
        let at = self.unix_now();
        let name = self.workers.info(report.worker).map_or("", |info| &info.name);
        for (key, outcome) in &report.outcomes {
            if let TaskOutcome::Failed(failure) = outcome {
                self.traces.attempt_failed(key, name, failure, at);
            }
        }
    }

    pub(super) fn unix_now(&self) -> UnixTime {
        UnixTime(self.context.clock.now_ms())
    }
}
