//! Planning again: another sync won, or an object of the source is gone.
//!
//! What was copied stays (by its evidence), and so does what is being copied: the leases wait for
//! the new plan as those of an earlier epoch do, and go on where it has their tasks.

use std::collections::BTreeMap;

use super::job::State;
use super::{Action, Machine};
use crate::failure::Failure;
use crate::ids::{JobId, TaskIndex};
use crate::reason::Reason;
use crate::receipt::TaskFailure;

impl Machine {
    /// An object of the source is gone. A sync of the newest version is planned again, for a newer
    /// one may not need it; the driver's plan fails when the new one does. Any other sync fails.
    pub(super) fn vanished(
        &mut self,
        id: JobId,
        index: TaskIndex,
        failure: &TaskFailure,
        actions: &mut Vec<Action>,
    ) {
        let most = self.limits.vanished_plans_max;
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let failures = job
            .copying()
            .and_then(|tasks| tasks.get(index))
            .map_or(0, |task| task.attempts.failures);
        let spent = failures >= self.limits.task_attempts_max;
        if !job.follows_newest || job.vanished >= most || spent {
            let failure = Failure::new(Reason::ObjectVanished, failure.message.clone());
            self.fail(id, failure, actions);
            return;
        }
        job.vanished += 1;
        self.begin_planning(id);
        actions.push(Action::PlanAgain { job: id, task: index, object: failure.index });
    }

    /// Moves a job to the state of planning, with whatever of its tasks outlives the plan.
    pub(super) fn begin_planning(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let state = State::Planning { announced: BTreeMap::new() };
        let old = std::mem::replace(&mut job.state, state);
        self.touched.insert(id);
        let tasks = match old {
            State::Copying(tasks) | State::Publishing(tasks) => tasks,
            State::Queued | State::Planning { .. } | State::Ended { .. } => return,
        };
        let mut held = BTreeMap::new();
        for (index, lease) in tasks.leases() {
            if let Some(worker) = self.workers.get_mut(&lease.worker) {
                worker.held.remove(&(id, index));
            }
            if let Some(task) = tasks.get(index) {
                held.insert(task.fingerprint, lease);
            }
        }
        let tried = tasks.all.into_iter().filter(|task| task.attempts.newest > 0);
        job.attempts.extend(tried.map(|task| (task.fingerprint, task.attempts)));
        job.state = State::Planning { announced: held };
    }
}
