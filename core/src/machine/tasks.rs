//! The tasks of one plan and where each stands.
//!
//! Every change of a task's state goes through [`Tasks::set`], which keeps the indices (what is
//! ready, what waits until when, what is leased) and the sums right.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::attempts::Attempts;
use super::event::Plan;
use super::lease::{Lease, TaskLeases};
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
    /// Bytes of the leased tasks, once for each lease.
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
///     Leased --> Leased: another worker copies it too, or one of two leases ended
///     Leased --> Done: a receipt shows every object
///     Leased --> Backoff: it failed and may heal
///     Leased --> Ready: its last lease expired, or the worker left, was lost, or was denied
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
    /// A worker copies it, or two do.
    Leased(TaskLeases),
    /// Its objects are at the target.
    Done,
}

impl Task {
    /// Returns its leases; `None` when it is not leased.
    pub(super) fn leases(&self) -> Option<TaskLeases> {
        match self.state {
            TaskState::Leased(leases) => Some(leases),
            TaskState::Ready | TaskState::Backoff(_) | TaskState::Done => None,
        }
    }

    /// Returns the lease that holds the grant `key` of `worker`, if that is a current one.
    pub(super) fn current(&self, worker: WorkerId, key: &GrantKey) -> Option<Lease> {
        self.leases()?.find(worker, key)
    }

    /// Returns the state without the lease of `worker`: that of another one goes on, or `state`
    /// follows.
    pub(super) fn without(&self, worker: WorkerId, state: TaskState) -> TaskState {
        let is_over = |lease: &Lease| lease.worker == worker;
        let left = self.leases().and_then(|leases| leases.without(is_over));
        left.map_or(state, TaskState::Leased)
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
            TaskState::Leased(leases) => {
                self.leased.remove(&index);
                let bytes = task.bytes.saturating_mul(leases.count());
                self.leased_bytes = self.leased_bytes.saturating_sub(bytes);
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
            TaskState::Leased(leases) => {
                self.leased.insert(index);
                let bytes = task.bytes.saturating_mul(leases.count());
                self.leased_bytes = self.leased_bytes.saturating_add(bytes);
            }
            TaskState::Done => self.done.add(task),
        }
        Some(old)
    }

    /// Extends the lease of a worker and notes how far it is: never more bytes than the task has.
    pub(super) fn renew(
        &mut self,
        index: TaskIndex,
        worker: WorkerId,
        expires_at: Moment,
        bytes_done: u64,
    ) {
        if let Some(Task { state: TaskState::Leased(leases), bytes, .. }) = self.get_mut(index) {
            for lease in leases.iter_mut().filter(|lease| lease.worker == worker) {
                lease.expires_at = expires_at;
                lease.bytes_done = bytes_done.min(*bytes);
            }
        }
    }

    /// Moves every lease by a stall of the driver.
    pub(super) fn forgive(&mut self, gap_ms: u64) {
        for index in &self.leased {
            if let Some(Task { state: TaskState::Leased(leases), .. }) =
                self.all.get_mut(index.0 as usize)
            {
                leases.iter_mut().for_each(|lease| lease.forgive(gap_ms));
            }
        }
    }

    pub(super) fn all_done(&self) -> bool {
        self.done.tasks == self.total.tasks
    }

    /// Bytes of tasks that are not done, as far as that of their workers moved them that is ahead.
    pub(super) fn bytes_moving(&self) -> u64 {
        let ahead = |leases: TaskLeases| leases.iter().map(|lease| lease.bytes_done).max();
        let moved = self.leased().filter_map(|(_, leases)| ahead(leases));
        moved.fold(0, u64::saturating_add)
    }

    /// Returns every leased task with its leases.
    pub(super) fn leased(&self) -> impl Iterator<Item = (TaskIndex, TaskLeases)> {
        self.leased.iter().filter_map(|&index| Some((index, self.get(index)?.leases()?)))
    }

    /// Returns every current lease with its task.
    pub(super) fn leases(&self) -> impl Iterator<Item = (TaskIndex, Lease)> {
        self.leased().flat_map(|(index, leases)| leases.iter().map(move |lease| (index, lease)))
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
