//! Messages that come late, twice, or from nobody: an arm for each, and nothing changes.

use super::*;
use crate::failure::Failure;
use crate::reason::Reason;
use TaskFailureKind::{SourceDenied, SourceNotFound, TargetDenied, Transient};

fn failure() -> Failure {
    Failure::new(Reason::TargetDiverged, "no")
}

/// Every way in which an effect can end.
fn effects() -> Vec<Event> {
    let (job, source_version, replica_version) = (job(1), 5, 2);
    let ends = [
        PublishOutcome::Published { version: 3 },
        PublishOutcome::Rebase,
        PublishOutcome::Missing(vec![name(1)]),
        PublishOutcome::Failed(failure()),
    ];
    let publish = ends.map(|outcome| Event::PublishEnded { job, outcome });
    let plan = [
        Event::Planned { job, plan: plan(vec![task(1, 1)]) },
        Event::UpToDate { job, source_version, replica_version },
        Event::PlanFailed { job, failure: failure() },
    ];
    plan.into_iter().chain(publish).collect()
}

#[test]
fn an_effect_changes_only_the_state_that_awaits_it() {
    use JobState::{Copying, Failed, Planning, Publishing, Queued, Succeeded};
    let planning = {
        let mut rig = Rig::new();
        rig.register(1, vec![]);
        rig.submit(1, 1);
        rig
    };
    let copying = Rig::copying(vec![task(1, 1)], MIB).0;
    let publishing = {
        let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
        rig.done(1, keys[0], 1);
        rig
    };
    let queued = {
        let mut rig = Rig::new();
        rig.submit(2, 1);
        rig.submit(1, 1);
        rig
    };
    let ended = {
        let mut rig = copying.clone();
        rig.step(Event::CancelRequested { job: job(1) });
        rig
    };
    for (rig, expected) in [
        (queued, [Queued; 7]),
        // Published before it was planned: no effect of this machine's may say so.
        (planning, [Copying, Succeeded, Failed, Failed, Planning, Planning, Planning]),
        (copying, [Copying; 7]),
        (publishing, [Publishing, Publishing, Publishing, Succeeded, Planning, Copying, Failed]),
        (ended, [JobState::Cancelled; 7]),
    ] {
        let was = rig.state(1);
        for (event, expected) in effects().into_iter().zip(expected) {
            let mut rig = rig.clone();
            let actions = rig.step(event.clone());
            assert_eq!(rig.state(1), expected, "{was:?} {event:?}");
            assert!(was != expected || actions.is_empty(), "{was:?} {event:?}: {actions:?}");
        }
    }
}

#[test]
fn a_plan_that_fails_ends_its_job_with_its_reason() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.submit(2, 1);
    rig.step(Event::PlanFailed { job: job(1), failure: failure() });
    let view = rig.machine.job(job(1)).unwrap();
    assert_eq!(view.end, Some(&End::Failed(failure())));
    assert_eq!(rig.state(2), JobState::Planning, "the next one goes on");
}

#[test]
fn what_is_said_of_a_job_that_nobody_knows_changes_nothing() {
    let mut rig = Rig::new();
    for event in effects().into_iter().chain([Event::CancelRequested { job: job(1) }]) {
        assert_eq!(rig.step(event), []);
    }
    let views: Vec<JobId> = rig.machine.jobs().map(|view| view.job).collect();
    assert_eq!((views, rig.machine.job_state(job(1))), (vec![], None));
}

#[test]
fn objects_that_vanish_again_and_again_fail_the_job() {
    let (mut rig, mut keys) = Rig::copying(vec![task(1, 1)], MIB);
    for _ in 0..Limits::default().rebases_max {
        rig.done(1, keys[0], 1);
        assert_eq!(rig.state(1), JobState::Publishing);
        let outcome = PublishOutcome::Missing(vec![name(9), name(1)]);
        rig.step(Event::PublishEnded { job: job(1), outcome });
        assert_eq!(rig.state(1), JobState::Copying);
        keys = granted(&rig.ask(1, MIB));
    }
    rig.done(1, keys[0], 1);
    let outcome = PublishOutcome::Missing(vec![name(1)]);
    rig.step(Event::PublishEnded { job: job(1), outcome });
    let view = rig.machine.job(job(1)).unwrap();
    let Some(End::Failed(failure)) = view.end else { panic!("{view:?}") };
    assert_eq!(failure.reason, Reason::StorageUnavailable);
}

#[test]
fn a_cancel_after_a_lost_race_needs_no_plan() {
    for outcome in [PublishOutcome::Rebase, PublishOutcome::Missing(vec![name(1)])] {
        let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
        rig.done(1, keys[0], 1);
        rig.step(Event::PublishEnded { job: job(1), outcome });
        rig.step(Event::CancelRequested { job: job(1) });
        assert_eq!(rig.state(1), JobState::Cancelled, "nothing of it is in the log");
    }
}

#[test]
fn a_lease_is_extended_by_its_holder_alone() {
    let held = |keys: &[GrantKey]| keys[..1].to_vec();
    for planned_again in [false, true] {
        let (mut rig, keys) = Rig::copying(vec![task(1, 2), task(2, 1)], MIB);
        rig.register(2, vec![]);
        if planned_again {
            rig.report(1, keys[1], failed(Transient));
            rig.report(1, keys[1], failed(SourceNotFound));
        }
        for _ in 0..2 {
            rig.wait(15_000);
            assert_eq!(rig.beat(1, &[]), []);
            assert_eq!(rig.beat(2, &held(&keys)), held(&keys), "it is another worker's");
        }
        assert_eq!(rig.machine.worker(worker(1)).unwrap().tasks_held, 0, "it ended");
        assert_eq!(rig.beat(1, &held(&keys)), held(&keys));
    }
}

#[test]
fn a_grant_that_waits_for_a_plan_is_extended_by_its_holder_alone() {
    for (by, tasks_held) in [(1, 1), (2, 0)] {
        let (mut rig, keys) = Rig::copying(vec![task(1, 2), task(2, 1)], MIB);
        // Worker 2 comes too late to look for the object, too.
        rig.report(1, keys[1], failed(SourceNotFound));
        assert_eq!(rig.state(1), JobState::Planning);
        rig.register(2, vec![]);
        for _ in 0..3 {
            rig.wait(15_000);
            let abandoned = rig.beat(by, &keys[..1]);
            assert_eq!(abandoned.is_empty(), by == 1, "{abandoned:?}");
            rig.beat(3 - by, &[]);
        }
        rig.planned(1, vec![task(1, 2)]);
        assert_eq!(rig.machine.worker(worker(1)).unwrap().tasks_held, tasks_held, "by {by}");
        let moving = rig.machine.job(job(1)).unwrap().progress.bytes_moving;
        assert_eq!(moving, u64::from(tasks_held), "what the holder told");
    }
}

#[test]
fn workers_are_bounded_and_the_one_that_was_lost_first_gives_way() {
    let mut rig = Rig::with(Limits { workers_max: 2, ..Limits::default() });
    rig.register(1, vec![]);
    rig.wait(10_000);
    rig.register(2, vec![]);
    rig.register(3, vec![]);
    let known =
        |rig: &Rig| -> Vec<WorkerId> { rig.machine.workers().map(|view| view.worker).collect() };
    assert_eq!(known(&rig), [worker(1), worker(2)], "both live");
    let beat = rig.step(Event::Heartbeat { worker: worker(3), held: vec![] });
    assert!(matches!(beat[..], [Action::Beat { known: false, .. }]), "{beat:?}");
    rig.wait(60_000);
    rig.register(3, vec![]);
    assert_eq!(known(&rig), [worker(2), worker(3)]);
    rig.register(2, vec![]);
    assert_eq!(known(&rig), [worker(2), worker(3)], "one that is known needs no room");
}

#[test]
fn a_worker_that_came_back_starts_anew() {
    let mut rig = Rig::with(Limits { grant_tasks_max: 1, ..Limits::default() });
    rig.submit(1, 1);
    rig.planned(1, (1..=9).map(|number| task(number, 1)).collect());
    rig.register(1, vec![]);
    rig.register(2, vec![]);
    while let [key] = granted(&rig.ask(1, MIB))[..] {
        rig.report(1, key, failed(TargetDenied));
    }
    assert_eq!(granted(&rig.ask(1, MIB)), [], "held back");
    rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
    rig.register(1, vec![]);
    assert_eq!(granted(&rig.ask(1, MIB)).len(), 1, "what it could not reach left with it");
}

#[test]
fn evidence_before_the_plan_is_bounded() {
    let mut rig = Rig::with(Limits { tasks_max: 2, ..Limits::default() });
    rig.submit(1, 1);
    rig.restart();
    let keys = [key(1, 1, 1), key(2, 1, 1), key(3, 1, 1)];
    for (number, &key) in (1..).zip(&keys) {
        rig.register(number, vec![key]);
        rig.done(number, key, 1);
    }
    let done = rig.facts.iter().filter(|fact| matches!(fact, Fact::TaskDone { .. })).count();
    assert_eq!(done, 2, "no more than a plan may have tasks");
    assert_eq!(rig.heard.last(), Some(&(true, vec![])));
}

#[test]
fn announcements_before_the_plan_are_bounded() {
    let mut rig = Rig::with(Limits { tasks_max: 1, ..Limits::default() });
    rig.submit(1, 1);
    rig.restart();
    rig.register(1, vec![key(1, 1, 1), key(2, 1, 1)]);
    let (first, second) = (key(1, 1, 1), key(2, 1, 1));
    assert_eq!(rig.beat(1, &[first, second]), [second]);
    rig.register(2, vec![key(1, 2, 1)]);
    rig.done(2, key(1, 2, 1), 1);
    assert_eq!(rig.heard.last(), Some(&(true, vec![])), "an entry that is there needs no room");
}

#[test]
fn a_void_grant_counts_for_nothing_whatever_its_epoch() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.restart();
    rig.register(1, keys.clone());
    rig.planned(1, vec![task(1, 1)]);
    rig.done(1, keys[0], 1);
    assert_eq!(rig.state(1), JobState::Publishing);
    rig.wait(5_000);
    rig.beat(1, &[]);
    // Granted in this epoch, lost, and granted again, before its objects turn out to be gone.
    let missing = |rig: &mut Rig| {
        let outcome = PublishOutcome::Missing(vec![name(1)]);
        rig.step(Event::PublishEnded { job: job(1), outcome });
    };
    missing(&mut rig);
    let again = granted(&rig.ask(1, MIB));
    assert_eq!(again, [key(1, 1, 2)]);
    rig.done(1, again[0], 1);
    missing(&mut rig);
    for void in [keys[0], again[0]] {
        let facts = rig.facts.len();
        rig.done(1, void, 1);
        assert_eq!(rig.facts.len(), facts, "{void:?}");
        rig.register(1, vec![void]);
        assert_eq!(rig.beat(1, &[void]).is_empty(), void.epoch == Epoch(1), "{void:?}");
        rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
        rig.register(1, vec![]);
    }
    let third = granted(&rig.ask(1, MIB));
    rig.done(1, third[0], 1);
    assert_eq!(rig.state(1), JobState::Publishing);
}

#[test]
fn two_that_are_denied_are_no_proof_while_a_third_can_be_asked() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.register(2, vec![]);
    rig.register(3, vec![]);
    rig.report(1, keys[0], failed(SourceDenied));
    let again = granted(&rig.ask(2, MIB));
    rig.report(2, again[0], failed(SourceDenied));
    assert_eq!(rig.state(1), JobState::Copying);
    let third = granted(&rig.ask(3, MIB));
    rig.done(3, third[0], 1);
    assert_eq!(rig.state(1), JobState::Publishing);
}
