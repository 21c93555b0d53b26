//! An object that is gone from the source: plan again, or fail and name it.

use super::*;
use crate::reason::Reason;
use TaskFailureKind::SourceNotFound;

fn failure(rig: &Rig) -> Option<Reason> {
    match rig.machine.job(job(1)).unwrap().end {
        Some(End::Failed(failure)) => Some(failure.reason),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

fn plans_again(actions: &[Action]) -> Option<(TaskIndex, Option<u32>)> {
    actions.iter().find_map(|action| match action {
        Action::PlanAgain { task, object, .. } => Some((*task, *object)),
        _ => None,
    })
}

#[test]
fn a_sync_of_the_newest_version_is_planned_again_a_bounded_number_of_times() {
    let (mut rig, mut keys) = Rig::copying(vec![task(1, 1), task(2, 1)], MIB);
    let most = u8::try_from(Limits::default().vanished_plans_max).unwrap();
    for round in 0..most {
        let actions = rig.report(1, keys[1], failed(SourceNotFound));
        let kind = SourceNotFound;
        let fact = Fact::TaskFailed { job: job(1), fingerprint: keys[1].fingerprint, kind };
        assert_eq!(actions[0], Action::Record(fact));
        assert_eq!(plans_again(&actions), Some((TaskIndex(1), Some(0))), "round {round}");
        assert_eq!(rig.state(1), JobState::Planning);
        rig.planned(1, vec![task(1, 1), task(20 + round, 1)]);
        assert_eq!(rig.beat(1, &keys), keys[1..], "the plan still has the other task");
        keys.truncate(1);
        keys.extend(granted(&rig.ask(1, MIB)));
        assert_eq!(keys.len(), 2);
    }
    rig.report(1, keys[1], failed(SourceNotFound));
    assert_eq!(failure(&rig), Some(Reason::ObjectVanished));
}

#[test]
fn a_sync_of_a_named_version_fails_at_once() {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.submit(1, 1);
    let plan = Plan { source_is_newest: false, ..plan(vec![task(1, 1)]) };
    rig.step(Event::Planned { job: job(1), plan });
    let keys = granted(&rig.ask(1, MIB));
    rig.report(1, keys[0], failed(SourceNotFound));
    assert_eq!(failure(&rig), Some(Reason::ObjectVanished));
}

#[test]
fn another_worker_looks_first() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.register(2, vec![]);
    let actions = rig.report(1, keys[0], failed(SourceNotFound));
    assert_eq!(plans_again(&actions), None);
    let again = granted(&rig.ask(2, MIB));
    let mut found = rig.clone();
    found.done(2, again[0], 1);
    assert_eq!(found.state(1), JobState::Publishing, "the first one had no eyes for it");
    rig.register(3, vec![]);
    let actions = rig.report(2, again[0], failed(SourceNotFound));
    assert!(plans_again(&actions).is_some(), "two do not find it: the third is not asked");
}

#[test]
fn what_is_copied_meanwhile_counts_and_what_is_not_wanted_is_abandoned() {
    let tasks = || vec![task(1, 40), task(2, 30), task(3, 20), task(4, 10)];
    let (mut rig, keys) = Rig::copying(tasks(), MIB);
    rig.report(1, keys[3], failed(SourceNotFound));
    let actions = rig.done(1, keys[0], 40);
    assert!(matches!(actions[..], [Action::Record(Fact::TaskDone { .. })]), "{actions:?}");
    rig.report(1, keys[1], failed(TaskFailureKind::Transient));
    assert_eq!(rig.done(1, keys[1], 30), [], "it was told as a failure");
    rig.planned(1, tasks()[..3].to_vec());
    let progress = rig.machine.job(job(1)).unwrap().progress;
    assert_eq!((progress.tasks_done, progress.workers), (1, 1));
    assert_eq!(rig.beat(1, &keys[2..]), keys[3..], "the third goes on under its lease");
    let again = granted(&rig.ask(1, MIB));
    assert_eq!(again, [key(2, 2, 1)], "no number twice in one epoch");
    rig.done(1, keys[2], 20);
    let actions = rig.done(1, again[0], 30);
    assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }));
}

#[test]
fn a_worker_that_is_lost_meanwhile_loses_what_it_held() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 40), task(2, 30)], MIB);
    rig.report(1, keys[1], failed(SourceNotFound));
    rig.wait(40_000);
    rig.planned(1, vec![task(1, 40)]);
    assert_eq!(rig.machine.job(job(1)).unwrap().progress.workers, 0);
    rig.register(1, keys[..1].to_vec());
    assert_eq!(rig.beat(1, &keys[..1]), [], "its own, and still wanted");
    let actions = rig.done(1, keys[0], 40);
    assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }));
}

#[test]
fn a_cancel_ends_a_job_that_is_planned_again() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.report(1, keys[0], failed(SourceNotFound));
    rig.step(Event::CancelRequested { job: job(1) });
    assert_eq!(rig.state(1), JobState::Cancelled);
    assert_eq!(rig.planned(1, vec![task(1, 1)]), [], "the plan came too late");
}
