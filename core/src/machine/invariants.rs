//! What must hold after every step, numbered. Checked in production too: a job for which one
//! does not hold fails as internal instead of going on from an impossible state.
//!
//! The quick ones run after every step for the jobs that it changed; all of them run at every
//! tick (half a heartbeat), and after every step of the simulation.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::action::Action;
use super::groups::wait_in_order;
use super::job::{Job, Stage};
use super::state::Machine;
use super::tasks::{Sums, TaskState, Tasks};
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{JobId, TaskIndex};
use crate::limits::{DENIED_BY_MAX, GRANTS_REMEMBERED_MAX};
use crate::reason::Reason;

impl Machine {
    /// Everything that does not hold: a full recount.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let held = self.held_pairs();
        for (&id, job) in &self.jobs {
            let what = quick(job)
                .or_else(|| self.m4_one_active_job_a_target(id, job))
                .or_else(|| self.m5_ended_jobs_are_listed(id, job))
                .or_else(|| tasks_of(job).and_then(m6_sums_equal_a_recount))
                .or_else(|| tasks_of(job).and_then(m15_groups_go_step_by_step))
                .or_else(|| tasks_of(job).and_then(m16_a_step_has_one_lease))
                .or_else(|| self.m7_leases_are_held(id, job, &held))
                .or_else(|| self.m8_no_grant_before_recovery_is_over(job))
                .or_else(|| self.m9_failures_are_within_budget(job))
                .or_else(|| self.m10_who_was_denied_is_not_asked_again(job));
            found.extend(what.map(|what| Violation { job: id, what }));
        }
        found
    }

    /// Ends the step: what does not hold is said, and its job fails as internal.
    pub(super) fn uphold_invariants(&mut self, actions: &mut Vec<Action>) {
        let mut found = std::mem::take(&mut self.violated);
        if std::mem::take(&mut self.recount_due) {
            found.extend(self.violations());
        } else {
            found.extend(self.touched.iter().filter_map(|&job| {
                let what = quick(self.jobs.get(&job)?)?;
                Some(Violation { job, what })
            }));
        }
        for violation in found {
            actions.push(Action::Violated(violation));
            let Violation { job, what } = violation;
            // A job that ended, or is not known, cannot fail: the action alone tells of it.
            if self.jobs.get(&job).is_some_and(Job::is_live) {
                let message = format!("the coordinator is inconsistent ({what}): report this");
                let failed = self.fail(job, Failure::new(Reason::Internal, message), actions);
                // What breaks now is found by the next step.
                self.record(failed);
            }
        }
    }

    /// What the workers hold, by their own lists.
    fn held_pairs(&self) -> BTreeMap<(JobId, TaskIndex), u32> {
        let mut pairs = BTreeMap::new();
        for pair in self.workers.values().flat_map(|worker| &worker.held) {
            *pairs.entry(*pair).or_default() += 1;
        }
        pairs
    }

    fn m4_one_active_job_a_target(&self, id: JobId, job: &Job) -> Option<&'static str> {
        let queue = self.targets.get(&job.target);
        let places = queue.map_or(0, |queue| queue.iter().filter(|&&other| other == id).count());
        let first = queue.and_then(|queue| queue.front()) == Some(&id);
        let holds = match &job.stage {
            Stage::Queued => places == 1 && !first,
            Stage::Planning { .. } | Stage::Copying(_) | Stage::Publishing(_) => {
                places == 1 && first
            }
            Stage::Ended { .. } => places == 0,
        };
        (!holds).then_some("M4: one active job a target, the others queued")
    }

    fn m5_ended_jobs_are_listed(&self, id: JobId, job: &Job) -> Option<&'static str> {
        let listed = self.ended.contains(&id);
        (listed == job.is_live()).then_some("M5: the list of ended jobs")
    }

    fn m7_leases_are_held(
        &self,
        id: JobId,
        job: &Job,
        held: &BTreeMap<(JobId, TaskIndex), u32>,
    ) -> Option<&'static str> {
        let by_workers = held.range((id, TaskIndex(0))..=(id, TaskIndex(u32::MAX)));
        let count: u32 = by_workers.map(|(_, count)| count).sum();
        let leases = job.copying().map_or(0, |tasks| tasks.leases().count());
        let named = job.copying().is_none_or(|tasks| {
            tasks.leases().all(|(index, lease)| {
                let worker = self.workers.get(&lease.worker);
                worker.is_some_and(|worker| worker.is_live() && worker.held.contains(&(id, index)))
            })
        });
        let holds = named && count as usize == leases;
        (!holds).then_some("M7: a lease is held by one live worker, and two of a task by two")
    }

    fn m8_no_grant_before_recovery_is_over(&self, job: &Job) -> Option<&'static str> {
        let mut leases = job.copying()?.leases();
        let early = self.grant_from.is_some() && leases.any(|(_, l)| l.epoch == self.epoch);
        early.then_some("M8: no grant before the workers could re-announce theirs")
    }

    fn m9_failures_are_within_budget(&self, job: &Job) -> Option<&'static str> {
        let limits = &self.limits;
        let over = job.copying()?.all.iter().any(|task| {
            let attempts = &task.attempts;
            attempts.failures >= limits.task_attempts_max
                || attempts.losses > limits.task_losses_max
                || attempts.denied_by.len() > DENIED_BY_MAX
                || attempts.ended.len() > GRANTS_REMEMBERED_MAX
        });
        over.then_some("M9: failures, and what is remembered of them, within the budget")
    }

    fn m10_who_was_denied_is_not_asked_again(&self, job: &Job) -> Option<&'static str> {
        let tasks = job.copying()?;
        let again = tasks.leases().any(|(index, lease)| {
            lease.epoch == self.epoch
                && tasks.get(index).is_some_and(|task| task.attempts.is_denied(lease.worker))
        });
        again.then_some("M10: a task is not granted again to who was denied it")
    }
}

/// Those that cost nothing.
fn quick(job: &Job) -> Option<&'static str> {
    m1_publishing_means_all_done(job)
        .or_else(|| tasks_of(job).and_then(m2_every_task_is_somewhere))
        .or_else(|| m3_tasks_come_from_a_plan(job))
}

fn tasks_of(job: &Job) -> Option<&Tasks> {
    match &job.stage {
        Stage::Copying(tasks) | Stage::Publishing(tasks) => Some(tasks),
        Stage::Queued | Stage::Planning { .. } | Stage::Ended { .. } => None,
    }
}

fn m1_publishing_means_all_done(job: &Job) -> Option<&'static str> {
    let holds = match &job.stage {
        Stage::Publishing(tasks) => tasks.done == tasks.total && job.publish_intended,
        Stage::Copying(tasks) => !tasks.all_done(),
        Stage::Queued | Stage::Planning { .. } | Stage::Ended { .. } => true,
    };
    (!holds).then_some("M1: published when every task is done, and only then")
}

fn m2_every_task_is_somewhere(tasks: &Tasks) -> Option<&'static str> {
    let not_done = tasks.waiting + tasks.ready.len() + tasks.backoff.len() + tasks.leased.len();
    let holds = not_done as u64 + tasks.done.tasks == tasks.total.tasks;
    (!holds).then_some("M2: a task is ready, waits, is leased or is done")
}

fn m3_tasks_come_from_a_plan(job: &Job) -> Option<&'static str> {
    let unplanned = job.planned.is_none() && tasks_of(job).is_some();
    unplanned.then_some("M3: tasks come from a plan")
}

fn m6_sums_equal_a_recount(tasks: &Tasks) -> Option<&'static str> {
    let (mut done, mut total, mut leased_bytes) = (Sums::default(), Sums::default(), 0_u64);
    let (mut placed, mut waiting) = (true, 0);
    for (number, task) in (0..).zip(&tasks.all) {
        let index = TaskIndex(number);
        total.add(task);
        placed &= match task.state {
            TaskState::Waiting => {
                waiting += 1;
                true
            }
            TaskState::Ready => tasks.ready.contains(&(Reverse(task.rank()), index)),
            TaskState::Backoff(until) => tasks.backoff.contains(&(until, index)),
            TaskState::Leased(leases) => {
                let bytes = task.bytes.saturating_mul(leases.count());
                leased_bytes = leased_bytes.saturating_add(bytes);
                tasks.leased.contains(&index)
            }
            TaskState::Done => {
                done.add(task);
                true
            }
        };
    }
    let equal = done == tasks.done
        && total == tasks.total
        && leased_bytes == tasks.leased_bytes
        && waiting == tasks.waiting;
    (!(placed && equal)).then_some("M6: indices and sums equal a recount")
}

fn m15_groups_go_step_by_step(tasks: &Tasks) -> Option<&'static str> {
    let holds = tasks.groups().all(|group| wait_in_order(tasks, group));
    (!holds).then_some("M15: parts come after their opening, the end of a group after all parts")
}

fn m16_a_step_has_one_lease(tasks: &Tasks) -> Option<&'static str> {
    let is_step = |index| tasks.get(index).is_some_and(|task| task.group.is_some());
    let holds = tasks.leased().all(|(index, leases)| leases.copy.is_none() || !is_step(index));
    (!holds).then_some("M16: no two workers write one range of parts at once")
}
