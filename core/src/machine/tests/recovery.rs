//! Facts become a machine again.

use super::*;
use crate::limits::HEARTBEAT_INTERVAL;

const BEAT_MS: u64 = HEARTBEAT_INTERVAL.as_secs() * 1_000;

#[test]
fn what_is_done_stays_done_and_the_rest_goes_on_after_one_heartbeat() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 30), task(2, 20), task(3, 10)], 1);
    rig.done(1, keys[0], 30);
    assert_eq!(rig.restart(), [Action::Plan { job: job(1) }]);
    rig.register(1, vec![]);
    rig.planned(1, vec![task(1, 30), task(2, 20), task(3, 10)]);
    let progress = rig.machine.job(job(1)).unwrap().progress;
    assert_eq!((progress.tasks_done, progress.objects_copied, progress.bytes_read), (1, 1, 30));
    assert_eq!(rig.ask(1, MIB), [], "nothing is granted at first");
    assert_eq!(rig.wait(BEAT_MS - 1), []);
    assert_eq!(granted(&rig.wait(1)), [key(2, 1, 2), key(3, 1, 2)]);
}

#[test]
fn announced_tasks_are_adopted_before_and_after_the_plan() {
    let tasks = || vec![task(1, 30), task(2, 20), task(3, 10)];
    let (mut rig, keys) = Rig::copying(tasks(), MIB);
    assert_eq!(keys, [key(1, 1, 1), key(2, 1, 1), key(3, 1, 1)]);
    rig.restart();
    rig.register(1, keys[..1].to_vec());
    assert_eq!(rig.beat(1, &keys), keys[1..], "what it did not announce is not its own");
    rig.register(2, keys[2..].to_vec());
    let actions = rig.done(2, keys[2], 10);
    assert!(matches!(actions[..], [Action::Record(Fact::TaskDone { .. })]), "{actions:?}");
    rig.planned(1, tasks());
    rig.register(2, keys[1..2].to_vec());
    assert_eq!(rig.beat(1, &keys[..1]), []);
    assert_eq!(rig.beat(2, &keys[1..2]), []);
    let view = rig.machine.job(job(1)).unwrap();
    assert_eq!((view.progress.workers, view.progress.tasks_done), (2, 1));
    rig.ask(1, MIB);
    assert_eq!(granted(&rig.wait(BEAT_MS)), [], "everything is held or done");
    rig.done(1, keys[0], 30);
    let actions = rig.done(2, keys[1], 20);
    assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }));
}

#[test]
fn a_commit_that_was_on_its_way_is_found_in_the_log() {
    for cancelled in [false, true] {
        let mut rig = Rig::new();
        rig.submit(1, 1);
        rig.planned(1, vec![]);
        if cancelled {
            rig.step(Event::CancelRequested { job: job(1) });
        }
        assert_eq!(rig.restart(), [Action::Plan { job: job(1) }]);
        let waits = if cancelled { JobState::Cancelling } else { JobState::Planning };
        assert_eq!(rig.state(1), waits);
        let mut not_in_the_log = rig.clone();
        let outcome = PublishOutcome::Published { version: 9 };
        rig.step(Event::PublishEnded { job: job(1), outcome });
        assert_eq!(rig.state(1), JobState::Succeeded);
        not_in_the_log.planned(1, vec![]);
        let goes_on = if cancelled { JobState::Cancelled } else { JobState::Publishing };
        assert_eq!(not_in_the_log.state(1), goes_on);
    }
}

#[test]
fn a_grant_that_this_epoch_never_gave_is_not_adopted() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.restart();
    rig.planned(1, vec![task(1, 10)]);
    let forged = [key(1, 1, 2), key(1, 1, 9)];
    rig.register(1, forged.to_vec());
    assert_eq!(rig.beat(1, &forged), forged);
}

#[test]
fn ends_queues_and_failures_survive() {
    let (mut rig, keys) = Rig::copying(vec![task(1, 10)], MIB);
    rig.submit(2, 1);
    rig.submit(3, 2);
    rig.step(Event::CancelRequested { job: job(3) });
    rig.report(1, keys[0], failed(TaskFailureKind::Transient));
    assert_eq!(rig.restart(), [Action::Plan { job: job(1) }]);
    let states = [1, 2, 3].map(|number| rig.state(number));
    assert_eq!(states, [JobState::Planning, JobState::Queued, JobState::Cancelled]);
    rig.planned(1, vec![task(1, 10)]);
    rig.register(1, vec![]);
    rig.wait(BEAT_MS);
    for left in (0..Limits::default().task_attempts_max - 1).rev() {
        let actions = [rig.ask(1, MIB), rig.wait(15_000)].concat();
        rig.beat(1, &[]);
        rig.report(1, granted(&actions)[0], failed(TaskFailureKind::Transient));
        assert_eq!(rig.state(1).is_final(), left == 0, "{left} left");
        rig.wait(15_000);
        rig.beat(1, &[]);
    }
    assert_eq!(rig.state(2), JobState::Planning);
}

#[test]
fn a_published_job_ends_even_when_its_end_was_not_recorded() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    rig.planned(1, vec![]);
    rig.facts.push(Fact::Published { job: job(1), version: 3 });
    let actions = rig.restart();
    let end = End::Succeeded { source_version: 5, replica_version: 3, up_to_date: false };
    let progress = Progress::default();
    let ended = Action::Record(Fact::Ended { job: job(1), end, progress });
    assert_eq!(actions, [ended, Action::Ended { job: job(1) }]);
}
