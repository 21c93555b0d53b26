//! Workers that cannot reach a store: a wrong clock, an expired token, a missing mount.
//!
//! Such a failure may be the worker's own, so it is not believed at once: the task goes to another
//! worker that fits, and never back. Only when none is left that did not say the same does the job
//! fail (or is planned again, when the object is gone).
//!
//! A worker is *held back* from a job after some denials in a row, as long as others can go on. It
//! is *set aside* at the connection, for every job and for a while, once that many denials in a row
//! stand against a success: another worker did a task that it could not. Denials alone set nobody
//! aside: an object that everybody is denied would cost the fleet, and a client could ask for one.

use std::collections::BTreeMap;

use super::job::{Job, State};
use super::retry::Suspect;
use super::tasks::TaskState;
use super::{Action, Fact, Machine, Route, SetAside, retry};
use crate::failure::Failure;
use crate::ids::{ConnectionKey, JobId, TaskIndex, WorkerId};
use crate::receipt::{TaskFailure, TaskFailureKind};

/// What a worker could not reach at one connection, since it last could.
#[derive(Clone, Debug, Default)]
pub(super) struct Denials {
    in_a_row: u32,
    /// Tasks among them that another worker did.
    outdone: u32,
    reason: String,
}

impl Suspect {
    fn connection(self, route: &Route) -> ConnectionKey {
        match self {
            Self::Source => route.source,
            Self::Target => route.target,
        }
    }
}

impl Machine {
    /// The current holder of a task could not reach an object of it.
    pub(super) fn denied(
        &mut self,
        worker: WorkerId,
        (id, index): (JobId, TaskIndex),
        suspect: Suspect,
        failure: TaskFailure,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(task) = job.copying_mut().and_then(|tasks| tasks.get_mut(index)) else { return };
        task.attempts.deny(worker, suspect, failure.clone());
        let fingerprint = task.fingerprint;
        self.count_denial(worker, id, suspect, &failure.message);
        let kind = failure.kind;
        actions.push(Action::Record(Fact::TaskFailed { job: id, fingerprint, kind }));
        self.set_task(id, index, TaskState::Ready);
        if self.is_believed(id, index) {
            self.believe(id, index, &failure, actions);
        }
    }

    /// Counts one more denial in a row of a worker.
    pub(super) fn count_denial(
        &mut self,
        worker: WorkerId,
        id: JobId,
        suspect: Suspect,
        reason: &str,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let connection = suspect.connection(&job.route);
        let count = job.denials.entry(worker).or_default();
        *count = count.saturating_add(1);
        if let Some(known) = self.workers.get_mut(&worker) {
            let denials = known.denials.entry(connection).or_default();
            denials.in_a_row = denials.in_a_row.saturating_add(1);
            reason.clone_into(&mut denials.reason);
        }
        self.set_aside_if_outdone(worker, connection);
    }

    /// True when nobody is left to ask for another opinion on a denied task.
    fn is_believed(&self, id: JobId, index: TaskIndex) -> bool {
        let Some(job) = self.jobs.get(&id) else { return false };
        let Some(task) = job.copying().and_then(|tasks| tasks.get(index)) else { return false };
        let attempts = &task.attempts;
        let gone =
            attempts.denial.as_ref().is_some_and(|f| f.kind == TaskFailureKind::SourceNotFound);
        // Two workers that do not find an object are enough: the coordinator looks, too.
        if attempts.failures >= self.limits.task_attempts_max
            || (gone && attempts.denied_by.len() > 1)
        {
            return true;
        }
        if self.now < self.believe_from {
            return false;
        }
        let mut others = self.workers.iter().filter(|(id, _)| !attempts.is_denied(**id));
        !others.any(|(_, other)| other.takes(&job.route))
    }

    fn believe(
        &mut self,
        id: JobId,
        index: TaskIndex,
        failure: &TaskFailure,
        actions: &mut Vec<Action>,
    ) {
        if failure.kind == TaskFailureKind::SourceNotFound {
            self.vanished(id, index, failure, actions);
        } else {
            let reason = retry::reason(failure.kind);
            self.fail(id, Failure::new(reason, failure.message.clone()), actions);
        }
    }

    /// Denied tasks whose last hope left or was lost: what was said of them is believed now.
    pub(super) fn believe_the_last(&mut self, actions: &mut Vec<Action>) {
        let mut hopeless = Vec::new();
        for (id, job) in self.active().filter(|(_, job)| !job.denials.is_empty()) {
            let Some(tasks) = job.copying() else { continue };
            // With nobody at all the job waits for workers instead.
            if !self.workers.values().any(|worker| worker.takes(&job.route)) {
                continue;
            }
            let mut denied = tasks.ready.iter().filter_map(|&(_, index)| {
                let denial = tasks.get(index)?.attempts.denial.clone()?;
                Some((index, denial))
            });
            hopeless.extend(
                denied
                    .find(|&(index, _)| self.is_believed(id, index))
                    .map(|(index, denial)| (id, index, denial)),
            );
        }
        for (id, index, denial) in hopeless {
            self.believe(id, index, &denial, actions);
        }
    }

    /// A worker did a task: it reaches both stores, and those that could not are outdone.
    pub(super) fn reached(&mut self, worker: WorkerId, id: JobId, others: &[(WorkerId, Suspect)]) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let route = job.route;
        job.denials.remove(&worker);
        if let Some(known) = self.workers.get_mut(&worker) {
            known.denials.remove(&route.source);
            known.denials.remove(&route.target);
        }
        for &(other, suspect) in others.iter().filter(|(other, _)| *other != worker) {
            let connection = suspect.connection(&route);
            if let Some(denials) =
                self.workers.get_mut(&other).and_then(|known| known.denials.get_mut(&connection))
            {
                denials.outdone = denials.outdone.saturating_add(1);
            }
            self.set_aside_if_outdone(other, connection);
        }
    }

    fn set_aside_if_outdone(&mut self, worker: WorkerId, connection: ConnectionKey) {
        let until = self.now.after(self.limits.worker_aside);
        let most = self.limits.worker_denials_max;
        let Some(known) = self.workers.get_mut(&worker) else { return };
        let Some(denials) = known.denials.get_mut(&connection) else { return };
        if denials.in_a_row < most || denials.outdone == 0 {
            return;
        }
        // When it comes back, one more denial that another outdoes sets it aside again.
        denials.in_a_row = most.saturating_sub(1);
        denials.outdone = 0;
        let reason = denials.reason.clone();
        known.set_aside.insert(connection, SetAside { until, reason });
    }

    /// Ends what was set aside for long enough.
    pub(super) fn end_set_asides(&mut self) {
        let now = self.now;
        for worker in self.workers.values_mut() {
            worker.set_aside.retain(|_, aside| aside.until > now);
        }
    }

    /// True when a worker was denied too often in a row by a job that another one can go on with.
    pub(super) fn is_held_back(&self, job: &Job, worker: WorkerId) -> bool {
        let often = |denials: &BTreeMap<WorkerId, u32>, id: &WorkerId| {
            denials.get(id).is_some_and(|count| *count >= self.limits.worker_denials_max)
        };
        often(&job.denials, &worker)
            && self
                .workers
                .iter()
                .any(|(id, other)| other.takes(&job.route) && !often(&job.denials, id))
    }

    /// What a worker that is gone for good leaves behind in the jobs.
    pub(super) fn forget_denials_of(&mut self, worker: WorkerId) {
        for job in self.jobs.values_mut().filter(|job| !matches!(job.state, State::Ended { .. })) {
            job.denials.remove(&worker);
        }
    }
}
