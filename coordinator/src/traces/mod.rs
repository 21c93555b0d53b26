//! Traces of syncs: what became of each one, as spans for an OpenTelemetry collector.
//!
//! Flow: a fact of a sync is durable, or the driver does something that is none (`driver/traced`)
//! → [`Traces`]: the sync's phase and its open tasks → spans that ended → the queue of
//! [`deepclone_common::telemetry::spans`].
//!
//! One sync is one trace: `sync` > `queue`, `plan`, `copy`, `publish`, `checkpoint` > `task`, and
//! below a task each worker's `attempt`. Ids are derived ([`deepclone_core::trace`]), and the facts
//! of a sync are replayed at a start, so a restart goes on with the spans that were open.
//!
//! * `sync_trace`: one sync; `open_tasks`: its tasks that are granted; `attributes`: the names of
//!   what spans say.

mod attributes;
mod open_tasks;
mod sync_trace;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use deepclone_common::telemetry::span::EndedSpan;
use deepclone_common::telemetry::spans::Spans;
use deepclone_core::ids::{GrantKey, JobId};
use deepclone_core::machine::{Fact, JobState, Progress};
use deepclone_core::receipt::TaskFailure;
use deepclone_core::trace::TraceContext;
use deepclone_core::unix_time::UnixTime;

use self::sync_trace::SyncTrace;
use crate::state::{Entry, JobSpec};

/// The syncs that are live, as traces show them; without a collector there are none.
#[derive(Debug, Default)]
pub struct Traces {
    spans: Spans,
    live: BTreeMap<JobId, SyncTrace>,
}

impl Traces {
    /// Makes those that tell `spans`.
    #[must_use]
    pub fn new(spans: Spans) -> Self {
        Self { spans, live: BTreeMap::new() }
    }

    /// Goes on with the syncs of earlier epochs; `job_spec` returns what was asked for.
    #[must_use]
    pub fn recover(
        spans: Spans,
        entries: &[Entry],
        job_spec: impl Fn(JobId) -> Option<Arc<JobSpec>>,
    ) -> Self {
        let mut traces = Self::new(spans);
        if !traces.spans.is_wanted() {
            return traces;
        }
        for entry in entries {
            let job = entry.fact.job();
            // What ended before was told before.
            let _told = traces.apply(entry, job_spec(job), Progress::default());
        }
        for sync in traces.live.values_mut() {
            sync.recovered();
        }
        traces
    }

    /// Returns whether anybody takes what ends.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.spans.is_wanted()
    }

    /// Takes an entry that is durable. `job_spec` is what was asked for, `progress` how far the job
    /// is.
    pub fn recorded(&mut self, entry: &Entry, job_spec: Option<Arc<JobSpec>>, progress: Progress) {
        let ended = self.apply(entry, job_spec, progress);
        self.tell(ended);
    }

    /// Takes that a job is planned from now on.
    pub fn planning(&mut self, job: JobId, at: UnixTime) {
        let ended = self.live.get_mut(&job).map(|sync| sync.planning(at));
        self.tell(ended.unwrap_or_default());
    }

    /// Takes the state of a job that changed.
    pub fn changed(&mut self, job: JobId, state: JobState, at: UnixTime) {
        let ended = self.live.get_mut(&job).map(|sync| sync.changed(state, at));
        self.tell(ended.unwrap_or_default());
    }

    /// Takes that a job's commit was in the replica's log at this time.
    pub fn committed(&mut self, job: JobId, at: UnixTime) {
        let ended = self.live.get_mut(&job).map(|sync| sync.committed(at));
        self.tell(ended.unwrap_or_default());
    }

    /// Takes that a worker of this name is granted a task. Returns the task's span for it, or
    /// `None` where the task has none.
    pub fn granted(&mut self, key: &GrantKey, worker: &str, at: UnixTime) -> Option<TraceContext> {
        let granted = self.live.get_mut(&key.job)?.granted(key, worker, at);
        if granted.is_none() {
            self.spans.drop_one();
        }
        granted
    }

    /// Takes that an attempt at a task failed, as the worker of this name says. Of a grant that it
    /// was not given nothing is kept.
    pub fn attempt_failed(
        &mut self,
        key: &GrantKey,
        worker: &str,
        failure: &TaskFailure,
        at: UnixTime,
    ) {
        if let Some(sync) = self.live.get_mut(&key.job) {
            sync.attempt_failed(key, worker, failure, at);
        }
    }

    fn apply(
        &mut self,
        entry: &Entry,
        job_spec: Option<Arc<JobSpec>>,
        progress: Progress,
    ) -> Vec<EndedSpan> {
        let (job, at) = (entry.fact.job(), UnixTime(entry.recorded_ms));
        if let (Fact::Created { .. }, Some(job_spec)) = (&entry.fact, job_spec) {
            self.live.insert(job, SyncTrace::new(job, job_spec, at));
            return Vec::new();
        }
        let Some(sync) = self.live.get_mut(&job) else { return Vec::new() };
        let ended = sync.apply(&entry.fact, at, progress);
        if matches!(entry.fact, Fact::Ended { .. }) {
            self.live.remove(&job);
        }
        ended
    }

    fn tell(&self, ended: Vec<EndedSpan>) {
        for span in ended {
            self.spans.tell(span);
        }
    }
}
