//! Any events in any order: no invariant breaks, and nothing is published before it is done.

use proptest::prelude::*;

use super::*;
use crate::job_limits::LimitsChange;

fn keys() -> impl Strategy<Value = GrantKey> {
    (1..4_u128, 0..4_u8, 1..4_u32, 1..3_u64).prop_map(|(number, task, attempt, epoch)| GrantKey {
        job: job(number),
        ..key(task, attempt, epoch)
    })
}

fn outcomes() -> impl Strategy<Value = TaskOutcome> {
    prop_oneof![
        6 => Just(TaskOutcome::Done(receipt(9))),
        1 => Just(TaskOutcome::Done(Receipt::default())),
        2 => Just(failed(TaskFailureKind::Throttled)),
        2 => Just(failed(TaskFailureKind::SourceNotFound)),
        2 => Just(failed(TaskFailureKind::TargetDenied)),
        1 => Just(failed(TaskFailureKind::TargetConflict)),
    ]
}

fn publish_outcomes() -> impl Strategy<Value = PublishOutcome> {
    prop_oneof![
        Just(PublishOutcome::Published { version: 1 }),
        Just(PublishOutcome::Rebase),
        (0..4_u8).prop_map(|task| PublishOutcome::Missing(vec![name(task)])),
    ]
}

fn limit_changes() -> impl Strategy<Value = LimitsChange> {
    let limit = || prop_oneof![Just(None), (1..4_u32).prop_map(Some)];
    let held = proptest::option::of(proptest::bool::ANY);
    (proptest::option::of(limit()), proptest::option::of(limit()), held).prop_map(|changes| {
        let (rate, copies, held) = changes;
        let rate = rate.map(|rate| rate.map(|rate| u64::from(rate) * (128 << 10)));
        LimitsChange { bytes_per_second: rate, concurrency: copies, held }
    })
}

fn events() -> impl Strategy<Value = Event> {
    let jobs = (1..4_u128).prop_map(job).boxed();
    let workers = (1..4_u128).prop_map(worker).boxed();
    let held = proptest::collection::vec(keys(), 0..4).boxed();
    let tasks = proptest::sample::subsequence(vec![0, 1, 2, 3_u8], 0..=4);
    let route_known = || BTreeSet::from([route().source, route().target]);
    prop_oneof![
        (jobs.clone(), 1..3_u8).prop_map(|(job, target)| Event::Submitted {
            job,
            target: TargetKey([target; 32]),
            route: route(),
            spec: vec![],
            limits: JobLimits::default(),
        }),
        (jobs.clone(), limit_changes())
            .prop_map(|(job, change)| Event::LimitsChanged { job, change }),
        jobs.clone().prop_map(|job| Event::TasksRecalled { job }),
        jobs.clone().prop_map(|job| Event::CancelRequested { job }),
        (jobs.clone(), tasks).prop_map(|(job, tasks)| {
            let tasks = tasks.into_iter().map(|number| task(number, u64::from(number) * 3));
            Event::Planned { job, plan: plan(tasks.collect()) }
        }),
        (workers.clone(), held.clone()).prop_map(move |(worker, held)| Event::WorkerRegistered {
            worker,
            readable: route_known(),
            writable: route_known(),
            held,
        }),
        (workers.clone(), 0..20_u64, 0..60_000_u64).prop_map(|(worker, bytes, until)| {
            let deadline = Moment(until);
            Event::TasksWanted { worker, capacity: Capacity { bytes, objects: 2 }, deadline }
        }),
        (workers.clone(), held.clone()).prop_map(|(worker, held)| Event::Heartbeat {
            worker,
            held: held
                .into_iter()
                .map(|task| HeldTask { key: task, bytes_done: 1, bytes_read: 0 })
                .collect(),
        }),
        (workers.clone(), keys(), outcomes()).prop_map(|(worker, key, outcome)| {
            Event::Reported { worker, outcomes: vec![(key, outcome)] }
        }),
        (workers.clone(), held)
            .prop_map(|(worker, returned)| Event::WorkerLeft { worker, returned }),
        workers.prop_map(|worker| Event::DrainRequested { worker }),
        (jobs, publish_outcomes()).prop_map(|(job, outcome)| Event::PublishEnded { job, outcome }),
        Just(Event::DeadlineReached),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_breaks_the_machine(
        steps in proptest::collection::vec((events(), 0..9_000_u64, 0..25_u8), 0..60),
    ) {
        let mut rig = Rig::new();
        for (event, pause, restart) in steps {
            rig.now += pause;
            if restart == 0 {
                rig.restart();
            }
            for action in rig.step(event) {
                if let Action::Publish { job } = action {
                    let progress = rig.machine.job(job).unwrap().progress;
                    prop_assert_eq!(progress.tasks_done, progress.tasks_total);
                }
            }
        }
    }
}
