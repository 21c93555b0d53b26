//! What attempts took counts however they ended, and once.

use super::*;
use crate::limits::LEASE_TTL;

const SPENT: AttemptCounts = AttemptCounts {
    bytes_read: 10,
    bytes_written: 4,
    requests: 3,
    source_requests: 2,
    target_reads: 1,
};

fn took(rig: &Rig) -> (u64, u64, u64) {
    let progress = rig.machine.job(job(1)).unwrap().progress;
    (progress.bytes_read, progress.requests, progress.source_requests)
}

fn failed() -> TaskOutcome {
    let (kind, message) = (TaskFailureKind::Transient, "a".to_owned());
    TaskOutcome::Failed(TaskFailure { index: None, kind, message, spent: SPENT })
}

fn copied() -> TaskOutcome {
    let AttemptCounts { bytes_read, bytes_written, requests, source_requests, target_reads } =
        SPENT;
    TaskOutcome::Done(Receipt {
        bytes_read,
        bytes_written,
        requests,
        source_requests,
        target_reads,
        ..receipt(1)
    })
}

#[test]
fn a_failed_attempt_counts_once_and_only_from_who_was_given_the_task() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.register(2, vec![]);
    for (by, expected) in [(2, (0, 0, 0)), (1, (10, 3, 2)), (1, (10, 3, 2)), (2, (10, 3, 2))] {
        rig.report(by, keys[0], failed());
        assert_eq!(took(&rig), expected, "{by}");
        let reads = rig.machine.job(job(1)).unwrap().progress.target_reads;
        assert_eq!(reads, u64::from(expected.0 > 0), "{by}");
    }
}

#[test]
fn a_copy_that_comes_after_another_one_counts_once() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1), task(2, 1)], MIB);
    let ttl_ms = u64::try_from(LEASE_TTL.as_millis()).unwrap();
    rig.wait(2 * ttl_ms);
    rig.register(2, vec![]);
    let again = granted(&rig.ask(2, MIB));
    let first = again.iter().find(|key| key.fingerprint == keys[0].fingerprint).unwrap();
    rig.report(2, *first, copied());
    assert_eq!(took(&rig), (10, 3, 2));
    rig.register(1, vec![]);
    for _ in 0..2 {
        rig.report(1, keys[0], copied());
        assert_eq!(took(&rig), (20, 6, 4));
    }
}

fn unreported(rig: &Rig) -> u64 {
    rig.machine.job(job(1)).unwrap().progress.bytes_unreported
}

/// A job of two tasks of 100 bytes that worker 1 holds. Of the first it told so much.
fn held(bytes_done: u64, bytes_read: u64) -> (Rig, Vec<GrantKey>) {
    let (mut rig, keys) = Rig::copying(vec![task(1, 100), task(2, 100)], MIB);
    let held = vec![HeldTask { key: keys[0], bytes_done, bytes_read }];
    rig.step(Event::Heartbeat { worker: worker(1), held });
    (rig, keys)
}

#[test]
fn a_grant_that_ends_without_a_report_counts_with_what_was_told_and_the_rest_of_its_task() {
    type End = fn(&mut Rig);
    let ends: [(&str, End); 4] = [
        ("its worker is lost", |rig| {
            let ttl_ms = u64::try_from(LEASE_TTL.as_millis()).unwrap();
            rig.wait(2 * ttl_ms);
        }),
        ("its worker leaves", |rig| {
            rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
        }),
        ("it is taken back", |rig| {
            rig.step(Event::TasksRecalled { job: job(1) });
        }),
        ("its job is cancelled", |rig| {
            rig.step(Event::CancelRequested { job: job(1) });
        }),
    ];
    for (case, end) in ends {
        // The other task was granted and nothing told of it.
        for (bytes_done, bytes_read, expected) in
            [(0, 0, 200), (30, 40, 210), (100, 100, 200), (u64::MAX, 300, 400)]
        {
            let (mut rig, _) = held(bytes_done, bytes_read);
            assert_eq!(unreported(&rig), 0, "{case}");
            end(&mut rig);
            assert_eq!(unreported(&rig), expected, "{case}: {bytes_done}, {bytes_read}");
        }
    }
}

#[test]
fn a_killed_worker_counts_with_no_more_than_its_tasks_and_what_it_had_read_ahead() {
    const SIZES: [u64; 3] = [100, 7, 4_000];
    let sizes: u64 = SIZES.iter().sum();
    // What its heartbeats told of each task: at the target, and read from the source.
    for told in [
        [(0, 0); 3],
        [(100, 100), (7, 7), (4_000, 4_000)],
        [(50, 50), (0, 0), (1, 1)],
        // Found at the target without reading the source.
        [(100, 0), (3, 1), (0, 0)],
        // Some is read and not written yet, and some was read twice.
        [(50, 60), (0, 7), (3_000, 9_000)],
    ] {
        let tasks = (1..).zip(SIZES).map(|(number, bytes)| task(number, bytes)).collect();
        let (mut rig, keys) = Rig::copying(tasks, MIB);
        let mut ahead = 0;
        let mut held = Vec::new();
        for (number, (bytes_done, bytes_read)) in (1..).zip(told) {
            let key = *keys.iter().find(|key| key.fingerprint == name(number)).unwrap();
            ahead += u64::saturating_sub(bytes_read, bytes_done);
            held.push(HeldTask { key, bytes_done, bytes_read });
        }
        rig.step(Event::Heartbeat { worker: worker(1), held });
        rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
        assert!(unreported(&rig) <= sizes + ahead, "{told:?}: {}", unreported(&rig));
    }
}

#[test]
fn a_report_that_comes_late_takes_the_place_of_what_it_might_have_been() {
    for outcome in [copied as fn() -> TaskOutcome, failed] {
        let (mut rig, keys) = held(30, 40);
        let ttl_ms = u64::try_from(LEASE_TTL.as_millis()).unwrap();
        rig.wait(2 * ttl_ms);
        rig.register(2, vec![]);
        let again = granted(&rig.ask(2, MIB));
        let first = again.iter().find(|key| key.fingerprint == keys[0].fingerprint).unwrap();
        rig.done(2, *first, 100);
        assert_eq!(unreported(&rig), 210);
        rig.register(1, vec![]);
        let before = took(&rig).0;
        for _ in 0..2 {
            rig.report(1, keys[0], outcome());
            assert_eq!((unreported(&rig), took(&rig).0 - before), (100, 10));
        }
    }
}

#[test]
fn a_grant_that_its_worker_goes_on_with_counts_by_its_report_alone() {
    let (mut rig, keys) = held(30, 40);
    let ttl_ms = u64::try_from(LEASE_TTL.as_millis()).unwrap();
    rig.wait(2 * ttl_ms);
    assert_eq!(unreported(&rig), 210);
    rig.register(1, vec![keys[0]]);
    assert_eq!(unreported(&rig), 100, "the other one is lost still");
    rig.wait(2 * ttl_ms);
    assert_eq!(unreported(&rig), 200, "nothing was told since");
}
