//! What workers announce and report while a job is planned again, or after a restart.

use super::*;
use TaskFailureKind::{SourceNotFound, Transient};

/// A job of tasks 1 to 3 in the second epoch: nothing of it is granted yet.
fn restarted() -> Rig {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.restart();
    rig.planned(1, (1..=3).map(|number| task(number, 1)).collect());
    rig
}

/// A job that is planned again: worker 1 holds task 1 and did task 2, task 3 was never granted.
fn planned_again() -> (Rig, Vec<GrantKey>) {
    let tasks = [(1, 40), (2, 30), (3, 20), (4, 10)].map(|(number, bytes)| task(number, bytes));
    let (mut rig, keys) = Rig::copying(tasks.to_vec(), 100);
    assert_eq!(keys.len(), 4);
    rig.done(1, keys[1], 30);
    rig.report(1, keys[3], failed(SourceNotFound));
    assert_eq!(rig.state(1), JobState::Planning);
    (rig, keys)
}

fn accepted(rig: &mut Rig, by: u128, key: GrantKey, bytes: u64) -> bool {
    let facts = rig.facts.len();
    rig.done(by, key, bytes);
    let is_accepted = rig.facts[facts..].iter().any(|fact| matches!(fact, Fact::TaskDone { .. }));
    assert!(!is_accepted || rig.heard.last().unwrap().1.is_empty());
    is_accepted
}

fn refused(rig: &Rig) -> &[GrantKey] {
    &rig.heard.last().unwrap().1
}

#[test]
fn two_workers_go_on_with_a_grant_of_an_earlier_epoch_and_a_third_counts_behind_them() {
    let mut rig = restarted();
    let (first, second, third) = (key(1, 1, 1), key(1, 2, 1), key(1, 3, 1));
    rig.register(1, vec![first]);
    rig.register(2, vec![second]);
    rig.register(3, vec![third]);
    assert_eq!(rig.beat(1, &[first]), []);
    assert_eq!(rig.beat(2, &[second]), [], "it has begun, too");
    assert_eq!(rig.beat(3, &[third]), [third], "two are enough");
    // What is announced again takes no place among what is remembered.
    for _ in 0..40 {
        rig.register(1, vec![first]);
        rig.register(3, vec![third]);
    }
    assert!(accepted(&mut rig, 3, third, 1), "its bytes may be there all the same");
    assert_eq!((rig.beat(1, &[first]), rig.beat(2, &[second])), (vec![first], vec![second]));
}

#[test]
fn two_grants_of_an_earlier_epoch_wait_for_the_plan_and_a_third_counts_behind_them() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.restart();
    let (first, second, third) = (key(1, 1, 1), key(1, 2, 1), key(1, 3, 1));
    let forged = key(2, 1, 2);
    rig.register(1, vec![first, forged]);
    let (forged_copy, fourth) = (key(1, 9, 2), key(1, 4, 1));
    rig.register(4, vec![forged_copy]);
    assert_eq!(rig.beat(4, &[forged_copy]), [forged_copy], "nor a second one of it");
    rig.register(2, vec![second]);
    rig.register(4, vec![fourth]);
    rig.register(3, vec![third]);
    assert_eq!(rig.beat(1, &[first, forged]), [forged], "no grant of this epoch");
    assert_eq!(rig.beat(2, &[second]), []);
    assert_eq!(rig.beat(3, &[third]), [third]);
    for _ in 0..40 {
        rig.register(1, vec![first]);
        rig.register(3, vec![third]);
    }
    assert!(!accepted(&mut rig, 1, forged, 1) && refused(&rig) == [forged]);
    assert!(accepted(&mut rig.clone(), 4, fourth, 1), "the others did not push it out");
    let mut planned = rig.clone();
    planned.planned(1, vec![task(1, 1)]);
    assert_eq!(planned.machine.job(job(1)).unwrap().progress.workers, 2);
    assert!(accepted(&mut rig, 3, third, 1));
    rig.planned(1, vec![task(1, 1), task(2, 1)]);
    assert_eq!(rig.machine.job(job(1)).unwrap().progress.tasks_done, 1);
}

#[test]
fn a_grant_that_was_lost_before_the_plan_is_adopted_when_it_is_announced() {
    let (mut rig, keys) = planned_again();
    rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
    rig.register(2, keys[..1].to_vec());
    assert_eq!(rig.beat(2, &keys[..1]), keys[..1], "another worker's");
    rig.register(1, vec![keys[0], key(3, 9, 1)]);
    assert_eq!(rig.beat(1, &[keys[0], key(3, 9, 1)]), [key(3, 9, 1)], "its own, and a forged one");
}

#[test]
fn a_worker_that_leaves_before_the_plan_leaves_its_tasks_to_others() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 40), task(2, 30)], 40);
    rig.register(2, vec![]);
    let other = granted(&rig.ask(2, 100));
    assert_eq!((&keys[..], &other[..]), (&[key(1, 1, 1)][..], &[key(2, 1, 1)][..]));
    rig.register(3, vec![]);
    rig.report(1, keys[0], failed(SourceNotFound));
    let third = granted(&rig.ask(3, 100));
    rig.report(3, third[0], failed(SourceNotFound));
    assert_eq!(rig.state(1), JobState::Planning);
    rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
    assert_eq!(rig.beat(2, &other), [], "it holds its own still");
    rig.step(Event::WorkerLeft { worker: worker(2), returned: vec![] });
    rig.planned(1, vec![task(2, 30)]);
    assert_eq!(granted(&rig.ask(3, 100)), [key(2, 2, 1)]);
}

#[test]
fn only_what_was_attempted_is_remembered_while_a_job_is_planned_again() {
    let (mut rig, keys) = Rig::copying((1..=9).map(|number| task(number, 1)).collect(), 3);
    rig.report(1, keys[0], failed(SourceNotFound));
    let remembered = &rig.machine.jobs[&job(1)].attempts;
    assert_eq!(remembered.len(), keys.len());
}

#[test]
fn a_report_before_the_plan_counts_once_and_from_its_grant_alone() {
    let (mut rig, keys) = planned_again();
    assert!(!accepted(&mut rig, 1, keys[1], 30) && refused(&rig).is_empty(), "a repeat");
    assert!(!accepted(&mut rig, 1, keys[3], 10) && refused(&rig).is_empty(), "it failed before");
    let forged = key(3, 9, 1);
    assert!(!accepted(&mut rig, 1, forged, 20) && refused(&rig) == [forged]);
    rig.report(1, forged, failed(Transient));
    assert_eq!(refused(&rig), [forged]);
    let mut fails = rig.clone();
    fails.report(1, keys[0], failed(Transient));
    assert_eq!(fails.beat(1, &keys[..1]), keys[..1], "a failure ends the grant");
    assert!(!accepted(&mut fails, 1, keys[0], 40) && refused(&fails).is_empty());
    assert!(accepted(&mut rig, 1, keys[0], 40));
    assert_eq!(rig.beat(1, &keys[..1]), keys[..1], "and so does a receipt");
}

#[test]
fn a_failure_after_its_lease_was_lost_says_nothing() {
    let (mut rig, keys) = planned_again();
    rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
    rig.register(1, vec![]);
    rig.report(1, keys[0], failed(TaskFailureKind::SourceDenied));
    assert!(refused(&rig).is_empty());
    assert!(rig.machine.jobs[&job(1)].denials.is_empty(), "nothing is held against it");
    assert!(accepted(&mut rig, 1, keys[0], 40), "its bytes count still");
}

#[test]
fn a_denial_before_the_plan_counts_against_the_worker() {
    let (mut rig, keys) = planned_again();
    rig.report(1, keys[0], failed(TaskFailureKind::SourceDenied));
    assert_eq!(rig.machine.jobs[&job(1)].denials[&worker(1)], 2, "with the object that is gone");
    rig.planned(1, vec![task(1, 40)]);
    assert_eq!(granted(&rig.ask(1, 100)), [], "it was denied the task");
    rig.register(2, vec![]);
    assert_eq!(granted(&rig.ask(2, 100)), [key(1, 2, 1)]);
}

#[test]
fn evidence_that_went_stale_is_void_before_the_plan_too() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 2), task(2, 1)], MIB);
    rig.done(1, keys[0], 2);
    rig.done(1, keys[1], 1);
    let outcome = PublishOutcome::Missing(vec![name(1)]);
    rig.step(Event::PublishEnded { job: job(1), outcome });
    let again = granted(&rig.ask(1, MIB));
    rig.report(1, again[0], failed(SourceNotFound));
    assert_eq!(rig.state(1), JobState::Planning);
    assert!(!accepted(&mut rig, 1, keys[0], 2));
    assert!(refused(&rig).is_empty(), "it was a grant of this worker's once");
    let to_come = key(1, 1, 2);
    assert!(!accepted(&mut rig, 1, to_come, 2) && refused(&rig) == [to_come]);
}

#[test]
fn a_lost_grant_is_void_once_its_objects_are_gone() {
    // The grant that worker 1 lost: of this epoch, or of an earlier one with any number.
    for lost in [key(1, 1, 2), key(1, 7, 1)] {
        let mut rig = restarted();
        if lost.epoch == Epoch(1) {
            rig.register(1, vec![lost]);
        } else {
            rig.register(1, vec![]);
            rig.wait(5_000);
            assert_eq!(granted(&rig.ask(1, 0)), [lost]);
        }
        rig.wait(32_500);
        rig.register(2, vec![]);
        let again = granted(&rig.ask(2, MIB));
        for &key in &again {
            rig.done(2, key, 1);
        }
        assert_eq!(rig.state(1), JobState::Publishing);
        let mut late = rig.clone();
        let outcome = PublishOutcome::Missing(vec![name(1)]);
        rig.step(Event::PublishEnded { job: job(1), outcome });
        rig.register(1, vec![]);
        assert!(!accepted(&mut rig, 1, lost, 1), "{lost:?}");
        assert!(refused(&rig).is_empty());
        late.register(1, vec![]);
        assert!(!accepted(&mut late, 1, lost, 1) && refused(&late).is_empty());
    }
}

#[test]
fn a_grant_that_failed_counts_again_when_it_is_announced_again() {
    let before_the_plan = {
        let mut rig = Rig::new();
        rig.submit(1, 1);
        rig.restart();
        rig
    };
    for mut rig in [restarted(), before_the_plan] {
        let first = key(1, 1, 1);
        rig.register(1, vec![first]);
        rig.report(1, first, failed(Transient));
        assert!(!accepted(&mut rig, 1, first, 1) && refused(&rig).is_empty(), "it failed");
        rig.register(1, vec![first]);
        assert_eq!(rig.beat(1, &[first]), []);
        assert!(accepted(&mut rig, 1, first, 1), "its process went on with it");
    }
}

#[test]
fn the_first_coordinator_waits_for_no_other_workers() {
    let mut rig = Rig::new();
    let (epoch, limits) = (Epoch(1), Limits::default());
    rig.machine = Machine::recover(epoch, limits, Moment(rig.now), [], &mut Vec::new());
    rig.register(1, vec![]);
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    let keys = granted(&rig.ask(1, MIB));
    rig.report(1, keys[0], failed(TaskFailureKind::SourceDenied));
    assert_eq!(rig.state(1), JobState::Failed);
}
