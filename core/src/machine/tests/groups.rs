//! An object that several workers copy: which of its tasks is granted when, and what becomes of
//! them when its upload is lost.

use super::super::lease::Lease;
use super::super::tasks::{TaskState, Tasks};
use super::*;
use crate::group::{GroupPlace, GroupStep};
use crate::limits::{HEARTBEAT_INTERVAL, LEASE_TTL, PARTS_TAKEN_BACK_MAX};
use crate::receipt::{PartReceipt, SharedUpload};

const PART: u64 = 9 * MIB;

fn step(number: u8, group: u32, step: GroupStep) -> PlanTask {
    let (bytes, objects) = match step {
        GroupStep::Open => (0, 0),
        GroupStep::Parts => (PART, 0),
        GroupStep::Finish => (0, 1),
    };
    let group = Some(GroupPlace { group, step });
    PlanTask { fingerprint: name(number), bytes, objects, group }
}

/// The tasks 1 to 4: an opening, two of parts, an end.
fn group() -> Vec<PlanTask> {
    use GroupStep::{Finish, Open, Parts};
    vec![step(1, 0, Open), step(2, 0, Parts), step(3, 0, Parts), step(4, 0, Finish)]
}

fn upload(id: &str) -> Option<SharedUpload> {
    Some(SharedUpload { id: id.to_owned(), is_checked: false, source_etag: String::new() })
}

fn opened(id: &str) -> TaskOutcome {
    TaskOutcome::Done(Receipt { upload: upload(id), ..Receipt::default() })
}

fn written(id: &str) -> TaskOutcome {
    let (id_of_part, is_proved) = ("p".to_owned(), true);
    let part = PartReceipt { number: 0, size: PART, crc64nvme: 1, id: id_of_part, is_proved };
    TaskOutcome::Done(Receipt { upload: upload(id), parts: vec![part], ..Receipt::default() })
}

fn whole(id: &str) -> TaskOutcome {
    TaskOutcome::Done(Receipt { upload: upload(id), ..receipt(2 * PART) })
}

/// Two workers, and a job of one shared object and perhaps others.
fn rig(tasks: Vec<PlanTask>) -> Rig {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.register(2, vec![]);
    rig.submit(1, 1);
    rig.planned(1, tasks);
    rig
}

/// The task of each grant that a worker gets when it asks.
fn tasks(rig: &mut Rig, worker: u128) -> Vec<u8> {
    let keys = granted(&rig.ask(worker, 1 << 30));
    keys.iter().map(|key| key.fingerprint.0[0]).collect()
}

/// Brings the object to its end: the last task is ready.
fn all_written(rig: &mut Rig, id: &str, attempt: u32) {
    assert_eq!(tasks(rig, 1), [1]);
    rig.report(1, key(1, attempt, 1), opened(id));
    assert_eq!(tasks(rig, 1), [2]);
    assert_eq!(tasks(rig, 2), [3]);
    rig.report(1, key(2, attempt, 1), written(id));
    rig.report(2, key(3, attempt, 1), written(id));
}

#[test]
fn parts_are_shared_once_the_upload_is_a_fact_and_the_end_waits_for_all() {
    let mut rig = rig(group());
    assert_eq!(tasks(&mut rig, 1), [1]);
    assert_eq!(tasks(&mut rig, 2), [] as [u8; 0], "the parts wait");
    let actions = rig.report(1, key(1, 1, 1), opened("a"));
    assert!(matches!(&actions[0], Action::Record(Fact::TaskDone { .. })), "{actions:?}");
    assert_eq!(granted(&actions).len(), 1, "the worker that waits gets parts");
    assert_eq!(tasks(&mut rig, 1), [3]);
    rig.report(2, key(2, 1, 1), written("a"));
    assert_eq!(tasks(&mut rig, 2), [] as [u8; 0], "the end waits");
    let actions = rig.report(1, key(3, 1, 1), written("a"));
    assert_eq!(granted(&actions), [key(4, 1, 1)]);
    let actions = rig.report(2, key(4, 1, 1), whole("a"));
    assert!(actions.contains(&Action::Publish { job: job(1) }));
    let progress = rig.machine.job(job(1)).unwrap().progress;
    assert_eq!((progress.objects_done, progress.objects_copied), (1, 1));
    assert_eq!((progress.bytes_total, progress.bytes_done), (2 * PART, 2 * PART));
}

#[test]
fn an_object_that_the_target_has_ends_the_whole_group() {
    let mut rig = rig(group());
    assert_eq!(tasks(&mut rig, 1), [1]);
    let actions = rig.report(1, key(1, 1, 1), TaskOutcome::Done(receipt(2 * PART)));
    assert!(actions.contains(&Action::Publish { job: job(1) }));
    assert_eq!(rig.machine.job(job(1)).unwrap().progress.objects_done, 1);
}

#[test]
fn steps_that_others_wait_for_go_first_and_an_end_goes_alone() {
    let mut tasks_of_both = group();
    tasks_of_both.extend([step(5, 1, GroupStep::Open), step(6, 1, GroupStep::Parts)]);
    tasks_of_both.extend([step(7, 1, GroupStep::Finish), task(8, 100 * MIB), task(9, MIB)]);
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.submit(1, 1);
    rig.planned(1, tasks_of_both);
    // Both openings, before larger tasks.
    assert_eq!(tasks(&mut rig, 1), [1, 5, 8, 9]);
    rig.report(1, key(5, 1, 1), opened("b"));
    rig.report(1, key(1, 1, 1), opened("a"));
    assert_eq!(tasks(&mut rig, 1), [2, 3, 6]);
    for number in [2, 3] {
        rig.report(1, key(number, 1, 1), written("a"));
    }
    rig.report(1, key(6, 1, 1), written("b"));
    assert_eq!(tasks(&mut rig, 1), [4]);
    assert_eq!(tasks(&mut rig, 1), [7]);
}

#[test]
fn receipts_of_another_shape_are_failures() {
    let cases: [(&str, TaskOutcome); 4] = [
        ("an opening without an upload", TaskOutcome::Done(Receipt::default())),
        (
            "an opening that wrote parts",
            TaskOutcome::Done(Receipt { upload: None, ..receipt_of_parts() }),
        ),
        ("an opening of two objects", {
            let objects = [receipt(1).objects, receipt(1).objects].concat();
            TaskOutcome::Done(Receipt { objects, ..Receipt::default() })
        }),
        ("an opening that failed", failed(TaskFailureKind::Transient)),
    ];
    for (what, outcome) in cases {
        let mut rig = rig(group());
        assert_eq!(tasks(&mut rig, 1), [1]);
        let actions = rig.report(1, key(1, 1, 1), outcome);
        assert!(
            matches!(&actions[..], [Action::Record(Fact::TaskFailed { .. })]),
            "{what}: {actions:?}"
        );
    }
    for outcome in [opened("a"), whole("a")] {
        let mut rig = rig(group());
        assert_eq!(tasks(&mut rig, 1), [1]);
        rig.report(1, key(1, 1, 1), opened("a"));
        assert_eq!(tasks(&mut rig, 1)[0], 2);
        let actions = rig.report(1, key(2, 1, 1), outcome);
        assert!(matches!(&actions[0], Action::Record(Fact::TaskFailed { .. })), "{actions:?}");
    }
}

fn receipt_of_parts() -> Receipt {
    let TaskOutcome::Done(receipt) = written("a") else { panic!("it is done") };
    receipt
}

#[test]
fn a_lost_upload_is_opened_again_and_late_parts_of_it_count_for_nothing() {
    for reporter in [2, 4] {
        let mut rig = rig(group());
        assert_eq!(tasks(&mut rig, 1), [1]);
        rig.report(1, key(1, 1, 1), opened("a"));
        assert_eq!(tasks(&mut rig, 1), [2]);
        assert_eq!(tasks(&mut rig, 2), [3]);
        if reporter == 4 {
            rig.report(1, key(2, 1, 1), written("a"));
            rig.report(2, key(3, 1, 1), written("a"));
            assert_eq!(tasks(&mut rig, 1), [4]);
        }
        let lost = failed(TaskFailureKind::UploadLost);
        let actions = rig.report(1, key(reporter, 1, 1), lost);
        let fingerprints = [1, 2, 3, 4].map(name).to_vec();
        let restarted = Fact::GroupRestarted { job: job(1), fingerprints };
        assert_eq!(actions, [Action::Record(restarted)]);
        assert_eq!(rig.beat(2, &[key(3, 1, 1)]), [key(3, 1, 1)], "it is abandoned");
        rig.report(2, key(3, 1, 1), written("a"));
        assert_eq!(rig.machine.job(job(1)).unwrap().progress.bytes_done, 0);
        assert_eq!(tasks(&mut rig, 1), [] as [u8; 0], "there is a pause");
        assert_eq!(granted(&rig.wait(2_000)), [key(1, 2, 1)]);
        rig.report(1, key(1, 2, 1), opened("b"));
        // Of the old upload, by a grant of now: it is written again.
        assert_eq!(tasks(&mut rig, 1), [2]);
        rig.report(1, key(2, 2, 1), written("a"));
        assert_eq!(rig.machine.job(job(1)).unwrap().progress.bytes_done, 0);
        assert_eq!(tasks(&mut rig, 1)[0], 2);
    }
}

#[test]
fn an_upload_that_is_lost_again_and_again_fails_the_job() {
    let limits = Limits { task_attempts_max: 2, ..Limits::default() };
    let mut rig = Rig::with(limits);
    rig.register(1, vec![]);
    rig.submit(1, 1);
    rig.planned(1, group());
    for (attempt, state) in [(1, JobState::Copying), (2, JobState::Failed)] {
        rig.register(1, vec![]);
        let keys = granted(&rig.ask(1, 1 << 30));
        assert_eq!(keys, [key(1, attempt, 1)]);
        rig.report(1, keys[0], opened("a"));
        let keys = granted(&rig.ask(1, 1 << 30));
        rig.report(1, keys[0], failed(TaskFailureKind::UploadLost));
        assert_eq!(rig.state(1), state);
        rig.wait(10_000);
    }
}

#[test]
fn a_replay_knows_what_is_done_of_a_group_and_forgets_what_was_lost() {
    use TaskFailureKind::UploadLost;
    type Happen = fn(&mut Rig);
    // What happened, and the tasks that a new coordinator grants.
    let cases: [(Happen, &[u8]); 5] = [
        (|_| {}, &[1]),
        (
            |rig| {
                rig.ask(1, 1 << 30);
                rig.report(1, key(1, 1, 1), opened("a"));
            },
            &[2, 3],
        ),
        (
            |rig| {
                rig.ask(1, 1 << 30);
                rig.report(1, key(1, 1, 1), opened("a"));
                rig.ask(1, 1 << 30);
                rig.report(1, key(2, 1, 1), written("a"));
            },
            &[3],
        ),
        (|rig| all_written(rig, "a", 1), &[4]),
        (
            |rig| {
                all_written(rig, "a", 1);
                rig.ask(1, 1 << 30);
                rig.report(1, key(4, 1, 1), failed(UploadLost));
            },
            &[1],
        ),
    ];
    for (number, (happen, expected)) in cases.into_iter().enumerate() {
        let mut rig = rig(group());
        happen(&mut rig);
        let facts = rig.facts.clone();
        let mut actions = Vec::new();
        let machine =
            Machine::recover(Epoch(2), Limits::default(), Moment(rig.now), facts, &mut actions);
        let mut after = Rig { machine, ..rig };
        after.register(1, vec![]);
        after.planned(1, group());
        after.wait(6_000);
        assert_eq!(tasks(&mut after, 1), expected, "case {number}");
    }
}

#[test]
fn a_step_that_a_worker_still_does_is_adopted_when_its_time_has_come() {
    for (held, happen, expected) in [
        (2, true, &[3][..]),
        // Nobody knows of an upload.
        (2, false, &[1]),
    ] {
        let mut rig = rig(group());
        assert_eq!(tasks(&mut rig, 1), [1]);
        if happen {
            rig.report(1, key(1, 1, 1), opened("a"));
        }
        let facts = rig.facts.clone();
        let mut actions = Vec::new();
        let machine =
            Machine::recover(Epoch(2), Limits::default(), Moment(rig.now), facts, &mut actions);
        let mut after = Rig { machine, ..rig };
        after.register(1, vec![key(held, 1, 1)]);
        after.register(2, vec![]);
        after.planned(1, group());
        after.wait(6_000);
        assert_eq!(tasks(&mut after, 2), expected);
        let abandoned = after.beat(1, &[key(held, 1, 1)]);
        assert_eq!(abandoned.is_empty(), happen);
    }
}

#[test]
fn an_object_that_is_missing_when_it_is_published_is_copied_from_the_start() {
    let mut rig = rig(group());
    all_written(&mut rig, "a", 1);
    assert_eq!(tasks(&mut rig, 1), [4]);
    rig.report(1, key(4, 1, 1), whole("a"));
    let outcome = PublishOutcome::Missing(vec![name(4)]);
    let actions = rig.step(Event::PublishEnded { job: job(1), outcome });
    assert!(matches!(&actions[..], [Action::Record(Fact::GroupRestarted { .. })]), "{actions:?}");
    rig.wait(3_000);
    assert_eq!(tasks(&mut rig, 1), [1]);
}

#[test]
fn a_plan_with_a_group_in_pieces_fails() {
    use GroupStep::{Finish, Open, Parts};
    let open = || step(1, 0, Open);
    for (what, tasks) in [
        ("no end", vec![open(), step(2, 0, Parts)]),
        ("no parts", vec![open(), step(4, 0, Finish)]),
        ("no opening", vec![step(2, 0, Parts), step(4, 0, Finish)]),
        ("another group between", vec![open(), step(2, 1, Parts), step(4, 0, Finish)]),
        ("another task between", vec![open(), step(2, 0, Parts), task(9, 1), step(4, 0, Finish)]),
        ("a number is left out", vec![step(1, 1, Open), step(2, 1, Parts), step(4, 1, Finish)]),
        ("parts after the end", [group(), vec![step(5, 0, Parts)]].concat()),
    ] {
        let rig = rig(tasks);
        assert_eq!(rig.state(1), JobState::Failed, "{what}");
    }
}

#[test]
fn parts_are_taken_back_from_a_slow_worker_and_never_written_by_two() {
    let mut rig = rig(group());
    assert_eq!(tasks(&mut rig, 1), [1]);
    rig.report(1, key(1, 1, 1), opened("a"));
    assert_eq!(tasks(&mut rig, 1), [2]);
    assert_eq!(tasks(&mut rig, 2), [3]);
    rig.report(2, key(3, 1, 1), written("a"));
    rig.wait(11_000);
    assert_eq!(granted(&rig.ask(2, 1 << 30)), [key(2, 2, 1)]);
    assert_eq!(rig.beat(1, &[key(2, 1, 1)]), [key(2, 1, 1)], "it is abandoned");
    assert_eq!(tasks(&mut rig, 1), [] as [u8; 0]);
    // What it wrote all the same is the same.
    let actions = rig.report(1, key(2, 1, 1), written("a"));
    assert_eq!(granted(&actions), [key(4, 1, 1)]);
    rig.wait(11_000);
    assert_eq!(tasks(&mut rig, 2), [] as [u8; 0], "an end is not taken back");
}

fn copying(rig: &mut Rig) -> &mut Tasks {
    rig.machine.jobs.get_mut(&job(1)).unwrap().copying_mut().unwrap()
}

/// An opened upload: one of the parts is written by worker 1, the other one is ready.
fn half_written() -> Rig {
    let mut rig = rig(group());
    assert_eq!(tasks(&mut rig, 1), [1]);
    rig.report(1, key(1, 1, 1), opened("a"));
    assert_eq!(tasks(&mut rig, 1), [2]);
    rig
}

#[test]
fn steps_out_of_their_order_are_named() {
    use TaskState::{Done, Ready, Waiting};
    for states in [
        [Waiting, Waiting, Waiting, Waiting],
        [Waiting, Waiting, Waiting, Ready],
        [Ready, Ready, Waiting, Waiting],
        [Done, Ready, Waiting, Waiting],
        [Done, Ready, Done, Ready],
        [Done, Done, Done, Waiting],
        [Done, Ready, Done, Done],
        [Ready, Done, Done, Done],
    ] {
        let mut rig = half_written();
        for (index, state) in (0..).map(TaskIndex).zip(states) {
            assert!(copying(&mut rig).set(index, state).is_some());
        }
        let found = rig.machine.violations();
        let is_named = found.iter().any(|violation| violation.what.starts_with("M15:"));
        assert!(is_named, "{states:?}: {found:?}");
    }
}

#[test]
fn two_leases_of_one_range_of_parts_are_named() {
    let mut rig = half_written();
    let tasks = copying(&mut rig);
    let TaskState::Leased(leases) = tasks.get(TaskIndex(1)).unwrap().state else {
        panic!("it is leased");
    };
    let copy = Lease::new(worker(2), &key(2, 2, 1), Moment(0), LEASE_TTL);
    let both = TaskState::Leased(leases.with_copy(copy).unwrap());
    assert!(tasks.set(TaskIndex(1), both).is_some());
    let found = rig.machine.violations();
    assert!(found.iter().any(|violation| violation.what.starts_with("M16:")), "{found:?}");
}

/// The tasks that a new coordinator grants in the next epoch.
fn after_a_restart(mut rig: Rig, tasks_of_plan: Vec<PlanTask>) -> Vec<u8> {
    rig.restart();
    rig.register(1, vec![]);
    rig.planned(1, tasks_of_plan);
    rig.wait(6_000);
    tasks(&mut rig, 1)
}

#[test]
fn a_replay_knows_an_object_that_is_whole_by_its_end_or_by_its_opening() {
    let with_another = || [group(), vec![task(9, MIB)]].concat();
    let mut ended = rig(with_another());
    assert_eq!(tasks(&mut ended, 1), [1]);
    ended.report(1, key(1, 1, 1), opened("a"));
    assert_eq!(tasks(&mut ended, 1), [2, 3]);
    for number in [2, 3] {
        ended.report(1, key(number, 1, 1), written("a"));
    }
    assert_eq!(tasks(&mut ended, 1), [4]);
    ended.report(1, key(4, 1, 1), whole("a"));
    assert_eq!(after_a_restart(ended, with_another()), [9]);

    let mut found = rig(with_another());
    assert_eq!(tasks(&mut found, 1), [1]);
    found.report(1, key(1, 1, 1), TaskOutcome::Done(receipt(2 * PART)));
    assert_eq!(after_a_restart(found, with_another()), [9]);
}

#[test]
fn a_fact_that_does_not_show_the_step_counts_for_nothing() {
    let mut rig = half_written();
    for fact in &mut rig.facts {
        if let Fact::TaskDone { receipt, .. } = fact {
            receipt.upload = None;
        }
    }
    assert_eq!(after_a_restart(rig, group()), [1]);
}

#[test]
fn a_replay_counts_how_often_an_upload_was_lost() {
    let mut rig = Rig::with(Limits { task_attempts_max: 2, ..Limits::default() });
    rig.submit(1, 1);
    for (epoch, attempt, state) in [(1, 1, JobState::Copying), (2, 2, JobState::Failed)] {
        rig.register(1, vec![]);
        rig.planned(1, group());
        rig.wait(6_000);
        let keys = granted(&rig.ask(1, 1 << 30));
        assert_eq!(keys, [key(1, attempt, epoch)]);
        rig.report(1, keys[0], opened("a"));
        let keys = granted(&rig.ask(1, 1 << 30));
        rig.report(1, keys[0], failed(TaskFailureKind::UploadLost));
        assert_eq!(rig.state(1), state);
        if state == JobState::Copying {
            rig.restart();
        }
    }
}

#[test]
fn parts_are_taken_back_a_few_times_and_then_stay_where_they_are() {
    let mut rig = half_written();
    assert_eq!(tasks(&mut rig, 2), [3]);
    rig.report(2, key(3, 1, 1), written("a"));
    // The pause after one time is over before the next.
    rig.machine.limits.worker_aside = HEARTBEAT_INTERVAL;
    for number in 3..=5 {
        rig.register(number, vec![]);
    }
    for attempt in 1..=PARTS_TAKEN_BACK_MAX + 1 {
        let (held, holder) = (key(2, attempt, 1), u128::from(attempt));
        for _ in 0..6 {
            rig.wait(2_500);
            for number in 1..=5 {
                let of_worker = if number == holder { &[held][..] } else { &[] };
                assert_eq!(rig.beat(number, of_worker), []);
            }
        }
        let taken = granted(&rig.ask(holder + 1, 1 << 30));
        if attempt > PARTS_TAKEN_BACK_MAX {
            assert_eq!(taken, []);
        } else {
            assert_eq!(taken, [key(2, attempt + 1, 1)]);
            assert_eq!(rig.beat(holder, &[held]), [held]);
        }
    }
}

#[test]
fn parts_that_are_free_are_given_out_whatever_else_the_report_tells() {
    let mut rig = rig([group(), vec![task(9, MIB)]].concat());
    assert_eq!([tasks(&mut rig, 1), tasks(&mut rig, 1)].concat(), [1, 9]);
    assert_eq!(tasks(&mut rig, 2), [] as [u8; 0]);
    let done = TaskOutcome::Done(receipt(MIB));
    let outcomes = vec![(key(1, 1, 1), opened("a")), (key(9, 1, 1), done)];
    let actions = rig.step(Event::Reported { worker: worker(1), outcomes });
    assert_eq!(granted(&actions), [key(2, 1, 1)]);
}
