//! The limits of a job, and what its workers are told of them.

use super::*;
use crate::job_limits::{JobShare, LimitsChange};

const BEAT_MS: u64 = 5_000;

fn limits(mib: u64, copies: u32) -> JobLimits {
    JobLimits { bytes_per_second: Some(mib * MIB), concurrency: Some(copies), held: false }
}

fn share(mib: u64, copies: u32) -> JobShare {
    JobShare { bytes_per_second: Some(mib * MIB), concurrency: Some(copies) }
}

/// One copy, and no more than it needs.
const ONE_COPY: JobShare = JobShare { bytes_per_second: Some(128 << 10), concurrency: Some(1) };

fn change(to: JobLimits) -> LimitsChange {
    let JobLimits { bytes_per_second, concurrency, held } = to;
    LimitsChange {
        bytes_per_second: Some(bytes_per_second),
        concurrency: Some(concurrency),
        held: Some(held),
    }
}

/// What workers are told with their grants.
fn told(actions: &[Action]) -> Vec<(WorkerId, JobShare)> {
    let grants = actions.iter().filter_map(|action| match action {
        Action::Grant { worker, tasks } => Some((*worker, tasks.first()?.share)),
        _ => None,
    });
    grants.collect()
}

/// What a worker is told of the first job with its heartbeat; `None` when nothing.
fn beat(rig: &mut Rig, number: u128, held: &[GrantKey]) -> Option<JobShare> {
    let held = held.iter().map(|&key| HeldTask { key, bytes_done: 1, bytes_read: 0 }).collect();
    let actions = rig.step(Event::Heartbeat { worker: worker(number), held });
    let beat = actions.iter().find_map(|action| match action {
        Action::Beat { shares, .. } => Some(shares.clone()),
        _ => None,
    });
    match beat.unwrap()[..] {
        [] => None,
        [(id, share)] if id == job(1) => Some(share),
        ref other => panic!("{other:?}"),
    }
}

/// A job with these limits and so many tasks, for which these workers wait; their grants, and what
/// they are told with them.
fn started(
    limits: JobLimits,
    tasks: u8,
    workers: u128,
) -> (Rig, Vec<GrantKey>, Vec<(WorkerId, JobShare)>) {
    let mut rig = Rig::new();
    for number in 1..=workers {
        rig.register(number, vec![]);
        rig.ask(number, MIB);
    }
    rig.submit_with(1, 1, limits);
    let actions = rig.planned(1, (1..=tasks).map(|number| task(number, 1)).collect());
    let (keys, told) = (granted(&actions), told(&actions));
    (rig, keys, told)
}

#[test]
fn workers_that_begin_together_have_equal_shares_at_once() {
    for (limits, workers, first) in [
        (JobLimits::default(), 2, JobShare::ALL),
        (limits(100, 64), 1, share(100, 64)),
        (limits(100, 64), 2, share(50, 32)),
        (limits(100, 64), 4, share(25, 16)),
    ] {
        let (_, _, told) = started(limits, 8, workers);
        let wanted: Vec<_> = (1..=workers).map(|number| (worker(number), first)).collect();
        assert_eq!(told, wanted, "{limits:?}");
    }
}

#[test]
fn a_worker_that_comes_later_has_its_part_once_the_others_gave_it_up() {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.register(2, vec![]);
    rig.submit_with(1, 1, limits(100, 64));
    rig.planned(1, (1..=200).map(|number| task(number, 1)).collect());
    assert_eq!(told(&rig.ask(1, MIB)), [(worker(1), share(100, 64))]);
    assert_eq!(told(&rig.ask(2, MIB)), [(worker(2), ONE_COPY)]);
    assert_eq!(beat(&mut rig, 2, &[]), Some(ONE_COPY), "the first one has all of it still");
    assert_eq!(beat(&mut rig, 1, &[]), Some(share(50, 32)));
    assert_eq!(beat(&mut rig, 2, &[]), Some(share(50, 32)));
    rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
    assert_eq!(beat(&mut rig, 2, &[]), Some(share(100, 64)));
}

#[test]
fn a_change_is_a_fact_and_told_with_the_next_heartbeats() {
    let (mut rig, _, _) = started(limits(100, 64), 8, 2);
    for (to, first, second) in [
        (limits(10, 2), share(5, 1), share(5, 1)),
        // What is free is given out; the rest once the others have less.
        (limits(100, 64), share(50, 32), share(50, 32)),
        (JobLimits::default(), JobShare::ALL, JobShare::ALL),
        (limits(20, 8), share(10, 4), share(10, 4)),
    ] {
        let event = Event::LimitsChanged { job: job(1), change: change(to) };
        let recorded = Action::Record(Fact::Limited { job: job(1), limits: to });
        assert_eq!(rig.step(event.clone()), [recorded], "{to:?}");
        assert_eq!(rig.step(event), [], "the same again is no change");
        assert_eq!(rig.machine.job(job(1)).unwrap().limits, to);
        assert_eq!(beat(&mut rig, 1, &[]), Some(first), "{to:?}");
        assert_eq!(beat(&mut rig, 2, &[]), Some(second), "{to:?}");
    }
    rig.step(Event::CancelRequested { job: job(1) });
    let event = Event::LimitsChanged { job: job(1), change: change(limits(1, 1)) };
    assert_eq!(rig.step(event), [], "a job that ended stays as it is");
    assert_eq!(rig.machine.job(job(1)).unwrap().limits, limits(20, 8));
}

#[test]
fn no_more_workers_copy_than_can_each_make_one_copy() {
    let one = JobLimits { concurrency: Some(1), ..JobLimits::default() };
    let (mut rig, keys, told_first) = started(one, 2, 2);
    let copies = |copies| JobShare { bytes_per_second: None, concurrency: Some(copies) };
    assert_eq!(told_first, [(worker(1), copies(1))], "the second one waits");
    assert_eq!(keys.len(), 1);
    let (mut second, first) = (Vec::new(), keys[0]);
    second.extend(granted(&rig.ask(1, MIB)));
    assert_eq!(second.len(), 1, "the first one gets more");
    rig.done(1, first, 1);
    let failed = rig.report(1, second[0], failed(TaskFailureKind::Transient));
    assert_eq!(granted(&failed), [], "a pause first");
    // Nothing is held: whoever is first may go on.
    let actions = rig.wait(BEAT_MS);
    assert_eq!(told(&actions), [(worker(2), copies(1))]);
    let event = Event::LimitsChanged { job: job(1), change: change(JobLimits::default()) };
    rig.step(event);
    assert_eq!(beat(&mut rig, 2, &[]), Some(JobShare::ALL));
}

#[test]
fn a_limit_survives_a_restart_and_what_workers_have_is_not_doubled() {
    let (mut rig, keys, _) = started(JobLimits::default(), 2, 2);
    let event = Event::LimitsChanged { job: job(1), change: change(limits(10, 4)) };
    rig.step(event);
    rig.restart();
    assert_eq!(rig.machine.job(job(1)).unwrap().limits, limits(10, 4));
    let of = |number: usize| keys[number - 1..number].to_vec();
    rig.register(1, of(1));
    rig.register(2, of(2));
    rig.planned(1, vec![task(1, 1), task(2, 1)]);
    assert_eq!(beat(&mut rig, 1, &of(1)), None, "others may not be back yet");
    rig.wait(BEAT_MS);
    assert_eq!(beat(&mut rig, 1, &of(1)), Some(share(5, 2)));
    assert_eq!(beat(&mut rig, 2, &of(2)), Some(share(5, 2)));
}

#[test]
fn a_job_with_limits_is_given_a_little_ahead_and_leaves_the_worker_to_others() {
    let slow = JobLimits { bytes_per_second: Some(MIB), ..JobLimits::default() };
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.submit_with(1, 1, slow);
    rig.planned(1, (1..=9).map(|number| task(number, 6 * MIB)).collect());
    assert_eq!(granted(&rig.ask(1, u64::MAX)).len(), 1, "nothing was told yet");
    let keys = granted(&rig.ask(1, u64::MAX));
    assert_eq!(keys.len(), 1, "12 MiB are more than it copies in 10 seconds");
    assert_eq!(granted(&rig.ask(1, u64::MAX)), []);
    // Another job is not held up, and is not limited.
    rig.submit(2, 2);
    let others = granted(&rig.planned(2, (11..=13).map(|number| task(number, MIB)).collect()));
    assert_eq!(others.len(), 3);
    // Once it has copied some of it, it gets more with its heartbeat.
    assert_eq!(granted(&rig.ask(1, u64::MAX)), []);
    let held = vec![HeldTask { key: keys[0], bytes_done: 3 * MIB, bytes_read: 0 }];
    let actions = rig.step(Event::Heartbeat { worker: worker(1), held });
    assert_eq!(granted(&actions).len(), 1);
}

#[test]
fn a_task_that_is_slow_because_of_a_limit_is_not_copied_twice() {
    let slow = JobLimits { bytes_per_second: Some(128 << 10), ..JobLimits::default() };
    for (limits, copies) in [(JobLimits::default(), 1), (slow, 0), (limits(100, 64), 0)] {
        let (mut rig, keys, _) = started(limits, 1, 1);
        for _ in 0..3 {
            beat(&mut rig, 1, &keys);
            rig.wait(BEAT_MS);
        }
        rig.register(2, vec![]);
        assert_eq!(granted(&rig.ask(2, MIB)).len(), copies, "{limits:?}");
    }
}

#[test]
fn a_worker_that_has_enough_objects_gets_no_more_of_a_job_with_limits() {
    let one = JobLimits { concurrency: Some(1), ..JobLimits::default() };
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.submit_with(1, 1, one);
    let many = |number| PlanTask { objects: 200, ..task(number, 1) };
    rig.planned(1, (1..=9).map(many).collect());
    for granted_next in [1, 1, 0] {
        assert_eq!(granted(&rig.ask(1, MIB)).len(), granted_next);
    }
}

#[test]
fn a_worker_that_gets_another_task_keeps_what_it_was_told() {
    let (mut rig, keys, _) = started(limits(100, 64), 8, 2);
    assert_eq!(keys.len(), 2);
    let event = Event::LimitsChanged { job: job(1), change: change(limits(60, 40)) };
    rig.step(event);
    // The other one has 50 and 32 of them still.
    assert_eq!(told(&rig.ask(1, MIB)), [(worker(1), share(30, 20))]);
}
