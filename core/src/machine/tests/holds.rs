//! Jobs that are held: no worker gets a task of them.

use super::*;
use crate::job_limits::LimitsChange;
use crate::limits::NO_WORKERS_WAIT;

const HELD: JobLimits = JobLimits { bytes_per_second: None, concurrency: None, held: true };

fn hold(held: bool) -> Event {
    let change = LimitsChange { held: Some(held), ..LimitsChange::default() };
    Event::LimitsChanged { job: job(1), change }
}

/// A job of two tasks, one of which is being copied.
fn half_way() -> (Rig, GrantKey) {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.submit(1, 1);
    rig.planned(1, vec![task(1, MIB), task(2, MIB)]);
    let keys = granted(&rig.ask(1, 1));
    assert_eq!(keys.len(), 1);
    (rig, keys[0])
}

#[test]
fn a_held_job_gets_no_task_and_what_is_copied_ends() {
    let (mut rig, key) = half_way();
    let limited = Action::Record(Fact::Limited { job: job(1), limits: HELD });
    assert_eq!(rig.step(hold(true)), [limited]);
    assert_eq!(rig.state(1), JobState::Held);
    assert_eq!(granted(&rig.ask(1, MIB)), []);
    assert_eq!(rig.beat(1, &[key]), [], "what it copies it copies to the end");
    rig.done(1, key, MIB);
    assert_eq!(rig.state(1), JobState::Held);
    let actions = rig.step(hold(false));
    assert_eq!(granted(&actions).len(), 1, "who waits gets the rest at once");
    rig.done(1, granted(&actions)[0], MIB);
    assert_eq!(rig.state(1), JobState::Publishing);
}

#[test]
fn a_job_that_is_held_from_the_beginning_is_planned_and_waits_as_long_as_it_takes() {
    let mut rig = Rig::new();
    rig.register(1, vec![]);
    rig.ask(1, MIB);
    rig.submit_with(1, 1, HELD);
    assert_eq!(granted(&rig.planned(1, vec![task(1, 1)])), []);
    rig.step(Event::WorkerLeft { worker: worker(1), returned: vec![] });
    rig.wait(3 * NO_WORKERS_WAIT.as_secs() * 1_000);
    assert_eq!(rig.state(1), JobState::Held, "it waits for no worker");
    rig.restart();
    rig.planned(1, vec![task(1, 1)]);
    assert_eq!(rig.state(1), JobState::Held, "a restart changes nothing");
    rig.step(Event::CancelRequested { job: job(1) });
    assert_eq!(rig.state(1), JobState::Cancelled);
}

#[test]
fn tasks_that_are_recalled_go_back_without_a_penalty() {
    let (mut rig, key) = half_way();
    for _ in 0..20 {
        rig.step(hold(true));
        rig.step(Event::TasksRecalled { job: job(1) });
        assert_eq!(rig.state(1), JobState::Held);
        assert_eq!(rig.beat(1, &[key]), [key], "its worker is told to drop it");
        rig.step(hold(false));
        let again = granted(&rig.ask(1, 1));
        assert_eq!(again.len(), 1, "it is given out again, and no budget is spent");
        rig.step(Event::TasksRecalled { job: job(1) });
    }
}

#[test]
fn what_a_worker_ended_before_it_was_told_counts() {
    let (mut rig, key) = half_way();
    rig.step(hold(true));
    rig.step(Event::TasksRecalled { job: job(1) });
    rig.done(1, key, MIB);
    let view = rig.machine.job(job(1)).unwrap();
    assert_eq!((view.progress.tasks_done, view.state), (1, JobState::Held));
}

#[test]
fn there_is_nothing_to_recall_of_a_job_that_copies_nothing() {
    let mut rig = Rig::new();
    assert_eq!(rig.step(Event::TasksRecalled { job: job(1) }), []);
    rig.submit(1, 1);
    assert_eq!(rig.step(Event::TasksRecalled { job: job(1) }), []);
    assert_eq!(rig.state(1), JobState::Planning);
}
