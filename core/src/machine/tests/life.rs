//! A job from its submission to its end.

use super::*;
use crate::failure::Failure;
use crate::reason::Reason;

fn publish_ended(rig: &mut Rig, outcome: PublishOutcome) -> Vec<Action> {
    rig.step(Event::PublishEnded { job: job(1), outcome })
}

fn ended(actions: &[Action]) -> Option<End> {
    actions.iter().find_map(|action| match action {
        Action::Record(Fact::Ended { end, .. }) => Some(end.clone()),
        _ => None,
    })
}

#[test]
fn a_job_goes_from_submitted_to_succeeded() {
    let mut rig = Rig::new();
    let created =
        Fact::Created { job: job(1), target: TargetKey([1; 32]), route: route(), spec: vec![9] };
    let begun = [Action::Record(created), Action::Plan { job: job(1) }];
    assert_eq!(rig.submit(1, 1), begun);
    assert_eq!(rig.submit(1, 1), [], "the same again changes nothing");
    assert_eq!(rig.state(1), JobState::Planning);
    rig.planned(1, vec![task(1, MIB)]);
    assert_eq!(rig.state(1), JobState::WaitingForWorkers);
    rig.register(1, vec![]);
    assert_eq!(rig.state(1), JobState::Copying);
    let keys = granted(&rig.ask(1, 8 * MIB));
    assert_eq!(keys, [key(1, 1, 1)]);
    let fingerprint = name(1);
    let finished = [
        Action::Record(Fact::TaskDone { job: job(1), fingerprint, receipt: receipt(MIB) }),
        Action::Record(Fact::PublishIntended { job: job(1) }),
        Action::Publish { job: job(1) },
    ];
    assert_eq!(rig.done(1, keys[0], MIB), finished);
    assert_eq!(rig.done(1, keys[0], MIB), [], "a report that comes twice is absorbed");
    assert_eq!(rig.state(1), JobState::Publishing);
    let end = End::Succeeded { source_version: 5, replica_version: 3, up_to_date: false };
    let progress = rig.machine.job(job(1)).unwrap().progress;
    let published = [
        Action::Record(Fact::Published { job: job(1), version: 3 }),
        Action::Record(Fact::Ended { job: job(1), end: end.clone(), progress }),
        Action::Ended { job: job(1) },
    ];
    assert_eq!(publish_ended(&mut rig, PublishOutcome::Published { version: 3 }), published);
    let view = rig.machine.job(job(1)).unwrap();
    assert_eq!(view.progress, progress);
    assert_eq!((view.state, view.end), (JobState::Succeeded, Some(&end)));
    assert_eq!((view.progress.objects_copied, view.progress.bytes_written), (1, MIB));
    assert_eq!((view.progress.tasks_done, view.progress.workers_used), (1, 1));
}

#[test]
fn a_plan_without_work_is_published_at_once() {
    let mut rig = Rig::new();
    rig.submit(1, 1);
    let actions = rig.planned(1, vec![]);
    assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }));
}

#[test]
fn jobs_of_one_target_run_one_after_another() {
    let mut rig = Rig::new();
    for (number, target) in [(1, 1), (2, 1), (3, 1), (4, 2)] {
        rig.submit(number, target);
    }
    let states = |rig: &Rig| [1, 2, 3, 4].map(|number| rig.state(number));
    use JobState::{Cancelled, Planning, Queued, Succeeded};
    assert_eq!(states(&rig), [Planning, Queued, Queued, Planning]);
    let cancelled = rig.step(Event::CancelRequested { job: job(2) });
    assert_eq!(ended(&cancelled), Some(End::Cancelled));
    let up_to_date = Event::UpToDate { job: job(1), source_version: 5, replica_version: 2 };
    let actions = rig.step(up_to_date);
    assert_eq!(actions.last(), Some(&Action::Plan { job: job(3) }));
    assert_eq!(states(&rig), [Succeeded, Cancelled, Planning, Planning]);
}

#[test]
fn a_cancel_ends_a_job_unless_its_commit_may_be_on_its_way() {
    let (mut rig, keys) = Rig::copying(vec![task(1, MIB), task(2, MIB)], 8 * MIB);
    rig.beat(1, &keys);
    let progress = rig.machine.job(job(1)).unwrap().progress;
    assert_eq!((progress.workers, progress.bytes_moving), (1, 2));
    assert_eq!(ended(&rig.step(Event::CancelRequested { job: job(1) })), Some(End::Cancelled));
    assert_eq!(rig.beat(1, &keys), keys, "its grants are abandoned");
    assert_eq!(rig.done(1, keys[0], MIB), [], "a late report is absorbed");
    let progress = rig.machine.job(job(1)).unwrap().progress;
    assert_eq!((progress.workers, progress.bytes_moving), (0, 0), "nobody works on it");
    assert_eq!((progress.tasks_total, progress.attempts), (2, 2));

    let failure = Failure::new(Reason::TargetDiverged, "no");
    for (outcome, expected) in [
        (PublishOutcome::Published { version: 3 }, JobState::Succeeded),
        (PublishOutcome::Rebase, JobState::Cancelled),
        (PublishOutcome::Missing(vec![]), JobState::Cancelled),
        (PublishOutcome::Failed(failure), JobState::Failed),
    ] {
        let mut rig = Rig::new();
        rig.submit(1, 1);
        rig.planned(1, vec![]);
        let actions = rig.step(Event::CancelRequested { job: job(1) });
        assert_eq!(actions, [Action::Record(Fact::CancelRequested { job: job(1) })]);
        assert_eq!(rig.step(Event::CancelRequested { job: job(1) }), []);
        assert_eq!(rig.state(1), JobState::Cancelling);
        publish_ended(&mut rig, outcome);
        assert_eq!(rig.state(1), expected);
    }
}

#[test]
fn a_lost_race_is_planned_again_and_keeps_what_was_copied() {
    let (mut rig, keys) = Rig::copying(vec![task(1, MIB)], 8 * MIB);
    rig.done(1, keys[0], MIB);
    let replans = publish_ended(&mut rig, PublishOutcome::Rebase);
    assert_eq!(replans, [Action::Plan { job: job(1) }]);
    let actions = rig.planned(1, vec![task(1, MIB), task(2, MIB)]);
    assert!(matches!(actions[..], [Action::Record(Fact::Planned { .. })]), "{actions:?}");
    let keys = granted(&rig.ask(1, 8 * MIB));
    assert_eq!(keys, [key(2, 1, 1)]);
    rig.done(1, keys[0], MIB);
    for _ in 1..Limits::default().rebases_max {
        publish_ended(&mut rig, PublishOutcome::Rebase);
        rig.planned(1, vec![task(1, MIB)]);
    }
    let actions = publish_ended(&mut rig, PublishOutcome::Rebase);
    let Some(End::Failed(failure)) = ended(&actions) else { panic!("{actions:?}") };
    assert_eq!(failure.reason, Reason::TargetBusy);
}

#[test]
fn evidence_that_went_stale_is_copied_again_and_old_reports_are_void() {
    let (mut rig, keys) = Rig::copying(vec![task(1, MIB), task(2, MIB)], 8 * MIB);
    rig.done(1, keys[0], MIB);
    rig.done(1, keys[1], MIB);
    assert_eq!(rig.state(1), JobState::Publishing);
    publish_ended(&mut rig, PublishOutcome::Missing(vec![name(1)]));
    assert_eq!(rig.state(1), JobState::Copying);
    assert_eq!(rig.done(1, key(1, 1, 1), MIB), [], "it told of what was deleted since");
    let again = granted(&rig.ask(1, 8 * MIB));
    assert_eq!(again, [key(1, 2, 1)]);
    let actions = rig.done(1, again[0], MIB);
    assert_eq!(actions.last(), Some(&Action::Publish { job: job(1) }));
}

#[test]
fn too_many_jobs_and_plans_that_cannot_be_are_refused_with_a_reason() {
    let limits = Limits { jobs_live_max: 1, jobs_ended_max: 1, tasks_max: 1, ..Limits::default() };
    let reason = |actions: &[Action]| match ended(actions) {
        Some(End::Failed(failure)) => failure.reason,
        other => panic!("{other:?}"),
    };
    let mut rig = Rig::with(limits);
    rig.submit(9, 9);
    rig.step(Event::CancelRequested { job: job(9) });
    rig.submit(1, 1);
    let facts = rig.facts.len();
    let refused = rig.submit(2, 2);
    let [Action::Refused { job: none, failure }] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!((*none, failure.reason), (job(2), Reason::Overloaded));
    assert_eq!(rig.facts.len(), facts, "nothing is recorded of it");
    assert_eq!(rig.machine.job(job(2)), None);
    assert_eq!(rig.state(9), JobState::Cancelled, "and no history gives way to it");
    let mut fits = rig.clone();
    fits.planned(1, vec![task(1, 1)]);
    assert_eq!(fits.state(1), JobState::WaitingForWorkers);
    assert_eq!(reason(&rig.planned(1, vec![task(1, 1), task(2, 1)])), Reason::Overloaded);
    let mut rig = Rig::new();
    rig.submit(1, 1);
    assert_eq!(reason(&rig.planned(1, vec![task(1, 1), task(1, 1)])), Reason::Internal);
}

#[test]
fn ended_jobs_are_shown_up_to_a_limit() {
    let mut rig = Rig::with(Limits { jobs_ended_max: 2, ..Limits::default() });
    for number in 1..=4 {
        rig.submit(number, 1);
        rig.step(Event::CancelRequested { job: job(number) });
    }
    let shown: Vec<JobId> = rig.machine.jobs().map(|view| view.job).collect();
    assert_eq!(shown, [job(3), job(4)]);
}
