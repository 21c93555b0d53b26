//! The tasks of an object that several workers copy: which of them waits for which, and what
//! becomes of all when their upload is lost.
//!
//! Parts wait for the opening, the end waits for all parts. A task is granted only after the facts
//! of those before it are durable, so the upload's id is a fact before any part is written, and the
//! evidence of all parts before the object is made. Evidence of a part counts for the upload that
//! the newest opening opened, and for no other.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::action::Action;
use super::fact::Fact;
use super::lease::TaskLeases;
use super::retry;
use super::shown::Shown;
use super::state::Machine;
use super::tasks::{Task, TaskState, Tasks};
use super::violation::Violation;
use crate::failure::Failure;
use crate::group::GroupStep;
use crate::ids::{JobId, TaskFingerprint, TaskIndex};
use crate::receipt::TaskFailure;

impl Machine {
    /// True when a receipt tells of parts of another upload than the one that is open.
    pub(super) fn is_of_lost_upload(
        &self,
        id: JobId,
        index: TaskIndex,
        shown: &Shown,
    ) -> Result<bool, Violation> {
        if self.task(id, index)?.step() != Some(GroupStep::Parts) {
            return Ok(false);
        }
        let job = self.jobs.get(&id).ok_or(Violation::no_job(id))?;
        let tasks = job.copying().ok_or(Violation::wrong_state(id))?;
        let group = tasks.group_of(index).ok_or(Violation::no_task(id))?;
        let opening = self.task(id, *group.start())?;
        let opened = job.evidence.get(&opening.fingerprint);
        Ok(opened.is_none_or(|opened| opened.upload != shown.upload))
    }

    /// Moves the tasks that waited for this one, which is done now.
    pub(super) fn go_on_with_group(
        &mut self,
        id: JobId,
        index: TaskIndex,
        shown: &Shown,
    ) -> Result<(), Violation> {
        let Some(step) = self.task(id, index)?.step() else { return Ok(()) };
        let tasks = self.copying_mut(id)?;
        let group = tasks.group_of(index).ok_or(Violation::no_task(id))?;
        let is_whole = step == GroupStep::Finish || shown.is_whole_object();
        let moves = if is_whole { all_done(tasks, group) } else { released(tasks, group) };
        for (index, state) in moves {
            self.set_task(id, index, state)?;
        }
        Ok(())
    }

    /// A worker found that the upload of a group is gone: it is opened again, within the budget of
    /// the task that opens it.
    pub(super) fn upload_lost(
        &mut self,
        id: JobId,
        index: TaskIndex,
        failure: TaskFailure,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let group = self.copying_mut(id)?.group_of(index).ok_or(Violation::no_task(id))?;
        let failures = self.task(id, *group.start())?.attempts.failures + 1;
        if failures >= self.limits.task_attempts_max {
            let reason = retry::reason(failure.kind);
            return self.fail(id, Failure::new(reason, failure.message), actions);
        }
        self.begin_group_again(id, index, actions)
    }

    /// Forgets what is done of a group: its upload or its object is gone.
    pub(super) fn begin_group_again(
        &mut self,
        id: JobId,
        index: TaskIndex,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let (now, limits) = (self.now, self.limits);
        let group = self.copying_mut(id)?.group_of(index).ok_or(Violation::no_task(id))?;
        let mut fingerprints = Vec::new();
        for number in group.start().0..=group.end().0 {
            let index = TaskIndex(number);
            let leases = self.task(id, index)?.leases();
            for lease in leases.iter().flat_map(TaskLeases::iter) {
                self.lose_report(id, index, &lease)?;
                self.task_mut(id, index)?.attempts.lost(&lease);
            }
            let task = self.task_mut(id, index)?;
            // Late reports are of the upload that is gone.
            task.attempts.void_upto = task.attempts.newest;
            let fingerprint = task.fingerprint;
            let state = if index == *group.start() {
                task.attempts.failures += 1;
                let pause = retry::backoff(&limits, fingerprint, task.attempts.failures);
                TaskState::Backoff(now.after(pause))
            } else {
                TaskState::Waiting
            };
            self.set_task(id, index, state)?;
            self.job_mut(id)?.evidence.remove(&fingerprint);
            fingerprints.push(fingerprint);
        }
        actions.push(Action::Record(Fact::GroupRestarted { job: id, fingerprints }));
        Ok(())
    }
}

/// The states of all tasks of a group whose object is at the target.
fn all_done(tasks: &Tasks, group: RangeInclusive<TaskIndex>) -> Vec<(TaskIndex, TaskState)> {
    let members = members(tasks, group);
    let left = members.filter(|(_, task)| task.state != TaskState::Done);
    left.map(|(index, _)| (index, TaskState::Done)).collect()
}

/// The tasks of a group that need not wait any more.
fn released(tasks: &Tasks, group: RangeInclusive<TaskIndex>) -> Vec<(TaskIndex, TaskState)> {
    let is_open =
        |task: &Task| task.state != TaskState::Done && task.step() == Some(GroupStep::Open);
    let is_left =
        |task: &Task| task.state != TaskState::Done && task.step() == Some(GroupStep::Parts);
    if members(tasks, group.clone()).any(|(_, task)| is_open(task)) {
        return Vec::new();
    }
    let are_parts_left = members(tasks, group.clone()).any(|(_, task)| is_left(task));
    let waits = |task: &Task| {
        let is_due = task.step() == Some(GroupStep::Parts) || !are_parts_left;
        is_due && task.state == TaskState::Waiting
    };
    let due = members(tasks, group).filter(|(_, task)| waits(task));
    due.map(|(index, _)| (index, TaskState::Ready)).collect()
}

/// The states of the tasks of all groups of a new plan, by what is known of them; the others wait
/// or are ready as they are.
pub(super) fn known_states(
    tasks: &Tasks,
    evidence: &BTreeMap<TaskFingerprint, Shown>,
    announced: &BTreeMap<TaskFingerprint, TaskLeases>,
) -> Vec<(TaskIndex, TaskState)> {
    let mut states = Vec::new();
    for group in tasks.groups() {
        let shown = |index: TaskIndex| {
            let task = tasks.get(index)?;
            evidence.get(&task.fingerprint).filter(|shown| task.is_shown_by(shown))
        };
        let held = |index: TaskIndex| {
            let leases = announced.get(&tasks.get(index)?.fingerprint)?;
            Some(TaskState::Leased(TaskLeases::of(leases.holder)))
        };
        let (first, last) = (*group.start(), *group.end());
        let opened = shown(first);
        if shown(last).is_some() || opened.is_some_and(Shown::is_whole_object) {
            states.extend(all_done(tasks, group));
            continue;
        }
        let Some(opened) = opened else {
            states.extend(held(first).map(|state| (first, state)));
            continue;
        };
        states.push((first, TaskState::Done));
        let mut is_written = true;
        for number in first.0 + 1..last.0 {
            let index = TaskIndex(number);
            let is_done = shown(index).is_some_and(|part| part.upload == opened.upload);
            is_written &= is_done;
            let state = if is_done { Some(TaskState::Done) } else { held(index) };
            states.push((index, state.unwrap_or(TaskState::Ready)));
        }
        if is_written {
            states.push((last, held(last).unwrap_or(TaskState::Ready)));
        }
    }
    states
}

fn members(
    tasks: &Tasks,
    group: RangeInclusive<TaskIndex>,
) -> impl Iterator<Item = (TaskIndex, &Task)> {
    (group.start().0..=group.end().0).filter_map(|number| {
        let index = TaskIndex(number);
        Some((index, tasks.get(index)?))
    })
}

/// Checks that the tasks of a group wait for each other as they must.
pub(super) fn wait_in_order(tasks: &Tasks, group: RangeInclusive<TaskIndex>) -> bool {
    let state = |index: TaskIndex| tasks.get(index).map(|task| task.state);
    let is_done = |index| state(index) == Some(TaskState::Done);
    let waits = |index| state(index) == Some(TaskState::Waiting);
    let (first, last) = (*group.start(), *group.end());
    let parts = || (first.0 + 1..last.0).map(TaskIndex);
    if is_done(last) {
        return is_done(first) && parts().all(is_done);
    }
    !waits(first)
        && parts().all(|index| waits(index) != is_done(first))
        && waits(last) != (is_done(first) && parts().all(is_done))
}
