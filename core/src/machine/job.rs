//! One job: what is valid in which state, and how others see it.

use std::collections::{BTreeMap, BTreeSet};

use super::attempts::{Attempts, GrantStanding};
use super::event::Route;
use super::fact::End;
use super::job_state::JobState;
use super::lease::TaskLeases;
use super::moment::Moment;
use super::progress::Progress;
use super::shown::Shown;
use super::tasks::Tasks;
use super::unreported::Unreported;
use super::view::JobView;
use crate::ids::{Epoch, GrantKey, JobId, TargetKey, TaskFingerprint, TaskIndex, WorkerId};
use crate::job_limits::{JobLimits, JobShare};
use crate::receipt::Receipt;

/// A sync: what outlives its states, and the state that it is in.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) target: TargetKey,
    pub(super) route: Route,
    pub(super) spec: Vec<u8>,
    /// What its workers may take together.
    pub(super) limits: JobLimits,
    /// While there are limits: what each worker was told that holds a task of it, and some that
    /// held one.
    pub(super) shares: BTreeMap<WorkerId, JobShare>,
    pub(super) cancel_requested: bool,
    /// A commit may be in the replica's log: only its log can tell.
    pub(super) publish_intended: bool,
    /// Tasks whose receipt is a fact, of any plan of this job, and what it shows.
    pub(super) evidence: BTreeMap<TaskFingerprint, Shown>,
    /// The attempts at tasks, kept while there is no plan.
    pub(super) attempts: BTreeMap<TaskFingerprint, Attempts>,
    /// How often each worker could not reach an object, in a row.
    pub(super) denials: BTreeMap<WorkerId, u32>,
    /// Since when no worker takes its tasks, as far as was seen.
    pub(super) starved_since: Option<Moment>,
    /// The newest plan leads to the source's newest version.
    pub(super) follows_newest: bool,
    /// Times that it was planned again because an object was gone.
    pub(super) vanished: u32,
    /// The versions of the newest plan: the source's, and the replica's head.
    pub(super) planned: Option<(u64, Option<u64>)>,
    /// Times that publishing sent it back, by any cause.
    pub(super) rounds: u32,
    pub(super) spent: Spent,
    /// What was read of grants that ended without a report.
    pub(super) unreported: Unreported,
    pub(super) stage: Stage,
}

/// What a job took.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent {
    /// Grants, and the sums of the receipts.
    pub(super) sums: Progress,
    pub(super) workers: BTreeSet<WorkerId>,
}

/// Where a job stands, with exactly what is valid there. [`JobState`] has the diagram.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Another job of the same target is before it.
    Queued,
    /// The plan effect runs. Grants that workers still work on are kept until the plan tells which
    /// tasks they are of: those of earlier epochs, and those of the plan that this one replaces.
    Planning { announced: BTreeMap<TaskFingerprint, TaskLeases> },
    /// Some task is not done.
    Copying(Tasks),
    /// Every task is done, and the publish effect runs.
    Publishing(Tasks),
    /// It is over: how it ended, and how far it was.
    Ended { end: End, progress: Progress },
}

impl Job {
    pub(super) fn new(target: TargetKey, route: Route, spec: Vec<u8>, limits: JobLimits) -> Self {
        Self {
            target,
            route,
            spec,
            limits,
            shares: BTreeMap::new(),
            cancel_requested: false,
            publish_intended: false,
            evidence: BTreeMap::new(),
            attempts: BTreeMap::new(),
            denials: BTreeMap::new(),
            starved_since: None,
            follows_newest: false,
            vanished: 0,
            planned: None,
            rounds: 0,
            spent: Spent::default(),
            unreported: Unreported::default(),
            stage: Stage::Queued,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Ended { .. })
    }

    pub(super) fn is_limited(&self) -> bool {
        !self.limits.is_none()
    }

    /// Keeps the share of a worker that holds a task of it. What one was told before a restart is
    /// not known: as if it were all.
    pub(super) fn note_holder(&mut self, worker: WorkerId) {
        if self.is_limited() {
            self.shares.entry(worker).or_insert(JobShare::ALL);
        }
    }

    /// The objects of tasks that a worker holds, and the bytes of them that it has not moved yet.
    pub(super) fn work_left(
        &self,
        worker: WorkerId,
        held: impl Iterator<Item = TaskIndex>,
    ) -> (u64, u64) {
        let Some(tasks) = self.copying() else { return (0, 0) };
        let held = held.filter_map(|index| {
            let task = tasks.get(index)?;
            Some((task, task.leases()?.find_of(worker)?.bytes_done))
        });
        held.fold((0, 0), |(objects, bytes), (task, moved)| {
            let left = task.bytes.saturating_sub(moved);
            (objects + u64::from(task.objects), bytes.saturating_add(left))
        })
    }

    /// The tasks that workers copy now.
    pub(super) fn copying(&self) -> Option<&Tasks> {
        match &self.stage {
            Stage::Copying(tasks) => Some(tasks),
            Stage::Queued | Stage::Planning { .. } | Stage::Publishing(_) | Stage::Ended { .. } => {
                None
            }
        }
    }

    /// The tasks that workers copy now.
    pub(super) fn copying_mut(&mut self) -> Option<&mut Tasks> {
        match &mut self.stage {
            Stage::Copying(tasks) => Some(tasks),
            Stage::Queued | Stage::Planning { .. } | Stage::Publishing(_) | Stage::Ended { .. } => {
                None
            }
        }
    }

    /// Takes the tasks out of a plan that another one replaces. The state is to be set next.
    pub(super) fn take_tasks(&mut self) -> Tasks {
        match &mut self.stage {
            Stage::Copying(tasks) | Stage::Publishing(tasks) => std::mem::take(tasks),
            Stage::Queued | Stage::Planning { .. } | Stage::Ended { .. } => Tasks::default(),
        }
    }

    /// What a grant is to this job, when no lease holds it.
    pub(super) fn standing(&self, worker: WorkerId, key: &GrantKey) -> GrantStanding {
        let attempts = self.attempts.get(&key.fingerprint);
        attempts.map_or(GrantStanding::Unknown, |attempts| attempts.standing(worker, key))
    }

    /// True when a report of this grant tells of objects that were lost after they were copied.
    pub(super) fn is_void(&self, key: &GrantKey, epoch: Epoch) -> bool {
        let attempts = self.attempts.get(&key.fingerprint);
        key.epoch == epoch && attempts.is_some_and(|known| key.attempt.0 <= known.void_upto)
    }

    /// Keeps the evidence of a done task; what comes again is not counted twice.
    pub(super) fn accept(&mut self, fingerprint: TaskFingerprint, receipt: &Receipt) {
        if self.evidence.insert(fingerprint, Shown::of(receipt)).is_none() {
            self.spent.sums.count(receipt);
        }
    }

    /// Counts every grant that is held as one that ends without a report.
    pub(super) fn lose_reports(&mut self) {
        let (Stage::Copying(tasks), unreported) = (&self.stage, &mut self.unreported) else {
            return;
        };
        for (index, lease) in tasks.leases() {
            if let Some(task) = tasks.get(index) {
                unreported.lose(task.fingerprint, &lease, lease.bytes_left_of(task.bytes));
            }
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let workers_used = u32::try_from(self.spent.workers.len()).unwrap_or(u32::MAX);
        let bytes_unreported = self.unreported.bytes();
        let mut progress = Progress { workers_used, bytes_unreported, ..self.spent.sums };
        match &self.stage {
            Stage::Queued | Stage::Planning { .. } => {}
            Stage::Copying(tasks) | Stage::Publishing(tasks) => {
                progress.tasks_total = tasks.total.tasks;
                progress.tasks_done = tasks.done.tasks;
                progress.objects_total = tasks.total.objects;
                progress.objects_done = tasks.done.objects;
                progress.bytes_total = tasks.total.bytes;
                progress.bytes_done = tasks.done.bytes;
                progress.bytes_moving = tasks.bytes_moving();
                progress.workers = u32::try_from(tasks.holders.len()).unwrap_or(u32::MAX);
            }
            Stage::Ended { progress, .. } => return *progress,
        }
        progress
    }

    /// Ends the job, drops what only a live one needs, and returns the state that it left.
    pub(super) fn close(&mut self, end: End, progress: Progress) -> Stage {
        self.evidence.clear();
        self.attempts.clear();
        self.denials.clear();
        self.spent.workers.clear();
        self.unreported = Unreported::default();
        std::mem::replace(&mut self.stage, Stage::Ended { end, progress })
    }

    /// Returns its state as others see it. `has_worker` tells whether some worker takes its tasks.
    pub(super) fn shown_state(&self, has_worker: impl FnOnce() -> bool) -> JobState {
        match &self.stage {
            Stage::Queued => JobState::Queued,
            Stage::Planning { .. } | Stage::Publishing(_) if self.cancel_requested => {
                JobState::Cancelling
            }
            Stage::Planning { .. } => JobState::Planning,
            Stage::Publishing(_) => JobState::Publishing,
            Stage::Copying(_) if self.limits.held => JobState::Held,
            Stage::Copying(_) if has_worker() => JobState::Copying,
            Stage::Copying(_) => JobState::WaitingForWorkers,
            Stage::Ended { end, .. } => end.state(),
        }
    }

    /// Returns it as others see it. `has_worker` tells whether some worker takes its tasks.
    pub(super) fn view(&self, job: JobId, has_worker: impl FnOnce() -> bool) -> JobView<'_> {
        let end = match &self.stage {
            Stage::Ended { end, .. } => Some(end),
            _ => None,
        };
        JobView {
            job,
            target: self.target,
            route: self.route,
            spec: &self.spec,
            limits: self.limits,
            state: self.shown_state(has_worker),
            source_version: self.planned.map(|(source, _)| source),
            replica_version: self.planned.and_then(|(_, replica)| replica),
            progress: self.progress(),
            end,
        }
    }
}
