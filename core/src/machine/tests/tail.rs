//! Slow tasks are copied by a second worker, and the first of the two that is done ends it.

use super::*;
use crate::limits::{HEARTBEAT_INTERVAL, LEASE_TTL, TASK_RATE_MIN};
use crate::reason::Reason;
use TaskFailureKind::{SourceDenied, SourceNotFound, TargetConflict, Transient};

const BEAT_MS: u64 = HEARTBEAT_INTERVAL.as_secs() * 1_000;
/// Bytes of the first task.
const BYTES: u64 = 100 * MIB;
const FIRST: [u8; 1] = [1];

/// What a worker says of a task.
fn says(rig: &mut Rig, number: u128, key: GrantKey, bytes_done: u64) -> Vec<GrantKey> {
    let held = vec![HeldTask { key, bytes_done, bytes_read: 0 }];
    match &rig.step(Event::Heartbeat { worker: worker(number), held })[..] {
        [Action::Beat { abandon, known: true, .. }] => abandon.clone(),
        other => panic!("{other:?}"),
    }
}

/// Lets time pass while these workers live and move next to nothing.
fn wait_slow(rig: &mut Rig, ms: u64, held: &[(u128, Vec<GrantKey>)]) -> Vec<Action> {
    let mut actions = Vec::new();
    let until = rig.now + ms;
    loop {
        for (number, keys) in held {
            rig.beat(*number, keys);
        }
        if rig.now >= until {
            return actions;
        }
        actions.extend(rig.wait((until - rig.now).min(2_500)));
    }
}

/// Worker 1 holds a task and has moved nothing of it; workers 2 and 3 are idle.
fn stuck() -> (Rig, GrantKey) {
    let (mut rig, keys) = Rig::copying(vec![task(1, BYTES)], MIB);
    rig.register(2, vec![]);
    rig.register(3, vec![]);
    wait_slow(&mut rig, 2 * BEAT_MS + 1, &[(1, keys.clone()), (2, vec![]), (3, vec![])]);
    (rig, keys[0])
}

/// The same, and worker 2 has a copy.
fn copied() -> (Rig, GrantKey, GrantKey) {
    let (mut rig, first) = stuck();
    let copy = granted(&rig.ask(2, MIB));
    assert_eq!((first, &copy[..]), (key(1, 1, 1), &[key(1, 2, 1)][..]));
    (rig, first, copy[0])
}

fn numbers(actions: &[Action]) -> Vec<u8> {
    granted(actions).iter().map(|key| key.fingerprint.0[0]).collect()
}

fn losses_and_failures(rig: &Rig) -> (u32, u32) {
    let tasks = rig.machine.jobs[&job(1)].copying().unwrap();
    let attempts = &tasks.get(TaskIndex(0)).unwrap().attempts;
    (attempts.losses, attempts.failures)
}

#[test]
fn a_task_is_copied_once_its_holder_is_below_the_floor() {
    let floor = |seconds: u64| TASK_RATE_MIN * seconds;
    for (age_ms, bytes_done, expected) in [
        (2 * BEAT_MS, 0, &[][..]),
        (2 * BEAT_MS + 1, 0, &FIRST),
        (20_000, floor(20), &[]),
        (20_000, floor(20) - 1, &FIRST),
        (600_000, floor(600), &[]),
        (600_000, floor(600) - 1, &FIRST),
        // More than the task has: what it has counts.
        (20_000, u64::MAX, &[]),
    ] {
        let (mut rig, keys) = Rig::copying(vec![task(1, BYTES)], MIB);
        wait_slow(&mut rig, age_ms, &[(1, keys.clone())]);
        says(&mut rig, 1, keys[0], bytes_done);
        rig.register(2, vec![]);
        assert_eq!(numbers(&rig.ask(2, MIB)), expected, "{age_ms} ms, {bytes_done} bytes");
    }
}

/// A task waits at its worker behind others, and is no slower than they are.
#[test]
fn a_task_that_waits_at_a_worker_which_moves_others_is_not_slow() {
    for (moves, expected) in [(true, &[][..]), (false, &FIRST)] {
        let (mut rig, keys) = Rig::copying(vec![task(1, BYTES), task(2, BYTES)], 4 * BYTES);
        rig.register(2, vec![]);
        let mut bytes_done = 0;
        for _ in 0..12 {
            bytes_done += if moves { BEAT_MS / 1_000 * TASK_RATE_MIN } else { 0 };
            let held = [(keys[0], 0), (keys[1], bytes_done)];
            let held =
                held.map(|(key, bytes_done)| HeldTask { key, bytes_done, bytes_read: 0 }).to_vec();
            rig.step(Event::Heartbeat { worker: worker(1), held });
            rig.beat(2, &[]);
            rig.wait(BEAT_MS);
        }
        let copied = numbers(&rig.ask(2, MIB));
        assert_eq!(copied.first(), expected.first(), "{moves}: {copied:?}");
    }
}

/// Its time begins with its first bytes.
#[test]
fn a_task_that_waited_long_at_its_worker_is_judged_from_its_first_bytes_on() {
    let (mut rig, keys) = Rig::copying(vec![task(1, BYTES)], MIB);
    rig.register(2, vec![]);
    for _ in 0..12 {
        says(&mut rig, 1, keys[0], 0);
        rig.beat(2, &[]);
        rig.wait(BEAT_MS);
    }
    says(&mut rig, 1, keys[0], 1);
    assert_eq!(numbers(&rig.ask(2, MIB)), [], "it has just begun");
    assert_eq!(numbers(&wait_slow(&mut rig, 3 * BEAT_MS, &[(1, keys), (2, vec![])])), FIRST);
}

#[test]
fn a_worker_that_waits_is_given_the_copy_when_it_is_due() {
    let (mut rig, keys) = Rig::copying(vec![task(1, BYTES)], MIB);
    rig.register(2, vec![]);
    assert_eq!(rig.ask(2, MIB), []);
    let held = [(1, keys), (2, vec![])];
    assert_eq!(granted(&wait_slow(&mut rig, 2 * BEAT_MS, &held)), []);
    // At the next look.
    assert_eq!(numbers(&wait_slow(&mut rig, BEAT_MS / 2, &held)), FIRST);
}

#[test]
fn an_ordinary_task_of_small_objects_is_never_below_the_floor() {
    // One connection, and two requests of 80 ms for each of 256 objects.
    let (object, object_ms) = (4 << 10, 160);
    let (mut rig, keys) = Rig::copying(vec![task(1, 256 * object)], MIB);
    rig.register(2, vec![]);
    rig.ask(2, MIB);
    let begun = rig.now;
    while rig.now < begun + 256 * object_ms {
        assert_eq!(numbers(&rig.wait(BEAT_MS)), [], "at {} ms", rig.now - begun);
        let moved = (rig.now - begun) / object_ms * object;
        says(&mut rig, 1, keys[0], moved);
        rig.ask(2, MIB);
    }
}

#[test]
fn who_gets_a_copy() {
    type Case = (&'static str, u128, &'static [u8], fn(&mut Rig));
    let register = |rig: &mut Rig, readable: BTreeSet<ConnectionKey>| {
        let (worker, writable, held) = (worker(2), BTreeSet::from([route().target]), vec![]);
        rig.step(Event::WorkerRegistered { worker, readable, writable, held });
    };
    let cases: [Case; 8] = [
        ("an idle worker", 2, &FIRST, |_| {}),
        ("the holder itself", 1, &[], |_| {}),
        ("while another has one", 3, &[], |rig| assert_eq!(numbers(&rig.ask(2, MIB)), FIRST)),
        ("after another that left", 3, &FIRST, |rig| {
            rig.ask(2, MIB);
            rig.step(Event::WorkerLeft { worker: worker(2), returned: vec![] });
        }),
        ("who drains", 2, &[], |rig| {
            rig.step(Event::DrainRequested { worker: worker(2) });
        }),
        ("who was denied it", 2, &[], |rig| {
            let copy = granted(&rig.ask(2, MIB));
            rig.report(2, copy[0], failed(SourceDenied));
        }),
        ("what is ready comes first", 2, &[9], |rig| {
            rig.submit(2, 2);
            rig.planned(2, vec![task(9, 1)]);
        }),
        ("a job that ended", 2, &[], |rig| {
            rig.step(Event::CancelRequested { job: job(1) });
        }),
    ];
    for (case, by, expected, before) in cases {
        let (mut rig, _) = stuck();
        before(&mut rig);
        assert_eq!(numbers(&rig.ask(by, MIB)), expected, "{case}");
    }
    let (mut rig, _) = stuck();
    register(&mut rig, BTreeSet::new());
    assert_eq!(numbers(&rig.ask(2, MIB)), [], "who cannot read the source");
}

#[test]
fn a_worker_that_is_slow_itself_gets_no_copy() {
    let tasks = vec![task(1, BYTES), task(2, BYTES - 1)];
    let (mut rig, keys) = Rig::copying(tasks, MIB);
    rig.register(2, vec![]);
    let other = granted(&rig.ask(2, MIB));
    assert_eq!((keys.len(), other.len()), (1, 1));
    wait_slow(&mut rig, 3 * BEAT_MS, &[(1, keys.clone()), (2, other.clone())]);
    assert_eq!((rig.ask(1, MIB), rig.ask(2, MIB)), (vec![], vec![]));
    says(&mut rig, 2, other[0], BYTES / 2);
    assert_eq!(numbers(&rig.ask(2, MIB)), FIRST, "it moves its own");
}

#[test]
fn the_slowest_is_copied_first_and_one_a_worker() {
    let tasks = (1..=4).map(|number| task(number, BYTES)).collect();
    let (mut rig, keys) = Rig::copying(tasks, 4 * BYTES);
    assert_eq!(keys.len(), 4);
    wait_slow(&mut rig, 3 * BEAT_MS, &[(1, keys.clone())]);
    let moved = [90_000, 30_000, 60_000, BYTES];
    let held = keys.iter().zip(moved).map(|(&key, bytes_done)| HeldTask {
        key,
        bytes_done,
        bytes_read: 0,
    });
    rig.step(Event::Heartbeat { worker: worker(1), held: held.collect() });
    rig.register(2, vec![]);
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(numbers(&rig.ask(2, 4 * BYTES)));
    }
    assert_eq!(all, [vec![2], vec![3], vec![1], vec![]]);
}

#[test]
fn the_first_of_the_two_that_is_done_ends_the_task() {
    for holder_wins in [true, false] {
        for late in [
            TaskOutcome::Done(receipt(BYTES)),
            TaskOutcome::Done(Receipt::default()),
            failed(Transient),
            failed(TargetConflict),
            failed(SourceDenied),
        ] {
            let (mut rig, first, copy) = copied();
            let (winner, loser) =
                if holder_wins { ((1, first), (2, copy)) } else { ((2, copy), (1, first)) };
            let actions = rig.done(winner.0, winner.1, BYTES);
            assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }));
            assert_eq!(rig.beat(loser.0, &[loser.1]), [loser.1], "it is not wanted any more");
            assert_eq!(rig.report(loser.0, loser.1, late.clone()), []);
            assert_eq!(rig.heard.last(), Some(&(true, vec![])), "heard: {late:?}");
            let done = |number| rig.machine.worker(worker(number)).unwrap().tasks_done;
            assert_eq!((done(winner.0), done(loser.0)), (1, 0));
            // Nor does it count once the objects are copied again.
            let outcome = PublishOutcome::Missing(vec![name(1)]);
            rig.step(Event::PublishEnded { job: job(1), outcome });
            assert_eq!(rig.report(loser.0, loser.1, late), []);
            assert_eq!(rig.heard.last(), Some(&(true, vec![])));
            assert_eq!(rig.state(1), JobState::Copying);
        }
    }
}

#[test]
fn when_one_of_the_two_ends_otherwise_the_other_goes_on() {
    type End = fn(&mut Rig, u128, GrantKey);
    let ends: [(&str, (u32, u32), End); 5] = [
        ("failed", (0, 1), |rig, by, key| drop(rig.report(by, key, failed(Transient)))),
        ("denied", (0, 1), |rig, by, key| drop(rig.report(by, key, failed(SourceDenied)))),
        ("is gone", (0, 1), |rig, by, key| drop(rig.report(by, key, failed(SourceNotFound)))),
        ("left", (0, 0), |rig, by, _| {
            rig.step(Event::WorkerLeft { worker: worker(by), returned: vec![] });
        }),
        ("silent", (1, 0), |rig, by, key| {
            let other = if by == 1 { (2, vec![rig_copy()]) } else { (1, vec![rig_first()]) };
            assert_ne!(other.1, [key]);
            wait_slow(rig, LEASE_TTL.as_secs() * 1_000 + BEAT_MS, &[other]);
        }),
    ];
    for (how, expected, end) in ends {
        for by in [1, 2] {
            let (mut rig, first, copy) = copied();
            let (ended, other, left) = if by == 1 { (first, 2, copy) } else { (copy, 1, first) };
            end(&mut rig, by, ended);
            assert_eq!(rig.state(1), JobState::Copying, "{how}");
            assert_eq!(losses_and_failures(&rig), expected, "{how}");
            assert_eq!(rig.machine.job(job(1)).unwrap().progress.workers, 1, "{how}");
            assert_eq!(rig.beat(other, &[left]), [], "{how}");
            let actions = rig.done(other, left, BYTES);
            assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }), "{how}");
        }
    }
}

fn rig_first() -> GrantKey {
    key(1, 1, 1)
}

fn rig_copy() -> GrantKey {
    key(1, 2, 1)
}

#[test]
fn what_no_attempt_heals_fails_the_job_whoever_else_copies() {
    let (mut rig, first, copy) = copied();
    rig.report(2, copy, failed(TargetConflict));
    let view = rig.machine.job(job(1)).unwrap();
    let Some(End::Failed(failure)) = view.end else { panic!("{view:?}") };
    assert_eq!(failure.reason, Reason::TargetConflict);
    assert_eq!(rig.beat(1, &[first]), [first]);
}

#[test]
fn both_failures_count_and_the_last_one_pauses_the_task() {
    let (mut rig, first, copy) = copied();
    rig.report(2, copy, failed(Transient));
    assert_eq!(rig.ask(3, MIB), [], "no copy while the task would pause");
    rig.report(1, first, failed(Transient));
    assert_eq!(losses_and_failures(&rig), (0, 2));
    assert_eq!(rig.machine.job(job(1)).unwrap().progress.workers, 0);
    assert_eq!(granted(&rig.wait(20_000)), [key(1, 3, 1)]);
}

#[test]
fn a_copy_that_failed_is_followed_by_another_after_a_pause() {
    let (mut rig, first, copy) = copied();
    rig.report(2, copy, failed(Transient));
    rig.ask(3, MIB);
    let held = [(1, vec![first]), (2, vec![]), (3, vec![])];
    assert_eq!(granted(&wait_slow(&mut rig, 2 * BEAT_MS, &held)), []);
    assert_eq!(granted(&wait_slow(&mut rig, BEAT_MS, &held)), [key(1, 3, 1)]);
}

#[test]
fn a_denial_is_not_believed_while_the_other_one_may_be_done() {
    // The holder drains: no other worker takes the route.
    let (mut rig, first, copy) = copied();
    rig.step(Event::WorkerLeft { worker: worker(3), returned: vec![] });
    rig.step(Event::DrainRequested { worker: worker(1) });
    rig.report(2, copy, failed(SourceDenied));
    assert_eq!(rig.state(1), JobState::Copying);
    let mut fails = rig.clone();
    rig.done(1, first, BYTES);
    assert_eq!(rig.state(1), JobState::Publishing);
    fails.report(1, first, failed(SourceDenied));
    assert_eq!(fails.state(1), JobState::Failed);
}

#[test]
fn two_leases_are_two_grants_and_one_task() {
    let (mut rig, first, copy) = copied();
    says(&mut rig, 1, first, 7 * MIB);
    says(&mut rig, 2, copy, 3 * MIB);
    let progress = rig.machine.job(job(1)).unwrap().progress;
    assert_eq!((progress.bytes_moving, progress.workers), (7 * MIB, 2));
    assert_eq!((progress.attempts, progress.tasks_total), (2, 1));
    let held = |number| rig.machine.worker(worker(number)).unwrap().tasks_held;
    assert_eq!([1, 2, 3].map(held), [1, 1, 0]);
    // Both are in flight: the job with fewer bytes comes first.
    rig.submit(2, 2);
    rig.submit(3, 3);
    rig.planned(2, vec![task(7, BYTES * 3 / 2), task(8, 1)]);
    assert_eq!(numbers(&rig.ask(3, MIB)), [7]);
    rig.planned(3, vec![task(9, 1)]);
    rig.step(Event::CancelRequested { job: job(3) });
    assert_eq!(rig.machine.jobs[&job(1)].copying().unwrap().leased_bytes, 2 * BYTES);
}

#[test]
fn both_go_on_while_the_job_is_planned_again() {
    let tasks = || vec![task(1, BYTES), task(2, 1)];
    let (mut rig, keys) = Rig::copying(tasks(), 2 * BYTES);
    rig.register(2, vec![]);
    wait_slow(&mut rig, 3 * BEAT_MS, &[(1, keys.clone())]);
    let copies = [granted(&rig.ask(2, MIB)), granted(&rig.ask(2, MIB))].concat();
    assert_eq!(copies, [key(1, 2, 1), key(2, 2, 1)]);
    rig.report(1, keys[1], failed(SourceNotFound));
    rig.report(2, copies[1], failed(SourceNotFound));
    assert_eq!(rig.state(1), JobState::Planning);
    for (how, ends) in [
        ("nothing ends", &(|_: &mut Rig| {}) as &dyn Fn(&mut Rig)),
        ("one fails", &|rig| drop(rig.report(2, copies[0], failed(Transient)))),
        ("one leaves", &|rig| {
            rig.step(Event::WorkerLeft { worker: worker(2), returned: vec![] });
        }),
    ] {
        let mut rig = rig.clone();
        assert_eq!((rig.beat(1, &keys[..1]), rig.beat(2, &copies[..1])), (vec![], vec![]));
        ends(&mut rig);
        assert_eq!(rig.beat(1, &keys[..1]), [], "{how}");
        rig.planned(1, tasks());
        let workers = if how == "nothing ends" { 2 } else { 1 };
        assert_eq!(rig.machine.job(job(1)).unwrap().progress.workers, workers, "{how}");
    }
    rig.done(2, copies[0], BYTES);
    assert_eq!(rig.beat(1, &keys[..1]), keys[..1], "done is done");
}

#[test]
fn both_go_on_after_a_restart_whoever_is_back_first() {
    for order in [[1, 2], [2, 1]] {
        for is_planned in [false, true] {
            let (mut rig, first, copy) = copied();
            let held = |number| if number == 1 { first } else { copy };
            rig.restart();
            if is_planned {
                rig.planned(1, vec![task(1, BYTES)]);
            }
            for number in order {
                rig.register(number, vec![held(number)]);
            }
            if !is_planned {
                rig.planned(1, vec![task(1, BYTES)]);
            }
            for number in order {
                assert_eq!(rig.beat(number, &[held(number)]), [], "{order:?} {is_planned}");
            }
            rig.register(3, vec![]);
            rig.ask(3, MIB);
            let beats = [(1, vec![first]), (2, vec![copy]), (3, vec![])];
            assert_eq!(granted(&wait_slow(&mut rig, 4 * BEAT_MS, &beats)), [], "two are enough");
            rig.done(2, copy, BYTES);
            assert_eq!(rig.state(1), JobState::Publishing);
        }
    }
}

#[test]
fn a_driver_that_stood_still_makes_no_task_slow() {
    let (mut rig, keys) = Rig::copying(vec![task(1, BYTES)], MIB);
    rig.register(2, vec![]);
    rig.ask(2, MIB);
    rig.now += 100 * BEAT_MS;
    rig.beat(1, &keys);
    rig.beat(2, &[]);
    assert_eq!(granted(&rig.ask(2, MIB)), []);
    assert_eq!(numbers(&wait_slow(&mut rig, 3 * BEAT_MS, &[(1, keys), (2, vec![])])), FIRST);
}

#[test]
fn one_stuck_worker_does_not_hold_up_a_job_that_another_can_do() {
    let tasks = (1..=8).map(|number| task(number, MIB)).collect();
    let (mut rig, stuck) = Rig::copying(tasks, 4 * MIB);
    rig.register(2, vec![]);
    let begun = rig.now;
    while rig.state(1) == JobState::Copying {
        assert!(rig.now < begun + 4 * BEAT_MS, "the job stands still");
        for key in granted(&rig.ask(2, 8 * MIB)) {
            rig.done(2, key, MIB);
        }
        rig.beat(1, &stuck);
        rig.beat(2, &[]);
        rig.wait(500);
    }
    assert_eq!(rig.beat(1, &stuck), stuck);
}

#[test]
fn a_pause_after_a_failure_ends_at_its_time() {
    let (mut rig, _, copy) = copied();
    rig.report(2, copy, failed(Transient));
    let tasks = rig.machine.jobs[&job(1)].copying().unwrap();
    let (_, until) = tasks.get(TaskIndex(0)).unwrap().attempts.avoid.unwrap();
    for (now, expected) in [(until.0 - 1, &[][..]), (until.0, &FIRST)] {
        let mut rig = rig.clone();
        rig.now = now;
        assert_eq!(numbers(&rig.ask(3, MIB)), expected, "{now}");
    }
}
