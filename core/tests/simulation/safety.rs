//! What must never happen: a commit without its objects, two commits of a job, a done task that is
//! granted, an end that is undone.

use std::collections::BTreeMap;

use deepclone_core::group::GroupStep;
use deepclone_core::ids::{GrantKey, JobId};
use deepclone_core::machine::{Action, End, Event, Fact, TaskOutcome};
use deepclone_core::receipt::TaskFailureKind;

use crate::scenario::{Kind, task_objects};
use crate::steps::step_of;
use crate::world::World;

/// The machine is told an event.
pub(crate) fn arrived(world: &mut World, event: &Event) {
    use TaskFailureKind::{SourceDenied, SourceNotFound, TargetDenied};
    let Event::Reported { worker, outcomes } = event else { return };
    if *worker == crate::liar::id() {
        return;
    }
    for (key, outcome) in outcomes {
        if let TaskOutcome::Failed(failure) = outcome
            && matches!(failure.kind, SourceDenied | SourceNotFound | TargetDenied)
        {
            let life = world.life;
            world.seen.denied.insert((*worker, key.job, key.fingerprint, life));
        }
    }
}

/// A fact becomes durable.
pub(crate) fn recorded(world: &mut World, fact: &Fact) {
    let job = fact.job();
    let seen = &mut world.seen;
    assert!(!seen.ends.contains_key(&job), "a fact after the end: {fact:?}");
    match fact {
        Fact::TaskDone { fingerprint, receipt, .. } => {
            let first = seen.done.insert((job, *fingerprint));
            assert!(first || seen.stale.contains(fingerprint), "done twice: {fingerprint:?}");
            let objects = match step_of(*fingerprint) {
                None => task_objects(fingerprint.0[1]) as usize,
                Some(GroupStep::Finish) => 1,
                Some(GroupStep::Open | GroupStep::Parts) if receipt.objects.is_empty() => return,
                Some(step) => usize::from(step == GroupStep::Open),
            };
            assert_eq!(receipt.objects.len(), objects, "evidence for every object");
            let key = (world.jobs[&job].target, fingerprint.0[1]);
            let was_there = world.store.writes.contains_key(&key);
            assert!(was_there, "evidence for {fingerprint:?}, which nobody ever wrote");
        }
        Fact::PublishIntended { .. } => {
            seen.intended.insert(job);
        }
        Fact::Ended { end, .. } => {
            seen.ends.insert(job, end.clone());
            seen.ended_ms.insert(job, world.now);
        }
        Fact::Created { .. }
        | Fact::Limited { .. }
        | Fact::Planned { .. }
        | Fact::TaskFailed { .. }
        | Fact::GroupRestarted { .. }
        | Fact::CancelRequested { .. }
        | Fact::Published { .. } => {}
    }
}

/// An action leaves, after the facts of its batch.
pub(crate) fn released(world: &mut World, action: &Action) {
    let seen = &world.seen;
    match action {
        Action::Publish { job } => {
            assert!(seen.intended.contains(job), "published before the intent is durable");
            for &number in &seen.plans[job].1 {
                let name = world.fingerprint(*job, number);
                assert!(seen.done.contains(&(*job, name)), "published without task {number}");
            }
        }
        Action::Heard { worker, refused, .. } => {
            // Nothing that an honest worker says of a task of the newest plan is refused while no
            // message is lost or late.
            let honest = *worker != crate::liar::id() && world.scenario.kind != Kind::Chaos;
            let is_planned = |key: &&GrantKey| {
                let numbers = seen.plans.get(&key.job).into_iter().flat_map(|plan| &plan.1);
                let mut names = numbers.flat_map(|&number| world.names(key.job, number));
                // One of an earlier epoch counts only if its worker could announce it in time.
                let is_sure = key.epoch.0 == world.life || world.scenario.kind != Kind::Contents;
                is_sure && names.any(|name| name == key.fingerprint)
            };
            let wrong = refused.iter().find(is_planned);
            assert!(!honest || wrong.is_none(), "{worker} is refused {wrong:?}");
        }
        Action::Grant { worker, tasks } => {
            for grant in tasks {
                let name = grant.key.fingerprint;
                let done = seen.done.contains(&(grant.key.job, name));
                assert!(!done || seen.stale.contains(&name), "a done task is granted: {name:?}");
                assert_eq!(grant.key.epoch.0, world.life, "granted in another epoch");
                let denied = seen.denied.contains(&(*worker, grant.key.job, name, world.life));
                assert!(!denied, "{name:?} goes again to a worker that was denied it");
            }
            let keys: Vec<GrantKey> = tasks.iter().map(|grant| grant.key).collect();
            keys.iter().for_each(|key| crate::efficiency::granted(world, *worker, key));
        }
        Action::Violated(violation) => panic!("{violation:?}"),
        Action::Record(_)
        | Action::Plan { .. }
        | Action::PlanAgain { .. }
        | Action::Refused { .. }
        | Action::Beat { .. }
        | Action::Noticed(_)
        | Action::Changed { .. }
        | Action::Ended { .. } => {}
    }
}

/// A conditional write of a commit reaches the store.
pub(crate) fn commit_lands(world: &World, job: JobId, base: Option<u64>, tasks: &BTreeMap<u8, u8>) {
    let (target, source) = (world.jobs[&job].target, world.jobs[&job].source);
    if world.store.head(target) == base {
        assert_eq!(world.store.version_of(target, job), None, "two commits of one job");
        for (&number, &logged) in tasks {
            let Some(object) = world.store.objects.get(&(target, number)) else {
                panic!("a commit references task {number}, which is not at the target");
            };
            let content = object.content;
            assert_eq!((content.source, content.number), (source, number), "other bytes: {job}");
            assert!(content.generation >= logged, "the log says {logged} of {content:?}: {job}");
        }
    }
}

/// When all is over: every end tells the truth, and nothing was written twice.
pub(crate) fn at_the_end(world: &World) {
    for (&job, end) in &world.seen.ends {
        let version = world.store.version_of(world.jobs[&job].target, job);
        match end {
            End::Succeeded { replica_version, up_to_date: false, .. } => {
                assert_eq!(version, Some(*replica_version), "succeeded without its commit");
            }
            End::Succeeded { .. } | End::Failed(_) | End::Cancelled => {
                assert_eq!(version, None, "{job} has a commit and ended with {end:?}");
            }
        }
    }
    for (key, &writes) in &world.store.writes {
        let deleted = world.store.deleted.get(key).copied().unwrap_or(0);
        assert!(writes <= 1 + deleted, "{key:?} was written {writes} times and deleted {deleted}");
    }
}
