//! What is due when, to the millisecond. A tick comes every half heartbeat after the first worker
//! registered at 1,000 ms: at 3,500 ms, and at each multiple of 2,500 ms from there.

use super::*;
use crate::limits::{LEASE_TTL, NO_WORKERS_WAIT, WORKER_ASIDE};
use TaskFailureKind::{SourceDenied, SourceNotFound};

const LEASE_MS: u64 = LEASE_TTL.as_secs() * 1_000;
const BEAT_MS: u64 = 5_000;

fn worker_state(rig: &Rig, number: u128) -> WorkerState {
    rig.machine.worker(worker(number)).unwrap().state
}

fn tasks_held(rig: &Rig, number: u128) -> u32 {
    rig.machine.worker(worker(number)).unwrap().tasks_held
}

#[test]
fn a_lease_ends_at_its_moment_when_its_holder_does_not_name_it() {
    let (mut rig, _) = Rig::copying(vec![task(1, 1)], MIB);
    rig.wait(LEASE_MS / 2);
    rig.beat(1, &[]);
    rig.wait(LEASE_MS / 2 - 1);
    assert_eq!(tasks_held(&rig, 1), 1);
    rig.wait(1);
    assert_eq!((tasks_held(&rig, 1), worker_state(&rig, 1)), (0, WorkerState::Active));
}

#[test]
fn a_lease_that_waits_for_a_plan_ends_at_its_moment() {
    for (early_ms, held) in [(1, 1), (0, 0)] {
        let (mut rig, keys) = Rig::copying(vec![task(1, 40), task(2, 30)], MIB);
        rig.report(1, keys[1], failed(SourceNotFound));
        rig.wait(LEASE_MS / 2);
        rig.beat(1, &[]);
        rig.wait(LEASE_MS / 2 - early_ms);
        rig.planned(1, vec![task(1, 40)]);
        assert_eq!(tasks_held(&rig, 1), held, "{early_ms} ms early");
        rig.done(1, keys[0], 40);
        assert_eq!(rig.state(1), JobState::Publishing, "late or not, it was its grant");
    }
}

#[test]
fn a_lease_that_ends_before_the_plan_is_remembered() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 40), task(2, 30)], MIB);
    // No tick sees the lease alive while the job is planned.
    rig.wait(LEASE_MS - 2_000);
    rig.report(1, keys[1], failed(SourceNotFound));
    rig.wait(2_000);
    rig.planned(1, vec![task(1, 40)]);
    assert_eq!(tasks_held(&rig, 1), 0);
    rig.done(1, keys[0], 40);
    assert_eq!(rig.state(1), JobState::Publishing, "late, but its grant");
}

#[test]
fn a_worker_is_lost_at_the_end_of_a_lease_without_a_message() {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.wait(LEASE_MS - 1);
    assert_eq!(worker_state(&rig, 1), WorkerState::Active);
    rig.wait(1);
    assert_eq!(worker_state(&rig, 1), WorkerState::Lost);
}

#[test]
fn a_worker_is_set_aside_for_its_time() {
    let (mut rig, keys) = Rig::copying((1..=3).map(|number| task(number, 1)).collect(), MIB);
    rig.register(2, vec![]);
    for key in &keys {
        rig.report(1, *key, failed(SourceDenied));
    }
    let again = granted(&rig.ask(2, MIB));
    rig.done(2, again[0], 1);
    let is_aside = |rig: &Rig| !rig.machine.worker(worker(1)).unwrap().set_aside.is_empty();
    let aside_ms = WORKER_ASIDE.as_secs() * 1_000;
    for _ in 0..aside_ms / BEAT_MS - 1 {
        rig.wait(BEAT_MS);
        rig.beat(1, &[]);
        rig.beat(2, &again);
    }
    rig.wait(BEAT_MS - 1);
    assert!(is_aside(&rig));
    rig.wait(1);
    assert!(!is_aside(&rig));
}

#[test]
fn a_job_waits_for_workers_for_its_time() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    // The first tick sees that nobody takes it.
    rig.wait(2_500 + NO_WORKERS_WAIT.as_secs() * 1_000 - 1);
    assert_eq!(rig.state(1), JobState::WaitingForWorkers);
    rig.wait(1);
    assert_eq!(rig.state(1), JobState::Failed);
}

#[test]
fn a_gap_of_one_heartbeat_is_no_stall_and_a_longer_one_is_forgiven() {
    for (gap_ms, lost) in [(BEAT_MS, WorkerState::Lost), (BEAT_MS + 1, WorkerState::Active)] {
        let mut rig = Rig::new();
        rig.register(1, vec![]);
        for _ in 0..LEASE_MS / BEAT_MS {
            rig.now += gap_ms;
            rig.step(Event::DeadlineReached);
        }
        assert_eq!(worker_state(&rig, 1), lost, "gaps of {gap_ms} ms");
    }
}

#[test]
fn a_wait_without_a_tick_is_no_stall() {
    let (mut rig, _) = Rig::copying(vec![task(1, 1)], MIB);
    rig.restart();
    // Nothing is awaited but the end of the recovery: no tick tells of a stall.
    rig.now += 4 * BEAT_MS;
    rig.register(1, vec![]);
    rig.planned(1, vec![task(1, 1)]);
    rig.step(Event::DeadlineReached);
    assert_eq!(granted(&rig.ask(1, MIB)), [key(1, 1, 2)], "the recovery is over");
    rig.report(1, key(1, 1, 2), failed(SourceDenied));
    assert_eq!(rig.state(1), JobState::Failed, "and denials are believed");
}

#[test]
fn denials_are_believed_once_other_workers_could_come_back() {
    let (mut rig, _) = Rig::copying(vec![task(1, 1)], MIB);
    rig.restart();
    rig.planned(1, vec![task(1, 1)]);
    rig.register(1, vec![]);
    rig.wait(BEAT_MS);
    let keys = granted(&rig.ask(1, MIB));
    rig.report(1, keys[0], failed(SourceDenied));
    assert_eq!(rig.state(1), JobState::Copying, "the only one so far");
    rig.wait(BEAT_MS - 1);
    rig.beat(1, &[]);
    assert_eq!(rig.state(1), JobState::Copying);
    rig.wait(1);
    assert_eq!(rig.state(1), JobState::Failed);
}

#[test]
fn a_denial_is_believed_though_its_worker_did_other_tasks_since() {
    for planned_again in [false, true] {
        let tasks = || vec![task(1, 2), task(2, 1)];
        let (mut rig, _) = Rig::copying(tasks(), MIB);
        rig.restart();
        rig.planned(1, tasks());
        rig.register(1, vec![]);
        rig.wait(BEAT_MS);
        let keys = granted(&rig.ask(1, MIB));
        rig.report(1, keys[0], failed(SourceDenied));
        rig.done(1, keys[1], 1);
        if planned_again {
            rig.machine.begin_planning(job(1)).unwrap();
            rig.planned(1, tasks());
        }
        assert_eq!(rig.state(1), JobState::Copying, "other workers may come back");
        rig.wait(BEAT_MS);
        assert_eq!(rig.state(1), JobState::Failed, "nobody else can do it");
    }
}

#[test]
fn another_worker_is_preferred_for_two_heartbeats_after_the_pause() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.register(2, vec![]);
    rig.report(1, keys[0], failed(TaskFailureKind::Transient));
    let pause_ms = rig.machine.next_deadline().unwrap().0 - rig.now;
    rig.wait(pause_ms);
    assert_eq!(granted(&rig.ask(1, MIB)), [], "worker 2 takes it");
    let mut alone = rig.clone();
    alone.step(Event::WorkerLeft { worker: worker(2), returned: vec![] });
    assert_eq!(granted(&alone.ask(1, MIB)), [key(1, 2, 1)], "nobody else does");
    for _ in 0..4 {
        rig.beat(2, &[]);
        rig.wait(BEAT_MS / 2 - 1);
    }
    rig.wait(3);
    assert_eq!(granted(&rig.ask(1, MIB)), []);
    rig.wait(1);
    assert_eq!(granted(&rig.ask(1, MIB)), [key(1, 2, 1)]);
}
