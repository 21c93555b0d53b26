//! The tasks of one plan and where each stands.
//!
//! Every change of a task's state goes through [`Tasks::set`], which keeps the indices (what is
//! ready, what waits until when, what is leased) and the sums right.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::attempts::Attempts;
use super::event::Plan;
use super::lease::Lease;
use super::moment::Moment;
use crate::ids::{GrantKey, TaskFingerprint, TaskIndex, WorkerId};

/// The tasks of one plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    pub(super) all: Vec<Task>,
    by_fingerprint: BTreeMap<TaskFingerprint, TaskIndex>,
    /// The largest task first.
    pub(super) ready: BTreeSet<(Reverse<u64>, TaskIndex)>,
    pub(super) backoff: BTreeSet<(Moment, TaskIndex)>,
    pub(super) leased: BTreeSet<TaskIndex>,
    pub(super) leased_bytes: u64,
    /// Some worker was denied an object of some task, once.
    pub(super) was_denied: bool,
    pub(super) done: Sums,
    pub(super) total: Sums,
}

/// Sums over some tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) tasks: u64,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

/// One task of the plan, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) fingerprint: TaskFingerprint,
    pub(super) bytes: u64,
    pub(super) objects: u32,
    pub(super) attempts: Attempts,
    pub(super) state: TaskState,
}

/// Where a task stands.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> Ready: planned
///     [*] --> Leased: planned again, and a worker holds a grant of it
///     [*] --> Done: planned again, and evidence of it is known
///     Ready --> Leased: granted, or announced by the worker that lost it
///     Leased --> Done: a receipt shows every object
///     Leased --> Backoff: it failed and may heal
///     Leased --> Ready: the lease expired, or the worker left, was lost, or was denied an object
///     Backoff --> Ready: the pause is over
///     Backoff --> Leased: announced by the worker that lost it
///     Ready --> Done: a receipt comes late
///     Backoff --> Done: a receipt comes late
///     Done --> Ready: its objects are missing at the target
///     Done --> [*]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    /// Waits for a worker.
    Ready,
    /// Waits until this moment before it is ready again.
    Backoff(Moment),
    /// A worker copies it.
    Leased(Lease),
    /// Its objects are at the target.
    Done,
}

impl Task {
    /// Returns the lease that holds the grant `key` of `worker`, if that is the current one.
    pub(super) fn current(&self, worker: WorkerId, key: &GrantKey) -> Option<Lease> {
        match self.state {
            TaskState::Leased(lease) if lease.is(worker, key) => Some(lease),
            TaskState::Leased(_) | TaskState::Ready | TaskState::Backoff(_) | TaskState::Done => {
                None
            }
        }
    }
}

impl Tasks {
    /// Returns the tasks of a plan, all of them ready; `None` when a fingerprint occurs twice.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        let mut tasks = Self { all: Vec::with_capacity(plan.tasks.len()), ..Self::default() };
        for (number, planned) in (0..).zip(&plan.tasks) {
            let task = Task {
                fingerprint: planned.fingerprint,
                bytes: planned.bytes,
                objects: planned.objects,
                attempts: Attempts::default(),
                state: TaskState::Ready,
            };
            tasks.total.add(&task);
            tasks.ready.insert((Reverse(task.bytes), TaskIndex(number)));
            let twin = tasks.by_fingerprint.insert(task.fingerprint, TaskIndex(number));
            if twin.is_some() {
                return None;
            }
            tasks.all.push(task);
        }
        Some(tasks)
    }

    pub(super) fn find(&self, fingerprint: TaskFingerprint) -> Option<TaskIndex> {
        self.by_fingerprint.get(&fingerprint).copied()
    }

    pub(super) fn get(&self, index: TaskIndex) -> Option<&Task> {
        self.all.get(index.0 as usize)
    }

    pub(super) fn get_mut(&mut self, index: TaskIndex) -> Option<&mut Task> {
        self.all.get_mut(index.0 as usize)
    }

    /// Every task, to note what is known of it. [`Tasks::set`] alone changes its state.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (TaskIndex, &mut Task)> {
        (0..).map(TaskIndex).zip(&mut self.all)
    }

    /// Returns the lease of a task; `None` when it is not leased.
    pub(super) fn lease(&self, index: TaskIndex) -> Option<Lease> {
        match self.get(index)?.state {
            TaskState::Leased(lease) => Some(lease),
            TaskState::Ready | TaskState::Backoff(_) | TaskState::Done => None,
        }
    }

    /// Moves a task to another state and returns the one that it left; `None` when the plan does
    /// not have it.
    pub(super) fn set(&mut self, index: TaskIndex, state: TaskState) -> Option<TaskState> {
        let task = self.all.get_mut(index.0 as usize)?;
        let old = std::mem::replace(&mut task.state, state);
        match old {
            TaskState::Ready => {
                self.ready.remove(&(Reverse(task.bytes), index));
            }
            TaskState::Backoff(until) => {
                self.backoff.remove(&(until, index));
            }
            TaskState::Leased(_) => {
                self.leased.remove(&index);
                self.leased_bytes = self.leased_bytes.saturating_sub(task.bytes);
            }
            TaskState::Done => self.done.subtract(task),
        }
        match state {
            TaskState::Ready => {
                self.ready.insert((Reverse(task.bytes), index));
            }
            TaskState::Backoff(until) => {
                self.backoff.insert((until, index));
            }
            TaskState::Leased(_) => {
                self.leased.insert(index);
                self.leased_bytes = self.leased_bytes.saturating_add(task.bytes);
            }
            TaskState::Done => self.done.add(task),
        }
        Some(old)
    }

    /// Extends a lease and notes how far its holder is: never more bytes than the task has.
    pub(super) fn renew(&mut self, index: TaskIndex, expires_at: Moment, bytes_done: u64) {
        if let Some(Task { state: TaskState::Leased(lease), bytes, .. }) = self.get_mut(index) {
            lease.expires_at = expires_at;
            lease.bytes_done = bytes_done.min(*bytes);
        }
    }

    pub(super) fn all_done(&self) -> bool {
        self.done.tasks == self.total.tasks
    }

    /// Bytes of tasks that are not done, as far as their holders wrote them.
    pub(super) fn bytes_moving(&self) -> u64 {
        self.leases().fold(0, |sum, (_, lease)| sum.saturating_add(lease.bytes_done))
    }

    /// Returns every current lease with its task.
    pub(super) fn leases(&self) -> impl Iterator<Item = (TaskIndex, Lease)> {
        self.leased.iter().filter_map(|&index| Some((index, self.lease(index)?)))
    }
}

impl Sums {
    pub(super) fn add(&mut self, task: &Task) {
        self.tasks += 1;
        self.objects += u64::from(task.objects);
        self.bytes = self.bytes.saturating_add(task.bytes);
    }

    fn subtract(&mut self, task: &Task) {
        self.tasks -= 1;
        self.objects -= u64::from(task.objects);
        self.bytes = self.bytes.saturating_sub(task.bytes);
    }
}
