//! Nothing is copied again without a reason: a failed attempt, a lost worker or lease, a vacuum.

use std::collections::BTreeMap;

use deepclone_core::ids::{GrantKey, JobId};
use deepclone_core::limits::{TASK_LOSSES_MAX, WORKER_DENIALS_MAX};
use deepclone_core::machine::{Event, TaskOutcome};
use deepclone_core::receipt::TaskFailureKind;

use crate::scenario::Kind;
use crate::world::World;

/// Tasks of one grant to a worker that turns out bad: half of a job's, with another at its side.
const BAD_GRANT_TASKS_MAX: u64 = 6;

/// A worker begins to copy a task, which may be bound to fail.
pub(crate) fn copy_began(world: &mut World, key: &GrantKey, failure: Option<TaskFailureKind>) {
    let task = (key.job, key.fingerprint);
    *world.spent.began.entry(task).or_default() += 1;
    *world.spent.excused.entry(task).or_default() += u64::from(failure.is_some());
}

/// A worker dies with what it worked on.
pub(crate) fn worker_died(world: &mut World, number: u64) {
    for key in world.work_of(number) {
        *world.spent.excused.entry((key.job, key.fingerprint)).or_default() += 1;
    }
}

/// A worker sends a report. One death of the coordinator never outlasts a lease, two or more may.
pub(crate) fn reports(world: &mut World, event: &Event) {
    let Event::Reported { outcomes, .. } = event else { return };
    for (key, outcome) in outcomes {
        let TaskOutcome::Failed(failure) = outcome else { continue };
        let is_first = failure.kind == TaskFailureKind::LeaseExpired
            && world.life >= key.epoch.0 + 2
            && world.spent.lapsed.insert(*key);
        *world.spent.excused.entry((key.job, key.fingerprint)).or_default() += u64::from(is_first);
    }
}

/// When all is over. While the network is good, a task is copied once, and once more for each
/// copy that failed or died: never because the coordinator died once or stood still.
pub(crate) fn at_the_end(world: &World) {
    for (task, &began) in &world.spent.began {
        let excused = world.spent.excused.get(task).copied().unwrap_or(0);
        let most = match world.scenario.kind {
            Kind::Contents => u64::MAX,
            Kind::Calm | Kind::Stalls => 1,
            Kind::Restarts
            | Kind::Losses
            | Kind::BadWorker
            | Kind::Liar
            | Kind::Vanish
            | Kind::Deserted => 1 + excused,
            // A lease that is lost with a message costs a copy too, up to the budget.
            Kind::Chaos => {
                let stale = u64::from(world.seen.stale.contains(&task.1));
                1 + excused + u64::from(TASK_LOSSES_MAX) * (1 + stale)
            }
        };
        assert!(began <= most, "{task:?} was copied {began} times, {excused} of them in vain");
    }
    bad_workers_cost_little(world);
}

/// A worker that cannot reach a store is given a few tasks of each job, not all of them; a grant
/// may hold several, and each epoch of the coordinator learns anew.
fn bad_workers_cost_little(world: &World) {
    let mut denials: BTreeMap<(JobId, u64), u64> = BTreeMap::new();
    for (_, job, _, life) in &world.seen.denied {
        *denials.entry((*job, *life)).or_default() += 1;
    }
    for (job, count) in denials {
        let most = u64::from(WORKER_DENIALS_MAX) + BAD_GRANT_TASKS_MAX;
        assert!(count <= most, "{job:?}: a bad worker was asked {count} times");
    }
}
