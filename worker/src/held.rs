//! The grants of this worker: each is copied in the background, and held until the coordinator has
//! answered its report.
//!
//! Grants outlive a connection to a coordinator: the worker announces them again when it registers,
//! and outcomes wait until a coordinator takes them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deepclone_common::connections::{self, ConnectionError, Connections};
use deepclone_common::telemetry::spans::Spans;
use deepclone_core::ids::{GrantKey, JobId};
use deepclone_core::job_limits::JobShare;
use deepclone_core::limits::{GRANT_TASKS_MAX, HELD_TASKS_MAX};
use deepclone_core::machine::{HeldTask, TaskOutcome};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::{AttemptCounts, TaskFailure, TaskFailureKind};
use deepclone_core::task::{Capacity, Grant, TaskSide, TaskSpec};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt_span::{AttemptSpan, AttemptTracer};
use crate::budget::Budget;
use crate::copy::context::TaskContext;
use crate::copy::counts::Counts;
use crate::copy::target::Target;
use crate::copy::task::do_task;
use crate::guard;
use crate::job_pace::{JobPace, JobPaces};
use crate::lease::LeaseClock;
use crate::metrics::WorkerMetrics;
use crate::options::WorkerLimits;
use crate::slots::Lanes;
use crate::slots::lane::Lane;

/// Objects of the grants that the worker holds at once.
const OBJECTS_HELD_MAX: u32 = 2048;
/// Bytes of the held grants whose copy has not begun, below which the worker asks for more: a
/// second of a fast line, which hides the coordinator's latency, and few enough to leave tasks for
/// others.
const WAITING_BYTES_MAX: u64 = 256 << 20;

/// The grants that a worker holds; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct HeldTasks {
    connections: Arc<Connections>,
    lanes: Lanes,
    paces: JobPaces,
    metrics: WorkerMetrics,
    /// Notified when a task or one of its copies begins or ends, or is forgotten.
    changed: Arc<Notify>,
    tasks: Arc<Mutex<BTreeMap<GrantKey, Task>>>,
    /// The running copies, those of forgotten grants included.
    copies: TaskTracker,
    /// Who is told of what it does.
    tracer: AttemptTracer,
}

#[derive(Debug)]
struct Task {
    started_at: Instant,
    lease: Arc<LeaseClock>,
    stop: CancellationToken,
    counts: Arc<Counts>,
    bytes: u64,
    objects: u32,
    pace: JobPace,
    /// `None` while the task is copied.
    outcome: Option<TaskOutcome>,
}

impl Task {
    /// The outcome as it is reported now; `None` while the task is copied.
    fn report(&self) -> Option<TaskOutcome> {
        let mut outcome = self.outcome.clone()?;
        if let TaskOutcome::Done(receipt) = &mut outcome {
            let elapsed = self.started_at.elapsed().as_millis();
            receipt.elapsed_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        }
        Some(outcome)
    }
}

impl HeldTasks {
    pub(crate) fn new(
        connections: Arc<Connections>,
        limits: &WorkerLimits,
        metrics: WorkerMetrics,
    ) -> Self {
        Self {
            connections,
            lanes: Lanes::new(Budget::new(limits).shown_by(&metrics), metrics.clone()),
            paces: JobPaces::default(),
            metrics,
            changed: Arc::new(Notify::new()),
            tasks: Arc::default(),
            copies: TaskTracker::new(),
            tracer: AttemptTracer::default(),
        }
    }

    /// Returns the same, that tells of each grant's end as a worker of this name.
    pub(crate) fn traced(self, spans: Spans, worker: String) -> Self {
        Self { tracer: AttemptTracer::new(spans, worker), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<GrantKey, Task>> {
        self.tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Starts to copy a grant whose answer came at `came_at`. One that is held already continues,
    /// with its lease extended.
    pub(crate) fn start(&self, grant: Grant, came_at: Instant) {
        let mut tasks = self.lock();
        let pace = self.paces.of(grant.key.job, grant.share);
        if let Some(task) = tasks.get(&grant.key) {
            task.lease.extend(came_at, grant.ttl);
            return;
        }
        // Checked before the store is tried, which writes to it.
        let allowed = guard::check(&grant.spec, &self.connections.offers());
        let lane = allowed.map(|()| self.lanes.of(&grant.spec).for_job(pace.clone()));
        let meter = lane.as_ref().map(Lane::meter).unwrap_or_default();
        let TaskSpec { source, target, .. } = &grant.spec;
        let counts = Counts::new(meter, self.metrics.clone())
            .between(&source.connection, &target.connection);
        let task = Task {
            started_at: came_at,
            lease: Arc::new(LeaseClock::new(came_at, grant.ttl)),
            stop: CancellationToken::new(),
            counts: Arc::new(counts),
            bytes: grant.spec.work.bytes(),
            objects: u32::try_from(grant.spec.work.objects().len()).unwrap_or(u32::MAX),
            pace,
            outcome: None,
        };
        let (clock, stop) = (Arc::clone(&task.lease), task.stop.clone());
        let counts = Arc::clone(&task.counts);
        let span = self.tracer.begin(&grant);
        tasks.insert(grant.key, task);
        self.metrics.hold(tasks.len());
        drop(tasks);
        let held = self.clone();
        self.copies.spawn(async move {
            let fit = match lane {
                Ok(lane) => held.probe(&grant.spec.target).await.map(|()| lane),
                Err(failure) => Err(failure),
            };
            // Opened after the trial, whose result decides how the store is written to.
            let context = fit.and_then(|lane| held.context(&grant, lane, clock, stop, counts));
            let outcome = match context {
                Ok(context) => do_task(&context, &grant.spec.work).await,
                Err(failure) => TaskOutcome::Failed(failure),
            };
            held.end(grant.key, outcome, span);
        });
    }

    /// Tries the target's store, once in each process.
    async fn probe(&self, target: &TaskSide) -> Result<(), TaskFailure> {
        let TaskSide { connection, fingerprint, root } = target;
        let probed = self.connections.probe_store(connection, fingerprint, root).await;
        probed.map(drop).map_err(|failure| {
            let kind = match failure.reason {
                Reason::StorageUnavailable => TaskFailureKind::Transient,
                _ => TaskFailureKind::TargetDenied,
            };
            let message = failure.message;
            TaskFailure { index: None, kind, message, spent: AttemptCounts::default() }
        })
    }

    fn context(
        &self,
        grant: &Grant,
        lane: Lane,
        lease: Arc<LeaseClock>,
        stop: CancellationToken,
        counts: Arc<Counts>,
    ) -> Result<TaskContext, TaskFailure> {
        let open = |side: &TaskSide, of: connections::Side, kind| {
            let opened = self.connections.open_by(&side.connection, &side.fingerprint, &side.root);
            opened.map_err(|error: ConnectionError| TaskFailure {
                index: None,
                kind,
                message: error.failure_of(of).message,
                spent: AttemptCounts::default(),
            })
        };
        let spec = &grant.spec;
        let source = open(&spec.source, connections::Side::Source, TaskFailureKind::SourceDenied)?;
        let target = open(&spec.target, connections::Side::Target, TaskFailureKind::TargetDenied)?;
        Ok(TaskContext {
            source: source.table,
            target: Target::new(target, Arc::clone(&counts)),
            one_store: self.connections.one_store(&spec.source.connection, &spec.target.connection),
            attempt: grant.key.attempt,
            verification: spec.verification,
            lane,
            lease,
            stop,
            counts,
            begun: Arc::clone(&self.changed),
            leftovers: Arc::default(),
        })
    }

    fn end(&self, key: GrantKey, outcome: TaskOutcome, span: Option<AttemptSpan>) {
        self.metrics.count(&outcome);
        let mut tasks = self.lock();
        self.tracer.end(span, &outcome, tasks.contains_key(&key));
        if let Some(task) = tasks.get_mut(&key) {
            if let TaskOutcome::Failed(failure) = &outcome {
                let (job, task, attempt) = (key.job, key.fingerprint, key.attempt.0);
                let (reason, error) = (failure.kind.name(), &failure.message);
                tracing::warn!(%job, ?task, attempt, reason, error, "task failed");
            }
            task.outcome = Some(outcome);
        }
        drop(tasks);
        self.changed.notify_waiters();
    }

    /// What more can be taken on.
    pub(crate) fn capacity(&self) -> Capacity {
        let mut capacity = Capacity { bytes: WAITING_BYTES_MAX, objects: OBJECTS_HELD_MAX };
        let tasks = self.lock();
        if tasks.len() + GRANT_TASKS_MAX > HELD_TASKS_MAX {
            // Reports come first: no coordinator takes a longer list of held grants.
            return Capacity { bytes: 0, objects: 0 };
        }
        for task in tasks.values().filter(|task| task.outcome.is_none()) {
            // Of a job with limits the coordinator gives few bytes ahead: no other job is to wait
            // for them.
            if !task.pace.is_bounded() {
                let begun = task.counts.bytes_begun.load(Ordering::Relaxed);
                capacity.bytes = capacity.bytes.saturating_sub(task.bytes.saturating_sub(begun));
            }
            capacity.objects = capacity.objects.saturating_sub(task.objects);
        }
        capacity
    }

    /// All grants, including those whose report is not answered yet.
    pub(crate) fn all(&self) -> Vec<HeldTask> {
        let tasks = self.lock();
        let held = tasks.iter().map(|(key, task)| HeldTask {
            key: *key,
            bytes_done: task.counts.bytes_done(),
            bytes_read: task.counts.of_attempt().bytes_read,
        });
        held.collect()
    }

    /// Extends the leases of these grants: a heartbeat that was sent at `sent_at` was answered.
    pub(crate) fn extend(&self, held: &[HeldTask], sent_at: Instant, ttl: Duration) {
        let tasks = self.lock();
        for task in held.iter().filter_map(|held| tasks.get(&held.key)) {
            task.lease.extend(sent_at, ttl);
        }
    }

    /// Takes what the coordinator told of jobs: what the copies of each may take together.
    pub(crate) fn limit(&self, shares: Vec<(JobId, JobShare)>) {
        for (job, share) in shares {
            self.paces.set(job, share);
        }
    }

    /// At most `most` of the outcomes that wait to be reported.
    pub(crate) fn outcomes(&self, most: usize) -> Vec<(GrantKey, TaskOutcome)> {
        let tasks = self.lock();
        let ended = tasks.iter().filter_map(|(key, task)| Some((*key, task.report()?)));
        ended.take(most).collect()
    }

    /// Drops these grants, which are reported, returned or not wanted, and stops their copies.
    pub(crate) fn forget(&self, keys: impl IntoIterator<Item = GrantKey>) {
        let mut tasks = self.lock();
        for key in keys {
            if let Some(task) = tasks.remove(&key) {
                task.stop.cancel();
            }
        }
        self.metrics.hold(tasks.len());
        self.paces.keep(&tasks.keys().map(|key| key.job).collect());
        drop(tasks);
        self.changed.notify_waiters();
    }

    /// Waits until no copy runs. None may be started afterwards.
    pub(crate) async fn given_up(&self) {
        self.copies.close();
        self.copies.wait().await;
    }

    /// True when no grant is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Waits until `done` returns true; it is called again at each change.
    pub(crate) async fn until(&self, done: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before `done` is called, so that no change is missed in between.
            changed.as_mut().enable();
            if done(self) {
                return;
            }
            changed.await;
        }
    }
}
