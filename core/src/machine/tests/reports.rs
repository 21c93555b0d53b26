//! Whose reports count: only a grant that this machine knows of, from the worker that got it.

use super::*;
use crate::limits::LEASE_TTL;

const LEASE_MS: u64 = LEASE_TTL.as_secs() * 1_000;

/// True when these actions make evidence durable.
fn counts(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Record(Fact::TaskDone { .. })))
}

/// A task that worker 1 lost and worker 2 holds as its second attempt.
fn taken_over() -> (Rig, GrantKey, GrantKey) {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1), task(2, 1)], 0);
    rig.wait(LEASE_MS / 2);
    rig.register(2, vec![]);
    rig.beat(2, &[]);
    rig.wait(LEASE_MS / 2 + 5_000);
    rig.register(1, vec![]);
    let again = granted(&rig.ask(2, 0));
    assert_eq!((keys[0], again[0]), (key(1, 1, 1), key(1, 2, 1)));
    (rig, keys[0], again[0])
}

#[test]
fn only_what_was_granted_to_its_reporter_counts() {
    let (rig, first, second) = taken_over();
    let other_task = key(2, 1, 1);
    for (by, reported, expected, what) in [
        (1, first, true, "its lease was lost, its bytes are there"),
        (2, second, true, "the current holder"),
        (2, first, false, "another worker's grant"),
        (1, second, false, "another worker's grant"),
        (1, key(1, 3, 1), false, "an attempt to come"),
        (1, key(1, 1, 2), false, "an epoch to come"),
        (2, key(1, 2, 0), false, "an earlier epoch's grant that nobody announced"),
        (1, other_task, false, "a task that nobody was granted"),
        (2, other_task, false, "a task that nobody was granted"),
        (1, key(9, 1, 1), false, "a task that no plan has"),
        (9, second, false, "an unknown worker"),
    ] {
        let mut rig = rig.clone();
        let actions = rig.done(by, reported, 1);
        assert_eq!(counts(&actions), expected, "{reported:?} by {by}: {what}");
        let refused = if expected || by == 9 { vec![] } else { vec![reported] };
        assert_eq!(rig.heard.last(), Some(&(by != 9, refused)), "{what}");
        rig.done(by, reported, 1);
        assert!(rig.heard.last().unwrap().1.is_empty() == (expected || by == 9), "{what}, again");
    }
}

#[test]
fn a_term_to_come_is_refused_whatever_became_of_the_task() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1), task(2, 1)], MIB);
    rig.done(1, keys[0], 1);
    let to_come = GrantKey { epoch: Epoch(2), ..keys[0] };
    rig.done(1, to_come, 1);
    assert_eq!(rig.heard.last(), Some(&(true, vec![to_come])));
    rig.done(1, keys[1], 1);
    assert_eq!(rig.state(1), JobState::Publishing);
    rig.done(1, to_come, 1);
    assert_eq!(rig.heard.last(), Some(&(true, vec![to_come])));
}

#[test]
fn failures_count_from_the_holder_alone_and_once() {
    let (rig, first, second) = taken_over();
    for (by, reported, expected, refused) in [
        (2, second, true, false),
        (1, first, false, false),
        (2, first, false, true),
        (1, second, false, true),
        (1, key(1, 9, 1), false, true),
    ] {
        let mut rig = rig.clone();
        for again in [false, true] {
            let actions = rig.report(by, reported, failed(TaskFailureKind::Transient));
            let is_fact = !actions.is_empty();
            assert_eq!(is_fact, expected && !again, "{reported:?} by {by}: {actions:?}");
            assert_eq!(rig.heard.last().unwrap().1.is_empty(), !refused, "{reported:?} by {by}");
        }
    }
}

#[test]
fn a_lost_worker_registers_before_it_is_heard() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], 0);
    rig.wait(LEASE_MS + 5_000);
    assert_eq!(rig.done(1, keys[0], 1), []);
    assert_eq!(rig.heard.last(), Some(&(false, vec![])));
    rig.register(1, keys.clone());
    assert!(counts(&rig.done(1, keys[0], 1)));
}

#[test]
fn a_forged_announcement_adopts_nothing() {
    let (rig, first, second) = taken_over();
    for (by, announced) in [
        (2, first),
        (1, second),
        (1, key(2, 1, 1)),
        (2, key(2, 7, 1)),
        (2, key(1, u32::MAX, 1)),
        (2, key(1, 1, 2)),
        (3, key(2, 1, 1)),
    ] {
        let mut rig = rig.clone();
        rig.register(by, vec![announced]);
        assert_eq!(rig.beat(by, &[announced]), [announced], "{announced:?} by {by}");
        assert!(!counts(&rig.done(by, announced, 1)), "{announced:?} by {by}");
    }
}

#[test]
fn numbers_that_cannot_be_do_no_harm() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 10), task(2, 10)], MIB);
    rig.restart();
    rig.planned(1, vec![task(1, 10), task(2, 10)]);
    let huge = |task| GrantKey { attempt: Attempt(u32::MAX), ..task };
    rig.register(1, keys.iter().map(|&task| huge(task)).collect());
    let held =
        keys.iter().map(|&task| HeldTask { key: huge(task), bytes_done: u64::MAX, bytes_read: 0 });
    let beat = Event::Heartbeat { worker: worker(1), held: held.collect() };
    rig.step(beat);
    let progress = rig.machine.job(job(1)).unwrap().progress;
    assert_eq!(progress.bytes_moving, 20, "no more than the tasks have");
    let object = receipt(u64::MAX).objects.remove(0);
    for task in &keys {
        let receipt = Receipt {
            objects: vec![object.clone()],
            bytes_read: u64::MAX,
            bytes_written: u64::MAX,
            requests: u32::MAX,
            ..receipt(0)
        };
        rig.report(1, huge(*task), TaskOutcome::Done(receipt));
    }
    assert_eq!(rig.state(1), JobState::Publishing);
    assert_eq!(rig.machine.job(job(1)).unwrap().progress.bytes_read, u64::MAX);
}

#[test]
fn after_a_restart_evidence_counts_once_its_grant_is_announced() {
    for planned_first in [false, true] {
        for (announced_by, reported_by, expected) in
            [(Some(1), 1, true), (Some(2), 1, false), (None, 1, false), (None, 9, false)]
        {
            let (mut rig, keys) = Rig::copying(vec![task(1, 1)], 0);
            rig.restart();
            if planned_first {
                rig.planned(1, vec![task(1, 1)]);
            }
            for number in [1, 2] {
                let held = if announced_by == Some(number) { keys.clone() } else { vec![] };
                rig.register(number, held);
            }
            let actions = rig.done(reported_by, keys[0], 1);
            let case = (planned_first, announced_by, reported_by);
            assert_eq!(counts(&actions), expected, "{case:?}");
        }
    }
}
