//! The tasks of one plan and where each stands.
//!
//! Every change of a task's state goes through [`Tasks::set`], which keeps the indices (what is
//! ready, what waits until when, what is leased) and the sums right.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::attempts::Attempts;
use super::event::{HeldTask, Plan};
use super::lease::{Lease, TaskLeases};
use super::lookout::Lookout;
use super::moment::Moment;
use super::shown::Shown;
use super::task_names::TaskNames;
use crate::group::{GroupPlace, GroupStep};
use crate::ids::{GrantKey, TaskFingerprint, TaskIndex, WorkerId};

/// The tasks of one plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    pub(super) all: Vec<Task>,
    names: TaskNames,
    /// The first and the last task of each group, by its number.
    groups: Vec<(TaskIndex, TaskIndex)>,
    /// By [`Task::rank`], the largest task first.
    pub(super) ready: BTreeSet<(Reverse<u64>, TaskIndex)>,
    /// How many wait for other tasks of their group.
    pub(super) waiting: usize,
    pub(super) backoff: BTreeSet<(Moment, TaskIndex)>,
    pub(super) leased: BTreeSet<TaskIndex>,
    /// Bytes of the leased tasks, once for each lease.
    pub(super) leased_bytes: u64,
    /// Bytes of the leased tasks, as far as that of their workers moved them that is ahead.
    pub(super) moved_bytes: u128,
    /// The workers that hold a task, with how many they hold.
    pub(super) holders: BTreeMap<WorkerId, u32>,
    /// Tasks with one lease, by a moment before which they are not slow.
    pub(super) slow: Lookout<TaskIndex>,
    /// How old a lease is at least that is slow.
    slow_after: Duration,
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
    /// `None` for whole objects.
    pub(super) group: Option<GroupPlace>,
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
///     [*] --> Waiting: planned, and tasks of its group come before it
///     Waiting --> Ready: the tasks before it are done
///     Waiting --> Done: the object of its group is at the target
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
///     Ready --> Waiting: the upload of its group is lost
///     Backoff --> Waiting: the upload of its group is lost
///     Leased --> Waiting: the upload of its group is lost
///     Done --> Waiting: the upload of its group is lost
///     Done --> Backoff: the upload that it opened is lost
///     Done --> [*]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    /// Waits for other tasks of its group.
    Waiting,
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
    /// Its step in the copy of a shared object.
    pub(super) fn step(&self) -> Option<GroupStep> {
        self.group.map(|place| place.step)
    }

    /// Tasks of a higher rank are granted first: the largest, and before them those that others
    /// wait for, which take no time.
    pub(super) fn rank(&self) -> u64 {
        match self.step() {
            Some(GroupStep::Open | GroupStep::Finish) => u64::MAX,
            Some(GroupStep::Parts) | None => self.bytes,
        }
    }

    /// True when a receipt of this shape is that of the task.
    pub(super) fn is_shown_by(&self, shown: &Shown) -> bool {
        shown.has_the_shape(self.step(), self.objects, self.bytes)
    }

    /// Returns its leases; `None` when it is not leased.
    pub(super) fn leases(&self) -> Option<TaskLeases> {
        match self.state {
            TaskState::Leased(leases) => Some(leases),
            TaskState::Waiting | TaskState::Ready | TaskState::Backoff(_) | TaskState::Done => None,
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
    /// Returns the tasks of a plan, ready unless they wait for others of their group; `None` when a
    /// fingerprint occurs twice, or a group is not an opening, parts and an end in a row.
    ///
    /// No lease that is younger than `slow_after` is slow.
    pub(super) fn new(plan: &Plan, slow_after: Duration) -> Option<Self> {
        let all = Vec::with_capacity(plan.tasks.len());
        let mut tasks = Self { all, slow_after, ..Self::default() };
        for (number, planned) in (0..).zip(&plan.tasks) {
            let is_later = |place: GroupPlace| place.step != GroupStep::Open;
            let waits = planned.group.is_some_and(is_later);
            let task = Task {
                fingerprint: planned.fingerprint,
                bytes: planned.bytes,
                objects: planned.objects,
                group: planned.group,
                attempts: Attempts::default(),
                state: if waits { TaskState::Waiting } else { TaskState::Ready },
            };
            tasks.join_group(TaskIndex(number), task.group)?;
            tasks.total.add(&task);
            if waits {
                tasks.waiting += 1;
            } else {
                tasks.ready.insert((Reverse(task.rank()), TaskIndex(number)));
            }
            tasks.all.push(task);
        }
        let names: Vec<TaskFingerprint> = plan.tasks.iter().map(|task| task.fingerprint).collect();
        tasks.names = TaskNames::new(&names)?;
        tasks.is_between_groups().then_some(tasks)
    }

    /// Adds the next task of the plan to its group; `None` when that is not its place.
    fn join_group(&mut self, index: TaskIndex, place: Option<GroupPlace>) -> Option<()> {
        let before = self.all.last().and_then(|task| task.group);
        match (before, place) {
            (_, None) => self.is_between_groups().then_some(()),
            (_, Some(GroupPlace { group, step: GroupStep::Open })) => {
                let is_next = group as usize == self.groups.len() && self.is_between_groups();
                self.groups.push((index, index));
                is_next.then_some(())
            }
            (Some(before), Some(place)) => {
                let is_next = before.group == place.group
                    && before.step != GroupStep::Finish
                    && (before.step, place.step) != (GroupStep::Open, GroupStep::Finish);
                self.groups.last_mut()?.1 = index;
                is_next.then_some(())
            }
            (None, Some(_)) => None,
        }
    }

    /// True when the newest task is the last one of its group, or has none.
    fn is_between_groups(&self) -> bool {
        let step = self.all.last().and_then(Task::step);
        matches!(step, None | Some(GroupStep::Finish))
    }

    /// Returns the tasks of the group of this one: from the one that opens the upload to the one
    /// that ends it. `None` when it has no group.
    pub(super) fn group_of(&self, index: TaskIndex) -> Option<RangeInclusive<TaskIndex>> {
        let place = self.get(index)?.group?;
        let (first, last) = *self.groups.get(place.group as usize)?;
        Some(first..=last)
    }

    /// Returns the tasks of each group.
    pub(super) fn groups(&self) -> impl Iterator<Item = RangeInclusive<TaskIndex>> {
        self.groups.iter().map(|&(first, last)| first..=last)
    }

    pub(super) fn find(&self, fingerprint: TaskFingerprint) -> Option<TaskIndex> {
        let mut like = self.names.like(fingerprint);
        like.find(|&index| self.get(index).is_some_and(|task| task.fingerprint == fingerprint))
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
            TaskState::Waiting => self.waiting -= 1,
            TaskState::Ready => {
                self.ready.remove(&(Reverse(task.rank()), index));
            }
            TaskState::Backoff(until) => {
                self.backoff.remove(&(until, index));
            }
            TaskState::Leased(leases) => {
                self.leased.remove(&index);
                let bytes = task.bytes.saturating_mul(leases.count());
                self.leased_bytes = self.leased_bytes.saturating_sub(bytes);
                self.moved_bytes -= u128::from(leases.bytes_ahead());
                self.slow.set(index, None);
                for lease in leases.iter() {
                    let left = self.holders.get_mut(&lease.worker).map(|count| {
                        *count -= 1;
                        *count
                    });
                    if left == Some(0) {
                        self.holders.remove(&lease.worker);
                    }
                }
            }
            TaskState::Done => self.done.subtract(task),
        }
        match state {
            TaskState::Waiting => self.waiting += 1,
            TaskState::Ready => {
                self.ready.insert((Reverse(task.rank()), index));
            }
            TaskState::Backoff(until) => {
                self.backoff.insert((until, index));
            }
            TaskState::Leased(leases) => {
                self.leased.insert(index);
                let bytes = task.bytes.saturating_mul(leases.count());
                self.leased_bytes = self.leased_bytes.saturating_add(bytes);
                self.moved_bytes += u128::from(leases.bytes_ahead());
                let is_alone = leases.copy.is_none();
                let slow_from = leases.holder.since.after(self.slow_after);
                self.slow.set(index, is_alone.then_some(slow_from));
                for lease in leases.iter() {
                    *self.holders.entry(lease.worker).or_default() += 1;
                }
            }
            TaskState::Done => self.done.add(task),
        }
        Some(old)
    }

    /// Extends the lease of a worker and notes how far it is: never more bytes than the task has.
    /// True when bytes moved.
    pub(super) fn renew(
        &mut self,
        index: TaskIndex,
        worker: WorkerId,
        (now, expires_at): (Moment, Moment),
        held: &HeldTask,
    ) -> bool {
        let Some(Task { state: TaskState::Leased(leases), bytes, .. }) = self.get_mut(index) else {
            return false;
        };
        let (mut moved, before) = (false, leases.bytes_ahead());
        for lease in leases.iter_mut().filter(|lease| lease.worker == worker) {
            lease.expires_at = expires_at;
            let bytes_done = held.bytes_done.min(*bytes);
            moved |= lease.told(&HeldTask { bytes_done, ..*held }, now);
        }
        let after = leases.bytes_ahead();
        self.moved_bytes = self.moved_bytes - u128::from(before) + u128::from(after);
        moved
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
        u64::try_from(self.moved_bytes).unwrap_or(u64::MAX)
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
