//! Who gets what, and how grants end.

use super::*;
use crate::limits::{HEARTBEAT_INTERVAL, LEASE_TTL};
use crate::reason::Reason;

const LEASE_MS: u64 = LEASE_TTL.as_secs() * 1_000;
const BEAT_MS: u64 = HEARTBEAT_INTERVAL.as_secs() * 1_000;

fn numbers(keys: &[GrantKey]) -> Vec<u8> {
    keys.iter().map(|key| key.fingerprint.0[0]).collect()
}

/// Lets time pass while these workers beat.
fn wait_alive(rig: &mut Rig, ms: u64, workers: &[u128], held: &[GrantKey]) {
    for _ in 0..ms / 1_000 {
        rig.wait(1_000);
        for &number in workers {
            rig.beat(number, held);
        }
    }
}

#[test]
fn grants_are_the_largest_that_fit_and_the_first_of_an_answer_need_not_fit() {
    let tasks = || vec![task(1, 1), task(2, 10), task(3, 30), task(4, 5)];
    for (bytes_free, expected) in
        [(100, vec![3, 2, 4, 1]), (40, vec![3, 2]), (36, vec![3, 4, 1]), (2, vec![3]), (0, vec![3])]
    {
        let (mut rig, keys) = Rig::copying(tasks(), bytes_free);
        assert_eq!(numbers(&keys), expected, "{bytes_free} bytes free");
        if bytes_free == 2 {
            assert_eq!(numbers(&granted(&rig.ask(1, 2))), [2], "it is about to run dry again");
        }
    }
}

#[test]
fn answers_are_bounded_in_tasks_and_objects() {
    let limits = Limits { grant_tasks_max: 2, grant_objects_max: 5, ..Limits::default() };
    for (objects, expected) in [(1, 2), (3, 1), (9, 1)] {
        let mut rig = Rig::with(limits);
        rig.register(1, vec![]);
        rig.submit(1, 1);
        let tasks = (1..9).map(|number| PlanTask { objects, ..task(number, 1) });
        rig.planned(1, tasks.collect());
        assert_eq!(granted(&rig.ask(1, MIB)).len(), expected, "{objects} objects a task");
    }
}

#[test]
fn waiting_workers_are_answered_at_once_and_share_the_work() {
    let mut rig = Rig::new();
    for number in 1..=3 {
        rig.register(number, vec![]);
        assert_eq!(rig.ask(number, MIB), []);
    }
    rig.submit(1, 1);
    let actions = rig.planned(1, (1..=6).map(|number| task(number, 1)).collect());
    let batches: Vec<usize> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Grant { tasks, .. } => Some(tasks.len()),
            _ => None,
        })
        .collect();
    assert_eq!(batches, [2, 2, 2]);
}

#[test]
fn jobs_take_turns_by_bytes_in_flight() {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.submit(1, 1);
    rig.submit(2, 2);
    rig.planned(1, (1..=4).map(|number| task(number, 10)).collect());
    rig.planned(2, (11..=14).map(|number| task(number, 30)).collect());
    let keys = granted(&rig.ask(1, MIB));
    assert_eq!(numbers(&keys), [1, 11, 2, 3, 12, 4, 13, 14]);
}

#[test]
fn questions_end_with_nothing_at_their_deadline() {
    let nothing = |number| Action::Grant { worker: worker(number), tasks: vec![] };
    let mut rig = Rig::new();
    assert_eq!(rig.ask(1, MIB), [nothing(1)], "an unknown worker is not kept waiting");
    rig.register(1, vec![]);
    rig.ask(1, MIB);
    assert_eq!(rig.wait(19_999), []);
    assert_eq!(rig.wait(1), [nothing(1)]);
    rig.ask(1, MIB);
    assert_eq!(rig.step(Event::DrainRequested { worker: worker(1) }), [nothing(1)]);
    assert_eq!(rig.machine.worker(worker(1)).unwrap().state, WorkerState::Draining);
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    assert_eq!(rig.ask(1, MIB), [], "a draining worker waits a little and gets nothing");
    assert_eq!(rig.wait(BEAT_MS), [nothing(1)]);
    assert_eq!(rig.state(1), JobState::WaitingForWorkers);
}

#[test]
fn only_workers_that_know_both_connections_get_tasks() {
    let mut rig = Rig::new();
    let both = BTreeSet::from([route().source, route().target]);
    let source = BTreeSet::from([route().source]);
    for (readable, writable) in [(both.clone(), source.clone()), (BTreeSet::new(), both)] {
        let (worker, held) = (worker(1), vec![]);
        rig.step(Event::WorkerRegistered { worker, readable, writable, held });
        rig.submit(1, 1);
        rig.planned(1, vec![task(1, 1)]);
        assert_eq!(rig.ask(1, MIB), []);
        assert_eq!(rig.state(1), JobState::WaitingForWorkers);
    }
    rig.register(2, vec![]);
    assert_eq!(granted(&rig.ask(2, MIB)), [key(1, 1, 1)]);
}

#[test]
fn a_silent_worker_is_lost_and_its_task_goes_on_elsewhere() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.machine.limits.task_rate_min = 0;
    rig.register(2, vec![]);
    wait_alive(&mut rig, LEASE_MS - 1_000, &[2], &[]);
    assert_eq!(rig.machine.worker(worker(1)).unwrap().state, WorkerState::Active);
    rig.ask(2, MIB);
    let again = granted(&rig.wait(4_000));
    assert_eq!(again, [key(1, 2, 1)]);
    assert_eq!(rig.machine.worker(worker(1)).unwrap().state, WorkerState::Lost);
    let unknown = rig.step(Event::Heartbeat { worker: worker(1), held: vec![] });
    assert!(matches!(unknown[..], [Action::Beat { known: false, .. }]), "{unknown:?}");
    rig.register(1, keys.clone());
    assert_eq!(rig.beat(1, &keys), keys, "somebody else has it now");
    assert_eq!(rig.beat(2, &again), []);
    let actions = rig.done(1, keys[0], 1);
    assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }), "late, but done");
    assert_eq!(rig.beat(2, &again), again, "the other holder stops");
}

#[test]
fn a_lease_lives_by_the_heartbeats_that_name_it() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    wait_alive(&mut rig, 2 * LEASE_MS, &[1], &keys);
    assert_eq!(rig.beat(1, &keys), []);
    wait_alive(&mut rig, LEASE_MS + BEAT_MS, &[1], &[]);
    assert_eq!(rig.beat(1, &keys), keys, "its worker never named it: the answer was lost");
    assert_eq!(granted(&rig.ask(1, MIB)), [key(1, 2, 1)]);
}

#[test]
fn a_request_ends_with_the_registration_that_it_was_made_in() {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.ask(1, MIB);
    rig.submit(1, 1);
    let mut actions = rig.register(1, vec![]);
    actions.extend(rig.planned(1, vec![task(1, 1)]));
    let ended = Action::Grant { worker: worker(1), tasks: vec![] };
    assert!(actions.contains(&ended), "{actions:?}");
    assert_eq!(granted(&actions), [], "nobody waits for this answer any more");
    assert_eq!(granted(&rig.ask(1, MIB)), [key(1, 1, 1)]);
}

#[test]
fn what_a_worker_does_not_announce_is_ready_at_once_without_a_penalty() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 2), task(2, 1)], MIB);
    rig.machine.limits.task_losses_max = 0;
    rig.register(1, keys[..1].to_vec());
    assert_eq!(rig.beat(1, &keys), keys[1..], "it goes on with what it announced alone");
    assert_eq!(granted(&rig.ask(1, MIB)), [key(2, 2, 1)]);
    rig.done(1, keys[0], 2);
    let actions = rig.done(1, key(2, 2, 1), 1);
    assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }));
}

#[test]
fn a_gap_in_the_loop_costs_no_lease() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 1)], MIB);
    rig.now += 10 * LEASE_MS;
    rig.step(Event::DeadlineReached);
    assert_eq!(rig.beat(1, &keys), []);
}

#[test]
fn a_task_that_loses_its_lease_again_and_again_fails_its_job() {
    let mut rig = Rig::with(Limits { task_losses_max: 2, ..Limits::default() });
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    for number in 1..=3 {
        assert_eq!(rig.state(1), JobState::WaitingForWorkers);
        rig.register(number, vec![]);
        assert_eq!(granted(&rig.ask(number, MIB)).len(), 1);
        rig.wait(LEASE_MS + BEAT_MS);
    }
    assert_eq!(rig.state(1), JobState::Failed);
}

#[test]
fn a_worker_that_leaves_returns_its_tasks_without_a_penalty() {
    let mut rig = Rig::with(Limits { task_losses_max: 0, ..Limits::default() });
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, 1)]);
    for attempt in 1..5 {
        rig.register(1, vec![]);
        let keys = granted(&rig.ask(1, MIB));
        assert_eq!(keys, [key(1, attempt, 1)]);
        rig.step(Event::WorkerLeft { worker: worker(1), returned: keys });
    }
}

#[test]
fn failures_that_heal_are_tried_again_elsewhere_and_the_others_fail_the_job() {
    use TaskFailureKind as Kind;
    for (kind, reason) in [
        (Kind::SourceChanged, Reason::ObjectChanged),
        (Kind::SourceDenied, Reason::PermissionDenied),
        (Kind::TargetDenied, Reason::PermissionDenied),
        (Kind::TargetConflict, Reason::TargetConflict),
    ] {
        let (mut rig, keys) = Rig::copying(vec![task(1, 1), task(2, 1)], MIB);
        rig.report(1, keys[0], failed(kind));
        let view = rig.machine.job(job(1)).unwrap();
        let Some(End::Failed(failure)) = view.end else { panic!("{view:?}") };
        assert_eq!((failure.reason, &failure.message[..]), (reason, "`a.parquet`"));
        assert_eq!(rig.beat(1, &keys), keys);
    }
    for (kind, reason) in
        [(Kind::Transient, Reason::StorageUnavailable), (Kind::Corrupt, Reason::CorruptCopy)]
    {
        let (mut rig, mut keys) = Rig::copying(vec![task(1, 1)], MIB);
        rig.machine.limits.task_rate_min = 0;
        rig.register(2, vec![]);
        let (mut holder, mut other) = (1, 2);
        for attempt in 1..Limits::default().task_attempts_max {
            assert_eq!(keys, [key(1, attempt, 1)]);
            rig.report(holder, keys[0], failed(kind));
            rig.report(holder, keys[0], failed(kind));
            (holder, other) = (other, holder);
            if attempt > 6 {
                // A longer pause than a question waits.
                for pause in [0, 11_000] {
                    rig.wait(pause);
                    rig.beat(1, &[]);
                    rig.beat(2, &[]);
                }
            }
            let grants = [rig.ask(other, MIB), rig.ask(holder, MIB), rig.wait(19_000)].concat();
            let to_holder = |action: &&Action| {
                matches!(action, Action::Grant { worker: to, tasks }
                    if *to == worker(holder) && !tasks.is_empty())
            };
            assert_eq!(grants.iter().filter(to_holder).count(), 1, "the other worker has it");
            keys = granted(&grants);
        }
        rig.report(holder, keys[0], failed(kind));
        let view = rig.machine.job(job(1)).unwrap();
        let Some(End::Failed(failure)) = view.end else { panic!("{view:?}") };
        assert_eq!(failure.reason, reason);
    }
}

#[test]
fn a_receipt_that_does_not_show_every_object_is_a_failure() {
    let none = Receipt::default();
    let two =
        Receipt { objects: [receipt(10).objects, receipt(10).objects].concat(), ..receipt(10) };
    for wrong in [none, receipt(9), two] {
        let (mut rig, keys) = Rig::copying(vec![task(1, 10)], MIB);
        let actions = rig.report(1, keys[0], TaskOutcome::Done(wrong));
        let expected =
            Fact::TaskFailed { job: job(1), fingerprint: name(1), kind: TaskFailureKind::Corrupt };
        assert_eq!(actions, [Action::Record(expected)]);
        assert_eq!(rig.machine.job(job(1)).unwrap().progress.tasks_done, 0);
        let last_error = rig.machine.worker(worker(1)).unwrap().last_error;
        assert!(last_error.is_some_and(|error| error.contains("the receipt shows")));
    }
}

#[test]
fn a_worker_that_drains_takes_no_share_and_is_told_to_leave() {
    let mut rig = Rig::new();
    for number in 1..=3 {
        rig.register(number, vec![]);
        if number > 1 {
            rig.step(Event::DrainRequested { worker: worker(number) });
        }
    }
    rig.submit(1, 1);
    rig.planned(1, (1..=6).map(|number| task(number, 1)).collect());
    let keys = granted(&rig.ask(1, MIB));
    assert_eq!(keys.len(), 6, "nobody else takes tasks");
    for (number, expected) in [(1, false), (2, true)] {
        let beat = rig.step(Event::Heartbeat { worker: worker(number), held: vec![] });
        let [Action::Beat { drain, known: true, .. }] = beat[..] else { panic!("{beat:?}") };
        assert_eq!(drain, expected, "worker {number}");
    }
    for key in keys {
        rig.done(1, key, 1);
    }
    let view = rig.machine.worker(worker(1)).unwrap();
    assert_eq!((view.tasks_done, view.bytes_done), (6, 6));
    assert_eq!(rig.machine.job(job(1)).unwrap().progress.attempts, 6);
}

#[test]
fn a_tick_comes_at_its_moment_and_only_while_it_is_awaited() {
    let mut rig = Rig::new();
    assert_eq!(rig.machine.next_deadline(), None);
    rig.register(1, vec![]);
    let tick = rig.machine.next_deadline();
    assert_eq!(tick, Some(Moment(rig.now + BEAT_MS / 2)));
    rig.wait(BEAT_MS / 4);
    rig.register(2, vec![]);
    assert_eq!(rig.machine.next_deadline(), tick, "another worker does not move it");
    for number in [1, 2] {
        rig.step(Event::WorkerLeft { worker: worker(number), returned: vec![] });
    }
    rig.wait(BEAT_MS);
    assert_eq!(rig.machine.next_deadline(), None);
    rig.submit(1, 1);
    assert_eq!(rig.machine.next_deadline(), None, "a plan has a limit of its own");
    rig.planned(1, vec![task(1, 1)]);
    assert_eq!(rig.machine.next_deadline(), Some(Moment(rig.now + BEAT_MS / 2)));
}
