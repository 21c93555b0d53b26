//! What attempts took counts however they ended, and once.

use super::*;
use crate::limits::LEASE_TTL;

const SPENT: AttemptCounts =
    AttemptCounts { bytes_read: 10, bytes_written: 4, requests: 3, source_requests: 2 };

fn took(rig: &Rig) -> (u64, u64, u64) {
    let progress = rig.machine.job(job(1)).unwrap().progress;
    (progress.bytes_read, progress.requests, progress.source_requests)
}

fn failed() -> TaskOutcome {
    let (kind, message) = (TaskFailureKind::Transient, "a".to_owned());
    TaskOutcome::Failed(TaskFailure { index: None, kind, message, spent: SPENT })
}

fn copied() -> TaskOutcome {
    let AttemptCounts { bytes_read, bytes_written, requests, source_requests } = SPENT;
    TaskOutcome::Done(Receipt {
        bytes_read,
        bytes_written,
        requests,
        source_requests,
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
