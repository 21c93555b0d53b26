//! Planning again: another sync won, or an object of the source is gone.
//!
//! Evidence of copied tasks stays. The leases of tasks that are being copied wait for the new plan,
//! as those of an earlier epoch do, and go on if the plan has the task.

use std::collections::BTreeMap;

use super::action::Action;
use super::job::Stage;
use super::state::Machine;
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{JobId, TaskIndex};
use crate::reason::Reason;
use crate::receipt::TaskFailure;

impl Machine {
    /// An object of the source is gone. A sync of the newest version is planned again, because a
    /// newer one may not need it; the driver's plan fails when it does. Any other sync fails.
    pub(super) fn vanished(
        &mut self,
        id: JobId,
        index: TaskIndex,
        failure: &TaskFailure,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let most = self.limits.vanished_plans_max;
        let spent = self.task(id, index)?.attempts.failures >= self.limits.task_attempts_max;
        let job = self.job_mut(id)?;
        if !job.follows_newest || job.vanished >= most || spent {
            let failure = Failure::new(Reason::ObjectVanished, failure.message.clone());
            return self.fail(id, failure, actions);
        }
        job.vanished += 1;
        self.begin_planning(id)?;
        actions.push(Action::PlanAgain { job: id, task: index, object: failure.index });
        Ok(())
    }

    /// Moves a job to the state of planning, with what outlives the plan that it had.
    pub(super) fn begin_planning(&mut self, id: JobId) -> Result<(), Violation> {
        let job = self.jobs.get_mut(&id).ok_or(Violation::no_job(id))?;
        let tasks = job.take_tasks();
        let mut announced = BTreeMap::new();
        for (index, lease) in tasks.leases() {
            self.workers.let_go(lease.worker, (id, index));
        }
        for (index, leases) in tasks.leased() {
            if let Some(task) = tasks.get(index) {
                announced.insert(task.fingerprint, leases);
            }
        }
        let attempted = tasks.all.into_iter().filter(|task| task.attempts.newest > 0);
        job.attempts.extend(attempted.map(|task| (task.fingerprint, task.attempts)));
        job.stage = Stage::Planning { announced };
        self.touched.insert(id);
        self.note_job(id);
        Ok(())
    }
}
