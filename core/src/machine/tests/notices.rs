//! What operators are told of, once each.

use super::*;

const LEASE_MS: u64 = 60_000;

#[test]
fn a_worker_that_is_lost_is_noticed_once_with_what_it_held() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1), task(2, 1), task(3, 1)], MIB);
    assert_eq!(keys.len(), 3);
    rig.done(1, keys[0], 1);
    rig.wait(3 * LEASE_MS);
    assert_eq!(rig.noticed, [Notice::WorkerLost { worker: worker(1), leases: 2 }]);
    rig.register(1, vec![]);
    rig.wait(3 * LEASE_MS);
    let again = Notice::WorkerLost { worker: worker(1), leases: 0 };
    assert_eq!(rig.noticed[1..], [again], "it came back, and is lost again");
}

#[test]
fn a_lease_that_its_living_worker_does_not_extend_is_noticed_once() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1), task(2, 1)], MIB);
    // It goes on with the first one alone.
    for _ in 0..20 {
        rig.wait(10_000);
        rig.beat(1, &keys[..1]);
    }
    assert_eq!(rig.noticed, [Notice::LeaseExpired { worker: worker(1), key: keys[1] }]);
}

#[test]
fn what_is_lost_before_the_plan_is_noticed_too() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 40), task(2, 30), task(3, 20)], MIB);
    rig.report(1, keys[2], failed(TaskFailureKind::SourceNotFound));
    rig.register(1, keys[..2].to_vec());
    for _ in 0..20 {
        rig.wait(10_000);
        rig.beat(1, &keys[..1]);
    }
    rig.wait(3 * LEASE_MS);
    let expired = Notice::LeaseExpired { worker: worker(1), key: keys[1] };
    let lost = Notice::WorkerLost { worker: worker(1), leases: 1 };
    assert_eq!(rig.noticed, [expired, lost]);
}

#[test]
fn each_task_is_counted_where_it_stands() {
    let (mut rig, keys) = Rig::copying(vec![task(1, MIB), task(2, 2), task(3, 1)], 1);
    assert_eq!(keys.len(), 1, "the first one of an answer need not fit");
    let counts = |ready, leased, waiting, done| TaskCounts { ready, leased, waiting, done };
    assert_eq!(rig.machine.task_counts(), counts(2, 1, 0, 0));
    let again = granted(&rig.ask(1, 0));
    assert_eq!(rig.machine.task_counts(), counts(1, 2, 0, 0));
    rig.report(1, again[0], failed(TaskFailureKind::Transient));
    assert_eq!(rig.machine.task_counts(), counts(1, 1, 1, 0));
    rig.done(1, keys[0], MIB);
    assert_eq!(rig.machine.task_counts(), counts(1, 0, 1, 1));
    rig.step(Event::CancelRequested { job: job(1) });
    assert_eq!(rig.machine.task_counts(), TaskCounts::default(), "of live jobs alone");
}
