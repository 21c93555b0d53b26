//! The tasks of one plan and where each stands.
//!
//! Every change of a task's state goes through [`Tasks::set`], which keeps the indices (what is
//! ready, what waits until when, what is leased) and the sums right.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::attempts::Attempts;
use super::{Moment, Plan};
use crate::ids::{Attempt, Epoch, GrantKey, TaskFingerprint, TaskIndex, WorkerId};

/// The tasks of one plan.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    pub(super) all: Vec<Task>,
    by_fingerprint: BTreeMap<TaskFingerprint, TaskIndex>,
    /// Largest first.
    pub(super) ready: BTreeSet<(Reverse<u64>, TaskIndex)>,
    pub(super) backoff: BTreeSet<(Moment, TaskIndex)>,
    pub(super) leased: BTreeSet<TaskIndex>,
    pub(super) leased_bytes: u64,
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

/// One task.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) fingerprint: TaskFingerprint,
    pub(super) bytes: u64,
    pub(super) objects: u32,
    pub(super) attempts: Attempts,
    pub(super) state: TaskState,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    /// To be granted.
    Ready,
    /// To be granted from then on.
    Backoff(Moment),
    /// Granted.
    Leased(Lease),
    /// Its objects are at the target.
    Done,
}

/// A grant that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) worker: WorkerId,
    pub(super) attempt: Attempt,
    pub(super) epoch: Epoch,
    pub(super) expires_at: Moment,
    pub(super) bytes_done: u64,
}

impl Lease {
    /// True when `key`, named by `worker`, is this grant.
    pub(super) fn is(&self, worker: WorkerId, key: &GrantKey) -> bool {
        self.worker == worker && self.attempt == key.attempt && self.epoch == key.epoch
    }
}

impl Tasks {
    /// Every task of the plan, ready; none when a fingerprint occurs twice.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        let mut tasks = Self {
            all: Vec::with_capacity(plan.tasks.len()),
            by_fingerprint: BTreeMap::new(),
            ready: BTreeSet::new(),
            backoff: BTreeSet::new(),
            leased: BTreeSet::new(),
            leased_bytes: 0,
            done: Sums::default(),
            total: Sums::default(),
        };
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

    /// The lease of a task; none when it is not leased.
    pub(super) fn lease(&self, index: TaskIndex) -> Option<Lease> {
        match self.get(index)?.state {
            TaskState::Leased(lease) => Some(lease),
            TaskState::Ready | TaskState::Backoff(_) | TaskState::Done => None,
        }
    }

    /// Moves a task to another state and returns the one that it left.
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

    /// Renews a lease. A holder cannot have moved more bytes than the task has.
    pub(super) fn renew(&mut self, index: TaskIndex, expires_at: Moment, bytes_done: u64) {
        if let Some(Task { state: TaskState::Leased(lease), bytes, .. }) = self.get_mut(index) {
            lease.expires_at = expires_at;
            lease.bytes_done = bytes_done.min(*bytes);
        }
    }

    pub(super) fn all_done(&self) -> bool {
        self.done.tasks == self.total.tasks
    }

    /// Bytes that the holders say they have moved.
    pub(super) fn bytes_moving(&self) -> u64 {
        self.leases().fold(0, |sum, (_, lease)| sum.saturating_add(lease.bytes_done))
    }

    /// Every current lease.
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
