//! Nothing is copied again without a reason: a failed attempt, a lost worker or lease, a vacuum, a
//! worker that hardly moves what it holds.

use std::collections::BTreeMap;

use deepclone_core::ids::{GrantKey, JobId, WorkerId};
use deepclone_core::limits::{HEARTBEAT_INTERVAL, TASK_LOSSES_MAX, WORKER_DENIALS_MAX};
use deepclone_core::machine::{Event, TaskOutcome};
use deepclone_core::receipt::TaskFailureKind;

use crate::scenario::Kind;
use crate::world::World;

/// Tasks of one grant to a worker that turns out bad: half of a job's, with another at its side.
const BAD_GRANT_TASKS_MAX: u64 = 6;
/// The longest way of a message that is not late.
const GRANT_WAY_MS: u64 = 60;

/// A worker is given a task. While nothing is lost, another one copies it only if it is slow, for
/// more than two heartbeats, and alone.
pub(crate) fn granted(world: &mut World, worker: WorkerId, key: &GrantKey) {
    let copying = world.workers.iter().filter_map(|(&number, other)| {
        Some((number, other.id, other.copies_since(key.job, key.fingerprint)?))
    });
    let copying: Vec<(u64, WorkerId, u64)> = copying.collect();
    let is_sure = matches!(world.scenario.kind, Kind::Calm | Kind::Stalls | Kind::Slow);
    if !is_sure || copying.is_empty() {
        return;
    }
    let judged_after_ms = 2 * u64::try_from(HEARTBEAT_INTERVAL.as_millis()).unwrap();
    let [(number, holder, since_ms)] = copying[..] else {
        panic!("{key:?} goes to {worker}, and two copy it: {copying:?}");
    };
    assert_ne!(holder, worker, "{key:?} goes to its holder");
    let is_slow = world.scenario.is_slow && number == 0;
    // The grant was on its way for a moment.
    let is_due = since_ms + judged_after_ms <= world.now + GRANT_WAY_MS;
    assert!(is_slow && is_due, "{key:?} goes to {worker}, too");
    *world.spent.copies.entry((key.job, key.fingerprint)).or_default() += 1;
}

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
            // The copy of what the slow worker holds ends the task.
            Kind::Slow => {
                let copies = world.spent.copies.get(task).copied().unwrap_or(0);
                1 + excused + copies.min(1)
            }
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
