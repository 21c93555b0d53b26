//! Workers that cannot reach a store: another is asked first, and the offender set aside.

use super::*;
use crate::reason::Reason;
use TaskFailureKind::{SourceDenied, SourceNotFound, TargetDenied};

/// Workers 1 to `workers`, and a job whose tasks worker 1 holds.
fn held(workers: u128, tasks: u8) -> (Rig, Vec<GrantKey>) {
    let mut rig = Rig::with(Limits { grant_tasks_max: 64, ..Limits::default() });
    rig.register(1, vec![]);
    rig.submit(1, 1);
    rig.planned(1, (1..=tasks).map(|number| task(number, 1)).collect());
    let keys = granted(&rig.ask(1, MIB));
    assert_eq!(keys.len(), tasks as usize);
    for number in 2..=workers {
        rig.register(number, vec![]);
    }
    (rig, keys)
}

fn failure(rig: &Rig) -> Option<Reason> {
    match rig.machine.job(job(1)).unwrap().end {
        Some(End::Failed(failure)) => Some(failure.reason),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

/// Grants everything that a worker can get now.
fn take_all(rig: &mut Rig, number: u128) -> Vec<GrantKey> {
    let mut keys = Vec::new();
    loop {
        let more = granted(&rig.ask(number, MIB));
        if more.is_empty() {
            return keys;
        }
        keys.extend(more);
    }
}

fn set_aside(rig: &Rig, number: u128) -> Vec<ConnectionKey> {
    rig.machine.worker(worker(number)).unwrap().set_aside.keys().copied().collect()
}

/// Lets time pass while these workers send heartbeats.
fn wait_alive(rig: &mut Rig, ms: u64, workers: &[u128]) -> Vec<Action> {
    let mut actions = Vec::new();
    for _ in 0..ms / 1_000 {
        actions.extend(rig.wait(1_000));
        for &number in workers {
            rig.beat(number, &[]);
        }
    }
    actions
}

#[test]
fn a_denied_task_goes_to_every_other_worker_before_its_job_fails() {
    for kind in [SourceDenied, TargetDenied] {
        let (mut rig, keys) = held(3, 1);
        let mut key = keys[0];
        for number in 1..=3 {
            assert_eq!(failure(&rig), None, "{kind:?}, before {number} said so");
            rig.report(number, key, failed(kind));
            assert_eq!(granted(&rig.ask(number, MIB)), [], "not to the one that was denied");
            if number < 3 {
                key = granted(&rig.ask(number + 1, MIB))[0];
            }
        }
        assert_eq!(failure(&rig), Some(Reason::PermissionDenied));
    }
    let (mut rig, keys) = held(1, 1);
    rig.report(1, keys[0], failed(SourceDenied));
    assert_eq!(failure(&rig), Some(Reason::PermissionDenied), "nobody else could be asked");
}

#[test]
fn only_a_worker_that_fits_is_waited_for() {
    let (mut rig, keys) = held(1, 1);
    let (worker, held) = (worker(2), vec![]);
    let readable = BTreeSet::from([route().source]);
    rig.step(Event::WorkerRegistered { worker, readable, writable: BTreeSet::new(), held });
    rig.report(1, keys[0], failed(SourceDenied));
    assert_eq!(failure(&rig), Some(Reason::PermissionDenied));
}

#[test]
fn what_was_said_is_believed_when_the_last_other_worker_goes() {
    for lost in [false, true] {
        let (mut rig, keys) = held(2, 1);
        rig.report(1, keys[0], failed(TargetDenied));
        assert_eq!(failure(&rig), None);
        if !lost {
            rig.step(Event::WorkerLeft { worker: worker(2), returned: vec![] });
        }
        wait_alive(&mut rig, 40_000, &[1]);
        assert_eq!(failure(&rig), Some(Reason::PermissionDenied), "lost: {lost}");
    }
}

#[test]
fn a_worker_is_set_aside_when_others_do_what_it_cannot() {
    for (kind, connection) in [
        (SourceDenied, route().source),
        (SourceNotFound, route().source),
        (TargetDenied, route().target),
    ] {
        let (mut rig, keys) = held(2, 4);
        for key in &keys[..3] {
            rig.report(1, *key, failed(kind));
        }
        assert_eq!(set_aside(&rig, 1), [], "denials alone prove nothing");
        let again = take_all(&mut rig, 2);
        assert_eq!(again.len(), 3);
        rig.done(2, again[0], 1);
        assert_eq!(set_aside(&rig, 1), [connection], "{kind:?}");
        let view = rig.machine.worker(worker(1)).unwrap();
        assert_eq!(view.set_aside[&connection].reason, "`a.parquet`");
        assert_eq!(view.state, WorkerState::Active);

        // Other jobs of the connection do not go there either, until it had its time.
        rig.submit(2, 2);
        rig.planned(2, vec![task(9, 1)]);
        assert_eq!(granted(&rig.ask(1, MIB)), []);
        let aside_ms = Limits::default().worker_aside.as_secs() * 1_000;
        wait_alive(&mut rig, aside_ms - 10_000, &[1, 2]);
        assert_eq!(set_aside(&rig, 1), [connection]);
        wait_alive(&mut rig, 15_000, &[1, 2]);
        assert_eq!(set_aside(&rig, 1), []);
        assert_eq!(granted(&rig.ask(1, MIB)).len(), 1, "it is trusted again");
    }
}

#[test]
fn a_success_clears_a_worker() {
    let (mut rig, keys) = held(2, 4);
    rig.report(1, keys[0], failed(SourceDenied));
    rig.report(1, keys[1], failed(SourceDenied));
    rig.done(1, keys[3], 1);
    rig.report(1, keys[2], failed(SourceDenied));
    for key in take_all(&mut rig, 2) {
        rig.done(2, key, 1);
    }
    assert_eq!(set_aside(&rig, 1), []);
    assert_eq!(rig.state(1), JobState::Publishing);
}

#[test]
fn what_nobody_can_reach_sets_nobody_aside() {
    let (mut rig, mut keys) = held(3, 3);
    for number in 1..=3 {
        for key in keys.drain(..) {
            rig.report(number, key, failed(SourceDenied));
        }
        keys = take_all(&mut rig, number + 1);
    }
    assert_eq!(failure(&rig), Some(Reason::PermissionDenied));
    for number in 1..=3 {
        assert_eq!(set_aside(&rig, number), [], "worker {number}");
    }
}

#[test]
fn a_worker_that_is_denied_again_and_again_gets_no_more_of_the_job() {
    let mut rig = Rig::with(Limits { grant_tasks_max: 1, ..Limits::default() });
    rig.submit(1, 1);
    rig.planned(1, (1..=9).map(|number| task(number, 1)).collect());
    rig.register(1, vec![]);
    rig.register(2, vec![]);
    let mut denied = 0;
    while let [key] = granted(&rig.ask(1, MIB))[..] {
        rig.report(1, key, failed(TargetDenied));
        denied += 1;
    }
    assert_eq!(denied, Limits::default().worker_denials_max);
    rig.step(Event::WorkerLeft { worker: worker(2), returned: vec![] });
    let last = granted(&[rig.ask(1, MIB), rig.wait(3_000)].concat());
    assert!(last.len() == 1 || failure(&rig).is_some(), "nobody else can go on");
}

/// Worker 1 was denied one task and goes on with others; worker 2 is held back for what was planned
/// around. What is left is for the second alone.
#[test]
fn a_worker_that_is_held_back_gets_what_the_others_were_denied() {
    let mut rig = Rig::with(Limits { grant_tasks_max: 1, ..Limits::default() });
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1), task(2, 9), task(3, 9), task(4, 9)]);
    rig.register(1, vec![]);
    rig.register(2, vec![]);
    let gone: Vec<_> = (0..3).map(|_| granted(&rig.ask(2, MIB))[0]).collect();
    let left = granted(&rig.ask(1, MIB))[0];
    rig.report(1, left, failed(SourceNotFound));
    for key in &gone {
        rig.report(2, *key, failed(SourceNotFound));
    }
    let agreed = granted(&rig.ask(1, MIB))[0];
    rig.report(1, agreed, failed(SourceNotFound));
    assert_eq!(rig.state(1), JobState::Planning, "two did not find it");
    rig.planned(1, vec![task(1, 1), task(5, 9), task(6, 9)]);
    let last = granted(&rig.ask(2, MIB));
    assert_eq!(last.len(), 1, "the task that the first was denied");
    assert_eq!(last[0].fingerprint, left.fingerprint, "and no other");
    assert_eq!(granted(&rig.ask(2, MIB)), []);
    for key in take_all(&mut rig, 1) {
        rig.done(1, key, 9);
    }
    rig.done(2, last[0], 1);
    assert_eq!(rig.state(1), JobState::Publishing);
}
