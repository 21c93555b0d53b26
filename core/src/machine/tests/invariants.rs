//! Each invariant is broken by hand, and named.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::super::attempts::{Attempts, EndedGrant};
use super::super::copying_jobs::CopyingJobs;
use super::super::job::Stage;
use super::super::lease::Lease;
use super::super::retry::Suspect;
use super::super::tasks::{TaskState, Tasks};
use super::super::worker::{OpenRequest, Worker};
use super::*;
use crate::limits::{DENIED_BY_MAX, GRANTS_REMEMBERED_MAX, LEASE_TTL, RECOUNT_TASKS_MAX};
use crate::reason::Reason;

type Break = fn(&mut Machine);

/// Job 1 is copied: task 1 is done, task 2 leased by worker 1, task 3 pauses, task 4 is ready.
/// Job 2 waits behind it, job 3 was cancelled.
fn rig() -> Rig {
    let (mut rig, keys) = Rig::copying((1..=4).map(|number| task(number, 10)).collect(), 30);
    assert_eq!(keys, [key(1, 1, 1), key(2, 1, 1), key(3, 1, 1)]);
    rig.done(1, keys[0], 10);
    rig.report(1, keys[2], failed(TaskFailureKind::Transient));
    rig.submit(2, 1);
    rig.submit(3, 1);
    rig.step(Event::CancelRequested { job: job(3) });
    rig
}

/// A job whose commit is on its way.
fn publishing() -> Rig {
    let (mut rig, keys) = Rig::copying(vec![task(1, 10)], MIB);
    rig.done(1, keys[0], 10);
    assert_eq!(rig.state(1), JobState::Publishing);
    rig
}

fn tasks(machine: &mut Machine) -> &mut Tasks {
    machine.jobs.get_mut(&job(1)).unwrap().copying_mut().unwrap()
}

fn attempts(machine: &mut Machine) -> &mut Attempts {
    &mut tasks(machine).get_mut(TaskIndex(1)).unwrap().attempts
}

fn lease(machine: &mut Machine) -> &mut Lease {
    match &mut tasks(machine).get_mut(TaskIndex(1)).unwrap().state {
        TaskState::Leased(leases) => &mut leases.holder,
        other => panic!("{other:?}"),
    }
}

fn queue(machine: &mut Machine) -> &mut VecDeque<JobId> {
    machine.targets.get_mut(&TargetKey([1; 32])).unwrap()
}

fn holder(machine: &mut Machine) -> &mut Worker {
    machine.workers.get_mut(worker(1)).unwrap()
}

fn denied(workers: usize) -> Vec<(WorkerId, Suspect)> {
    (10..).map(|number| (worker(number), Suspect::Source)).take(workers).collect()
}

fn is_named(mut rig: Rig, what: &str, break_it: Break, number: usize) {
    break_it(&mut rig.machine);
    let found = rig.machine.violations();
    let is_named = found.iter().any(|violation| violation.what.starts_with(what));
    assert!(is_named, "{what} ({number}): {found:?}");
}

/// Rules about one job and its tasks.
fn breaks_of_tasks() -> Vec<(&'static str, Vec<Break>)> {
    let m1: Vec<Break> = vec![|machine| {
        for index in (0..4).map(TaskIndex) {
            tasks(machine).set(index, TaskState::Done);
        }
    }];
    let m2: Vec<Break> = vec![
        |machine| assert!(tasks(machine).ready.pop_first().is_some()),
        |machine| assert!(tasks(machine).backoff.pop_first().is_some()),
        |machine| assert!(tasks(machine).leased.pop_first().is_some()),
        |machine| tasks(machine).done.tasks = 0,
        |machine| tasks(machine).total.tasks = 9,
    ];
    let m3: Vec<Break> = vec![|machine| machine.jobs.get_mut(&job(1)).unwrap().planned = None];
    let m6: Vec<Break> = vec![
        |machine| tasks(machine).done.bytes += 1,
        |machine| tasks(machine).done.objects += 1,
        |machine| tasks(machine).total.bytes += 1,
        |machine| tasks(machine).leased_bytes += 1,
        |machine| tasks(machine).moved_bytes += 1,
        |machine| tasks(machine).slow.set(TaskIndex(1), None),
        |machine| {
            let (_, index) = tasks(machine).ready.pop_first().unwrap();
            tasks(machine).ready.insert((Reverse(1), index));
        },
        |machine| {
            let (_, index) = tasks(machine).backoff.pop_first().unwrap();
            tasks(machine).backoff.insert((Moment(0), index));
        },
        |machine| {
            tasks(machine).leased.pop_first();
            tasks(machine).leased.insert(TaskIndex(9));
        },
    ];
    let m9: Vec<Break> = vec![
        |machine| attempts(machine).failures = Limits::default().task_attempts_max,
        |machine| attempts(machine).losses = Limits::default().task_losses_max + 1,
        |machine| attempts(machine).denied_by = denied(DENIED_BY_MAX + 1),
        |machine| {
            let grant = EndedGrant {
                worker: worker(9),
                attempt: Attempt(1),
                epoch: Epoch(1),
                heard: false,
            };
            attempts(machine).ended.extend([grant; GRANTS_REMEMBERED_MAX + 1]);
        },
    ];
    vec![("M1:", m1), ("M2:", m2), ("M3:", m3), ("M6:", m6), ("M9:", m9)]
}

/// Rules about the jobs of a target, the workers and the clock.
fn breaks_of_the_whole() -> Vec<(&'static str, Vec<Break>)> {
    let m4: Vec<Break> = vec![
        |machine| machine.targets.clear(),
        |machine| queue(machine).swap(0, 1),
        |machine| queue(machine).push_back(job(2)),
        |machine| queue(machine).push_back(job(1)),
        |machine| queue(machine).push_back(job(3)),
        |machine| queue(machine).truncate(1),
    ];
    let m5: Vec<Break> =
        vec![|machine| machine.ended.clear(), |machine| machine.ended.push_back(job(1))];
    let m7: Vec<Break> = vec![
        |machine| holder(machine).held.clear(),
        |machine| holder(machine).state = WorkerState::Lost,
        |machine| assert!(machine.workers.remove(worker(1)).is_some()),
        |machine| assert!(holder(machine).held.insert((job(1), TaskIndex(3)))),
        |machine| assert!(holder(machine).held.insert((job(2), TaskIndex(0)))),
        |machine| lease(machine).worker = worker(2),
        |machine| tasks(machine).holders.clear(),
    ];
    let m8: Vec<Break> = vec![|machine| machine.grant_from = Some(Moment(u64::MAX))];
    let m10: Vec<Break> =
        vec![|machine| attempts(machine).denied_by.push((worker(1), Suspect::Target))];
    let m17: Vec<Break> = vec![
        |machine| machine.copying = CopyingJobs::default(),
        |machine| holder(machine).state = WorkerState::Draining,
        |machine| holder(machine).state = WorkerState::Lost,
        |machine| {
            let (capacity, deadline) = (Capacity { bytes: 1, objects: 1 }, Moment(1));
            holder(machine).waiting = Some(OpenRequest { capacity, deadline });
        },
    ];
    vec![("M4:", m4), ("M5:", m5), ("M7:", m7), ("M8:", m8), ("M10:", m10), ("M17:", m17)]
}

#[test]
fn each_rule_is_named_when_it_is_broken() {
    assert_eq!(rig().machine.violations(), []);
    for (what, breaks) in [breaks_of_tasks(), breaks_of_the_whole()].concat() {
        for (number, break_it) in breaks.into_iter().enumerate() {
            is_named(rig(), what, break_it, number);
        }
    }
    let forget_the_intent: Break =
        |machine| machine.jobs.get_mut(&job(1)).unwrap().publish_intended = false;
    is_named(publishing(), "M1:", forget_the_intent, 1);
    let lose_evidence: Break = |machine| match &mut machine.jobs.get_mut(&job(1)).unwrap().stage {
        Stage::Publishing(tasks) => drop(tasks.set(TaskIndex(0), TaskState::Ready)),
        other => panic!("{other:?}"),
    };
    is_named(publishing(), "M1:", lose_evidence, 2);
}

#[test]
fn what_is_at_its_bound_breaks_nothing() {
    let mut rig = rig();
    let limits = Limits::default();
    let known = attempts(&mut rig.machine);
    known.failures = limits.task_attempts_max - 1;
    known.losses = limits.task_losses_max;
    known.denied_by = denied(DENIED_BY_MAX);
    for number in 0..GRANTS_REMEMBERED_MAX {
        let attempt = Attempt(u32::try_from(number).unwrap());
        let key = GrantKey { attempt, ..key(2, 1, 1) };
        known.lost(&Lease::new(worker(9), &key, Moment(0), LEASE_TTL));
    }
    assert_eq!(rig.machine.violations(), []);
    // A lease of an earlier epoch breaks neither M8 nor M10: it was adopted, not granted.
    rig.machine.grant_from = Some(Moment(u64::MAX));
    lease(&mut rig.machine).epoch = Epoch(0);
    attempts(&mut rig.machine).denied_by[0] = (worker(1), Suspect::Source);
    assert_eq!(rig.machine.violations(), []);
}

fn internal(rig: &Rig, rule: &str) {
    let view = rig.machine.job(job(1)).unwrap();
    let Some(End::Failed(failure)) = view.end else { panic!("{view:?}") };
    assert_eq!(failure.reason, Reason::Internal);
    assert!(failure.message.contains(rule), "{failure:?}");
}

/// The rules among these actions, and whether a job ended.
fn told(actions: &[Action]) -> (Vec<&str>, bool) {
    let rules = actions.iter().filter_map(|action| match action {
        Action::Violated(violation) => Some(&violation.what[..4]),
        _ => None,
    });
    let is_end = |action: &Action| matches!(action, Action::Record(Fact::Ended { .. }));
    (rules.collect(), actions.iter().any(is_end))
}

fn step(rig: &mut Rig, event: Event) -> Vec<Action> {
    let mut actions = Vec::new();
    rig.machine.step(Moment(rig.now), event, &mut actions);
    actions
}

#[test]
fn a_job_that_breaks_a_rule_fails_and_the_next_one_goes_on() {
    // A quick rule: the step that changes the job finds it.
    let mut broken = rig();
    broken.machine.jobs.get_mut(&job(1)).unwrap().planned = None;
    let held = vec![HeldTask { key: key(2, 1, 1), bytes_done: 1, bytes_read: 0 }];
    let actions = step(&mut broken, Event::Heartbeat { worker: worker(1), held });
    assert_eq!(told(&actions), (vec!["M3: "], true));
    internal(&broken, "M3: ");
    assert_eq!(broken.state(2), JobState::Planning);

    // Any other: the next tick finds it.
    let mut broken = rig();
    tasks(&mut broken.machine).total.bytes += 1;
    let idle = step(&mut broken, Event::DrainRequested { worker: worker(9) });
    assert_eq!(told(&idle), (vec![], false));
    broken.now += 2_500;
    let actions = step(&mut broken, Event::DeadlineReached);
    assert_eq!(told(&actions), (vec!["M6: "], true));
    internal(&broken, "M6: ");
    assert_eq!(step(&mut broken, Event::DrainRequested { worker: worker(9) }), []);
}

/// How many looks it takes until a part of a recount finds the rule.
fn looks(rig: &mut Rig, rule: &str) -> usize {
    let finds = |_: &usize| {
        let found = rig.machine.sampled_violations();
        found.iter().any(|violation| violation.what.starts_with(rule))
    };
    (1..100).find(finds).unwrap()
}

/// One after another job with this many tasks, all of them in copying.
fn with_jobs(jobs: &[usize]) -> Rig {
    let mut rig = Rig::new();
    for (number, &tasks) in (1..).zip(jobs) {
        rig.submit(number, u8::try_from(number).unwrap());
        let mut task = task(0, 10);
        let tasks = (0..tasks).map(|place| {
            task.fingerprint.0[..8].copy_from_slice(&place.to_be_bytes());
            task.clone()
        });
        let plan = plan(tasks.collect());
        rig.step(Event::Planned { job: job(number), plan });
    }
    rig
}

#[test]
fn parts_of_a_recount_find_what_is_broken_in_any_job() {
    let mut whole = with_jobs(&[3, 2 * RECOUNT_TASKS_MAX + 5, 3]);
    for _ in 0..10 {
        assert_eq!(whole.machine.sampled_violations(), []);
    }
    for broken in 1..=3 {
        let mut rig = whole.clone();
        let job = rig.machine.jobs.get_mut(&job(broken)).unwrap();
        job.copying_mut().unwrap().ready.pop_last();
        assert!(looks(&mut rig, "M2:") <= 4, "{broken}");
        let mut rig = whole.clone();
        let tasks = rig.machine.jobs.get_mut(&super::job(broken)).unwrap().copying_mut().unwrap();
        let (Reverse(rank), index) = tasks.ready.pop_last().unwrap();
        tasks.ready.insert((Reverse(rank + 1), index));
        assert!(looks(&mut rig, "M6:") <= 4, "{broken}");
    }
}

#[test]
fn a_step_that_misses_what_it_relies_on_says_so() {
    let done = |machine: &mut Machine, number, index| {
        let set = machine.set_task(job(number), TaskIndex(index), TaskState::Done);
        machine.record(set);
    };
    let ends = |machine: &mut Machine, number| {
        let ended = machine.end(job(number), End::Cancelled, &mut Vec::new());
        machine.record(ended);
    };
    for (rule, fails, act) in [
        ("M11:", false, &(|machine: &mut Machine| done(machine, 9, 0)) as &dyn Fn(&mut Machine)),
        ("M11:", false, &|machine| ends(machine, 9)),
        ("M12:", false, &|machine| done(machine, 3, 0)),
        ("M13:", true, &|machine| done(machine, 1, 7)),
        ("M14:", false, &|machine| ends(machine, 3)),
    ] {
        let mut broken = rig();
        act(&mut broken.machine);
        let actions = step(&mut broken, Event::DrainRequested { worker: worker(9) });
        assert_eq!(told(&actions), (vec![rule], fails), "{rule}");
        assert_eq!(broken.state(3), JobState::Cancelled, "the first end stays");
    }
}
