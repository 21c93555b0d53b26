//! One worker process, as the machine knows it.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Route;
use super::moment::Moment;
use super::view::{SetAside, WorkerState, WorkerView};
use crate::ids::{ConnectionKey, JobId, TaskIndex, WorkerId};
use crate::task::Capacity;

/// A worker: what it can do, what it holds, what was noticed of it.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) readable: BTreeSet<ConnectionKey>,
    pub(super) writable: BTreeSet<ConnectionKey>,
    pub(super) last_seen: Moment,
    /// When bytes of its tasks moved last, as it tells, or one of them was done.
    pub(super) moved_at: Moment,
    pub(super) state: WorkerState,
    /// Its request for tasks, while it is not answered.
    pub(super) waiting: Option<OpenRequest>,
    /// The tasks that it holds a lease of; `Machine::set_task` keeps it.
    pub(super) held: BTreeSet<(JobId, TaskIndex)>,
    pub(super) tasks_done: u64,
    pub(super) bytes_done: u64,
    pub(super) last_error: Option<String>,
    /// What it could not reach, by connection.
    pub(super) denials: BTreeMap<ConnectionKey, Denials>,
    /// Connections whose tasks it does not get for a while.
    pub(super) set_aside: BTreeMap<ConnectionKey, SetAside>,
}

/// A request for tasks that is not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenRequest {
    pub(super) capacity: Capacity,
    pub(super) deadline: Moment,
}

impl Worker {
    pub(super) fn is_live(&self) -> bool {
        self.state != WorkerState::Lost
    }

    /// True when it may be given tasks of this route.
    pub(super) fn takes(&self, route: &Route) -> bool {
        self.state == WorkerState::Active
            && self.readable.contains(&route.source)
            && self.writable.contains(&route.target)
            && !self.set_aside.contains_key(&route.source)
            && !self.set_aside.contains_key(&route.target)
    }

    /// True when it holds a task of this job.
    pub(super) fn holds(&self, job: JobId) -> bool {
        self.held_of(job).next().is_some()
    }

    /// The tasks of this job that it holds.
    pub(super) fn held_of(&self, job: JobId) -> impl Iterator<Item = TaskIndex> {
        let from_first = self.held.range((job, TaskIndex(0))..);
        from_first.take_while(move |(of, _)| *of == job).map(|(_, index)| *index)
    }

    pub(super) fn view(&self, worker: WorkerId) -> WorkerView<'_> {
        WorkerView {
            worker,
            state: self.state,
            last_seen: self.last_seen,
            readable: &self.readable,
            writable: &self.writable,
            tasks_held: u32::try_from(self.held.len()).unwrap_or(u32::MAX),
            tasks_done: self.tasks_done,
            bytes_done: self.bytes_done,
            last_error: self.last_error.as_deref(),
            set_aside: &self.set_aside,
        }
    }
}

/// What a worker could not reach at one connection, since it last could.
#[derive(Clone, Debug, Default)]
pub(super) struct Denials {
    pub(super) in_a_row: u32,
    /// Tasks among them that another worker did.
    pub(super) outdone: u32,
    pub(super) reason: String,
}
