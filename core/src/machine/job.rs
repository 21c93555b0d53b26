//! One job: what is valid in which state, and how others see it.

use std::collections::{BTreeMap, BTreeSet};

use super::tasks::{Lease, Tasks};
use super::{End, JobState, JobView, Progress, Route};
use crate::ids::{JobId, TargetKey, TaskFingerprint, WorkerId};
use crate::receipt::Receipt;

/// One job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) target: TargetKey,
    pub(super) route: Route,
    pub(super) spec: Vec<u8>,
    pub(super) cancel_requested: bool,
    /// A commit may be in the replica's log: only its log can tell.
    pub(super) publish_intended: bool,
    /// Tasks that are done by a fact, and of how many objects: of any plan of this job.
    pub(super) evidence: BTreeMap<TaskFingerprint, u32>,
    /// Failures that count, of any plan of this job.
    pub(super) failures: BTreeMap<TaskFingerprint, u32>,
    /// The versions of the newest plan: the source's, and the replica's head.
    pub(super) planned: Option<(u64, Option<u64>)>,
    /// Times that publishing sent it back, by any cause.
    pub(super) rounds: u32,
    pub(super) spent: Spent,
    pub(super) state: State,
}

/// What a job took, by the receipts.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent {
    pub(super) attempts: u64,
    pub(super) objects_copied: u64,
    pub(super) objects_skipped: u64,
    pub(super) bytes_read: u64,
    pub(super) bytes_written: u64,
    pub(super) requests: u64,
    pub(super) workers: BTreeSet<WorkerId>,
}

/// Where a job stands.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Another job of the same target is before it.
    Queued,
    /// The plan effect runs. Grants of earlier terms are kept until the plan tells which they are.
    Planning { announced: BTreeMap<TaskFingerprint, Lease> },
    /// Some task is not done.
    Copying(Tasks),
    /// Every task is done, and the publish effect runs.
    Publishing(Tasks),
    /// Over.
    Ended { end: End, progress: Progress },
}

impl Job {
    pub(super) fn new(target: TargetKey, route: Route, spec: Vec<u8>) -> Self {
        Self {
            target,
            route,
            spec,
            cancel_requested: false,
            publish_intended: false,
            evidence: BTreeMap::new(),
            failures: BTreeMap::new(),
            planned: None,
            rounds: 0,
            spent: Spent::default(),
            state: State::Queued,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        !matches!(self.state, State::Ended { .. })
    }

    /// The tasks that workers copy now.
    pub(super) fn copying(&self) -> Option<&Tasks> {
        match &self.state {
            State::Copying(tasks) => Some(tasks),
            State::Queued | State::Planning { .. } | State::Publishing(_) | State::Ended { .. } => {
                None
            }
        }
    }

    /// The tasks that workers copy now.
    pub(super) fn copying_mut(&mut self) -> Option<&mut Tasks> {
        match &mut self.state {
            State::Copying(tasks) => Some(tasks),
            State::Queued | State::Planning { .. } | State::Publishing(_) | State::Ended { .. } => {
                None
            }
        }
    }

    /// Keeps the evidence of a done task. False when there was some already.
    pub(super) fn accept(&mut self, fingerprint: TaskFingerprint, receipt: &Receipt) -> bool {
        let objects = u32::try_from(receipt.objects.len()).unwrap_or(u32::MAX);
        if self.evidence.insert(fingerprint, objects).is_some() {
            return false;
        }
        let existed = receipt.objects.iter().filter(|object| object.existed).count() as u64;
        self.spent.objects_skipped += existed;
        self.spent.objects_copied += u64::from(objects).saturating_sub(existed);
        self.spent.bytes_read += receipt.bytes_read;
        self.spent.bytes_written += receipt.bytes_written;
        self.spent.requests += u64::from(receipt.requests);
        true
    }

    pub(super) fn progress(&self) -> Progress {
        let spent = &self.spent;
        let mut progress = Progress {
            workers_used: u32::try_from(spent.workers.len()).unwrap_or(u32::MAX),
            attempts: spent.attempts,
            objects_copied: spent.objects_copied,
            objects_skipped: spent.objects_skipped,
            bytes_read: spent.bytes_read,
            bytes_written: spent.bytes_written,
            requests: spent.requests,
            ..Progress::default()
        };
        match &self.state {
            State::Queued | State::Planning { .. } => {}
            State::Copying(tasks) | State::Publishing(tasks) => {
                progress.tasks_total = tasks.total.tasks;
                progress.tasks_done = tasks.done.tasks;
                progress.objects_total = tasks.total.objects;
                progress.objects_done = tasks.done.objects;
                progress.bytes_total = tasks.total.bytes;
                progress.bytes_done = tasks.done.bytes;
                progress.bytes_moving = tasks.bytes_moving();
                let holders: BTreeSet<WorkerId> =
                    tasks.leases().map(|(_, lease)| lease.worker).collect();
                progress.workers = u32::try_from(holders.len()).unwrap_or(u32::MAX);
            }
            State::Ended { progress, .. } => return *progress,
        }
        progress
    }

    /// How others see it; `has_worker`: some live worker knows both connections.
    pub(super) fn view(&self, job: JobId, has_worker: impl FnOnce() -> bool) -> JobView<'_> {
        let (state, end) = match &self.state {
            State::Queued => (JobState::Queued, None),
            State::Planning { .. } | State::Publishing(_) if self.cancel_requested => {
                (JobState::Cancelling, None)
            }
            State::Planning { .. } => (JobState::Planning, None),
            State::Publishing(_) => (JobState::Publishing, None),
            State::Copying(_) if has_worker() => (JobState::Copying, None),
            State::Copying(_) => (JobState::WaitingForWorkers, None),
            State::Ended { end, .. } => match end {
                End::Succeeded { .. } => (JobState::Succeeded, Some(end)),
                End::Failed(_) => (JobState::Failed, Some(end)),
                End::Cancelled => (JobState::Cancelled, Some(end)),
            },
        };
        JobView {
            job,
            target: self.target,
            route: self.route,
            spec: &self.spec,
            state,
            source_version: self.planned.map(|(source, _)| source),
            replica_version: self.planned.and_then(|(_, replica)| replica),
            progress: self.progress(),
            end,
        }
    }
}
