//! Jobs that no worker takes.

use super::*;
use crate::limits::NO_WORKERS_WAIT;
use crate::reason::Reason;

const WAIT_MS: u64 = NO_WORKERS_WAIT.as_secs() * 1_000;
/// Half a heartbeat, at which the machine looks.
const TICK_MS: u64 = 2_500;

fn failure(rig: &Rig) -> Option<Reason> {
    match rig.machine.job(job(1)).unwrap().end {
        Some(End::Failed(failure)) => Some(failure.reason),
        _ => None,
    }
}

#[test]
fn a_job_that_nobody_takes_ends_after_the_limit() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.submit(2, 1);
    rig.wait(2 * WAIT_MS);
    assert_eq!(rig.state(1), JobState::Planning, "a plan has a limit of its own");
    rig.planned(1, vec![task(1, 1)]);
    rig.wait(WAIT_MS - TICK_MS);
    assert_eq!(rig.state(1), JobState::WaitingForWorkers);
    rig.wait(3 * TICK_MS);
    assert_eq!(failure(&rig), Some(Reason::NoWorkers));
    assert_eq!(rig.state(2), JobState::Planning, "the next one of the target goes on");
}

#[test]
fn a_worker_that_comes_and_goes_restarts_the_wait() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    rig.wait(WAIT_MS - 2 * TICK_MS);
    rig.register(1, vec![]);
    rig.wait(2 * TICK_MS);
    rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
    rig.wait(WAIT_MS - TICK_MS);
    assert_eq!(failure(&rig), None);
    rig.wait(3 * TICK_MS);
    assert_eq!(failure(&rig), Some(Reason::NoWorkers));
}

#[test]
fn a_worker_that_does_not_fit_helps_nothing_and_one_that_drains_may_finish() {
    let mut rig = Rig::new();
    let (worker, held) = (worker(1), vec![]);
    let readable = BTreeSet::from([route().target]);
    rig.step(Event::WorkerRegistered { worker, readable, writable: BTreeSet::new(), held });
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    for _ in 0..=WAIT_MS / 10_000 {
        rig.wait(10_000);
        rig.beat(1, &[]);
    }
    assert_eq!(failure(&rig), Some(Reason::NoWorkers));

    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.step(Event::DrainRequested { worker });
    for _ in 0..=2 * WAIT_MS / 10_000 {
        rig.wait(10_000);
        rig.beat(1, &keys);
    }
    assert_eq!(rig.state(1), JobState::WaitingForWorkers, "it works on the last task");
    rig.done(1, keys[0], 1);
    assert_eq!(rig.state(1), JobState::Publishing);
}

#[test]
fn a_driver_that_stood_still_does_not_shorten_the_wait() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    rig.wait(TICK_MS);
    rig.now += 2 * WAIT_MS;
    rig.step(Event::DeadlineReached);
    assert_eq!(failure(&rig), None);
}
