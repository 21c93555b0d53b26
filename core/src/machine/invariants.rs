//! What must hold after every step, numbered. Checked in production too: a job for which one
//! does not hold fails as internal instead of going on from an impossible state.
//!
//! The quick ones run after every step for the jobs that it changed. A recount of all is made after
//! every step of the simulation, and at every tick (half a heartbeat) of a build for debugging.
//! Elsewhere a tick looks at a bounded part, and the next tick at the part after it: a recount of a
//! million tasks would take longer than a worker waits for a grant.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use uuid::Uuid;

use super::action::Action;
use super::copying_jobs::CopyingJobs;
use super::groups::wait_in_order;
use super::job::{Job, Stage};
use super::state::Machine;
use super::tasks::{Sums, Task, TaskState, Tasks};
use super::violation::Violation;
use crate::failure::Failure;
use crate::ids::{JobId, TaskIndex};
use crate::limits::{DENIED_BY_MAX, GRANTS_REMEMBERED_MAX, RECOUNT_TASKS_MAX};
use crate::reason::Reason;

/// What a job costs a recount besides its tasks, in tasks.
const JOB_COSTS: usize = 64;
/// Names the machine as a whole, and is before every job.
const NO_JOB: JobId = JobId(Uuid::nil());

impl Machine {
    /// Everything that does not hold: a full recount.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let held = self.held_pairs();
        for (&id, job) in &self.jobs {
            let by_workers = held.range((id, TaskIndex(0))..=(id, TaskIndex(u32::MAX)));
            let by_workers = by_workers.map(|(_, count)| count).sum();
            let what = self.broken_by(id, job, by_workers);
            found.extend(what.map(|what| Violation { job: id, what }));
        }
        found.extend(self.m17_indices_equal_a_recount());
        found
    }

    /// What does not hold of one job. `by_workers` is how many of its tasks the workers hold.
    fn broken_by(&self, id: JobId, job: &Job, by_workers: usize) -> Option<&'static str> {
        quick(job)
            .or_else(|| self.m4_one_active_job_a_target(id, job))
            .or_else(|| self.m5_ended_jobs_are_listed(id, job))
            .or_else(|| tasks_of(job).and_then(m6_sums_equal_a_recount))
            .or_else(|| tasks_of(job).and_then(m15_groups_go_step_by_step))
            .or_else(|| tasks_of(job).and_then(m16_a_step_has_one_lease))
            .or_else(|| self.m7_leases_are_held(id, job, by_workers))
            .or_else(|| self.m8_no_grant_before_recovery_is_over(job))
            .or_else(|| self.m9_failures_are_within_budget(job, &(0..usize::MAX)))
            .or_else(|| self.m10_who_was_denied_is_not_asked_again(job))
    }

    /// What does not hold of the next jobs after those that were looked at before, round and round.
    /// Of a job with more tasks than one look has, the next ones are looked at, and no sums.
    pub(super) fn sampled_violations(&mut self) -> Vec<Violation> {
        let (mut found, mut left) = (Vec::new(), RECOUNT_TASKS_MAX);
        let (first, first_task) = std::mem::replace(&mut self.recounted, (NO_JOB, 0));
        for (&id, job) in self.jobs.range(first..) {
            let count = tasks_of(job).map_or(0, |tasks| tasks.all.len());
            let from = if id == first { first_task.min(count) } else { 0 };
            if left == 0 {
                self.recounted = (id, from);
                break;
            }
            let (what, to) = if count <= RECOUNT_TASKS_MAX {
                (self.broken_by(id, job, self.held_of(id, job)), count)
            } else {
                let part = from..count.min(from + left);
                (self.broken_in(job, &part), part.end)
            };
            found.extend(what.map(|what| Violation { job: id, what }));
            left = left.saturating_sub(to - from + JOB_COSTS);
            if to < count {
                self.recounted = (id, to);
                break;
            }
        }
        found
    }

    /// What does not hold of some tasks of a job.
    fn broken_in(&self, job: &Job, part: &Range<usize>) -> Option<&'static str> {
        quick(job)
            .or_else(|| tasks_of(job).and_then(|tasks| m6_tasks_are_placed(tasks, part)))
            .or_else(|| self.m9_failures_are_within_budget(job, part))
    }

    /// How many tasks of a job its holders hold.
    fn held_of(&self, id: JobId, job: &Job) -> usize {
        let holders = job.copying().into_iter().flat_map(|tasks| tasks.holders.keys());
        let held =
            holders.filter_map(|holder| Some(self.workers.get(*holder)?.held_of(id).count()));
        held.sum()
    }

    /// Ends the step: what does not hold is said, and its job fails as internal.
    pub(super) fn uphold_invariants(&mut self, actions: &mut Vec<Action>) {
        let mut found = std::mem::take(&mut self.violated);
        if std::mem::take(&mut self.recount_due) {
            let is_whole = cfg!(debug_assertions);
            found.extend(if is_whole { self.violations() } else { self.sampled_violations() });
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
    fn held_pairs(&self) -> BTreeMap<(JobId, TaskIndex), usize> {
        let mut pairs = BTreeMap::new();
        for pair in self.workers.iter().flat_map(|(_, worker)| &worker.held) {
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

    fn m7_leases_are_held(&self, id: JobId, job: &Job, by_workers: usize) -> Option<&'static str> {
        let mut holders = BTreeMap::new();
        for (_, lease) in job.copying().into_iter().flat_map(Tasks::leases) {
            *holders.entry(lease.worker).or_default() += 1;
        }
        let counted = job.copying().is_none_or(|tasks| tasks.holders == holders);
        let leases: u32 = holders.values().sum();
        let named = job.copying().is_none_or(|tasks| {
            tasks.leases().all(|(index, lease)| {
                let worker = self.workers.get(lease.worker);
                worker.is_some_and(|worker| worker.is_live() && worker.held.contains(&(id, index)))
            })
        });
        let holds = counted && named && by_workers == leases as usize;
        (!holds).then_some("M7: a lease is held by one live worker, and two of a task by two")
    }

    fn m8_no_grant_before_recovery_is_over(&self, job: &Job) -> Option<&'static str> {
        let mut leases = job.copying()?.leases();
        let early = self.grant_from.is_some() && leases.any(|(_, l)| l.epoch == self.epoch);
        early.then_some("M8: no grant before the workers could re-announce theirs")
    }

    fn m9_failures_are_within_budget(
        &self,
        job: &Job,
        part: &Range<usize>,
    ) -> Option<&'static str> {
        let limits = &self.limits;
        let over = part_of(job.copying()?, part).any(|(_, task)| {
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

    /// A rule of the machine as a whole: no job fails of it.
    fn m17_indices_equal_a_recount(&self) -> Option<Violation> {
        let mut copying = CopyingJobs::default();
        for (&id, job) in &self.jobs {
            copying.note(id, Some(job));
        }
        let holds = self.workers.equals_a_recount() && self.copying == copying;
        let what = "M17: what is kept of all workers and jobs equals a recount";
        (!holds).then_some(Violation { job: NO_JOB, what })
    }
}

const M6: &str = "M6: indices and sums equal a recount";

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
    let (mut moved_bytes, mut waiting) = (0_u128, 0);
    for task in &tasks.all {
        total.add(task);
        match task.state {
            TaskState::Waiting => waiting += 1,
            TaskState::Ready | TaskState::Backoff(_) => {}
            TaskState::Leased(leases) => {
                let bytes = task.bytes.saturating_mul(leases.count());
                leased_bytes = leased_bytes.saturating_add(bytes);
                moved_bytes += u128::from(leases.bytes_ahead());
            }
            TaskState::Done => done.add(task),
        }
    }
    let equal = done == tasks.done
        && total == tasks.total
        && leased_bytes == tasks.leased_bytes
        && moved_bytes == tasks.moved_bytes
        && waiting == tasks.waiting;
    m6_tasks_are_placed(tasks, &(0..usize::MAX)).or((!equal).then_some(M6))
}

fn m6_tasks_are_placed(tasks: &Tasks, part: &Range<usize>) -> Option<&'static str> {
    let mut part = part_of(tasks, part);
    let placed = part.all(|(index, task)| match task.state {
        TaskState::Waiting | TaskState::Done => true,
        TaskState::Ready => tasks.ready.contains(&(Reverse(task.rank()), index)),
        TaskState::Backoff(until) => tasks.backoff.contains(&(until, index)),
        TaskState::Leased(leases) => {
            let is_watched = tasks.slow.of(index).is_some();
            tasks.leased.contains(&index) && is_watched == leases.copy.is_none()
        }
    });
    (!placed).then_some(M6)
}

/// Some tasks by their numbers.
fn part_of<'a>(
    tasks: &'a Tasks,
    part: &Range<usize>,
) -> impl Iterator<Item = (TaskIndex, &'a Task)> {
    let numbered = (0..).map(TaskIndex).zip(&tasks.all);
    numbered.skip(part.start).take(part.len())
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
