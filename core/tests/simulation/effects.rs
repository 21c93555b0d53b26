//! The effects of the coordinator as the store sees them: plan, commit, settle.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::ids::{GrantKey, JobId, PlanDigest, TaskFingerprint, TaskIndex};
use deepclone_core::machine::{Event, Plan, PublishOutcome};
use deepclone_core::reason::Reason;
use deepclone_core::receipt::TaskFailureKind;

use crate::store::Commit;
use crate::world::World;

impl World {
    /// The content's name of a task, as the job's newest plan has it: target, number, source,
    /// the generation that the source's log told, and no step.
    pub(crate) fn fingerprint(&self, job: JobId, number: u8) -> TaskFingerprint {
        let plan = &self.jobs[&job];
        let mut bytes = [plan.target; 32];
        bytes[1] = number;
        bytes[2] = plan.source;
        bytes[4] = 0;
        bytes[3] = self.generations.get(&(job, number)).copied().unwrap_or(0);
        TaskFingerprint(bytes)
    }

    /// Reads both logs: what is new to the head, or what became of an earlier life's commit.
    pub(crate) fn plan(&mut self, job: JobId) -> Event {
        let planned = self.jobs[&job].clone();
        let target = planned.target;
        if let Some(version) = self.store.version_of(target, job) {
            let outcome = PublishOutcome::Published { version };
            return Event::PublishEnded { job, outcome };
        }
        let referenced = self.store.referenced(target);
        let replica_version = self.store.head(target);
        let source_version = 1 + u64::from(self.has_moved_on());
        let wanted = if self.has_moved_on() { &planned.later } else { &planned.tasks };
        let proven = self.store.proven(target, planned.source);
        let logged = |number: u8| self.scenario.logged(planned.source, number, self.now);
        let is_new = |number: &u8| proven.get(number) != Some(&logged(*number));
        let numbers: Vec<u8> = wanted.iter().copied().filter(is_new).collect();
        let generations: Vec<_> =
            numbers.iter().map(|&number| ((job, number), logged(number))).collect();
        self.generations.extend(generations);
        for &number in &numbers {
            let (key, in_use) = ((target, number), referenced.contains(&number));
            let prior = self.known.prior(job, planned.source, key, in_use, self.now);
            for name in self.names(job, number) {
                self.known.priors.insert((job, name), prior.clone());
            }
        }
        if let (true, Some(replica_version)) = (numbers.is_empty(), replica_version) {
            return Event::UpToDate { job, source_version, replica_version };
        }
        let tasks = self.plan_tasks(job, &numbers).into_iter().map(|(_, task)| task).collect();
        self.seen.plans.insert(job, (replica_version, numbers));
        let digest = PlanDigest([target; 32]);
        let source_is_newest = true;
        let plan = Plan { digest, source_version, replica_version, source_is_newest, tasks };
        Event::Planned { job, plan }
    }

    /// Plans again because an object of the newest plan is gone; fails when it is needed still.
    pub(crate) fn plan_again(&mut self, job: JobId, task: TaskIndex) -> Event {
        let numbers = self.seen.plans[&job].1.clone();
        let gone = self.plan_tasks(job, &numbers)[task.0 as usize].0;
        let event = self.plan(job);
        let needed =
            matches!(event, Event::Planned { .. }) && self.seen.plans[&job].1.contains(&gone);
        if !needed {
            return event;
        }
        let failure = Failure::new(Reason::ObjectVanished, format!("{gone} is gone"));
        Event::PlanFailed { job, failure }
    }

    /// True when the source has its newer version.
    pub(crate) fn has_moved_on(&self) -> bool {
        self.scenario.vanish_ms.is_some_and(|at| at <= self.now)
    }

    /// True when the source lost an object of this task.
    pub(crate) fn is_gone(&self, key: &GrantKey) -> bool {
        let Some(job) = self.jobs.get(&key.job).filter(|_| self.has_moved_on()) else {
            return false;
        };
        let number = key.fingerprint.0[1];
        job.damaged == Some(number) || !job.later.contains(&number)
    }

    /// Objects that are gone since they were copied.
    pub(crate) fn missing(&mut self, job: JobId, tasks: &[u8]) -> Option<PublishOutcome> {
        let faults = self.faults();
        if self.random.chance(faults.vacuum) {
            self.vacuum();
        }
        let (target, source) = (self.jobs[&job].target, self.jobs[&job].source);
        let is_gone = |&number: &u8| {
            !self.known.is_there(&self.store, job, source, (target, number), self.now)
        };
        let gone: Vec<u8> = tasks.iter().copied().filter(is_gone).collect();
        gone.iter().for_each(|&number| self.known.forget((target, number)));
        let gone: Vec<_> = gone.iter().map(|&number| self.last_name(job, number)).collect();
        for name in &gone {
            self.seen.stale.insert(*name);
        }
        (!gone.is_empty()).then_some(PublishOutcome::Missing(gone))
    }

    pub(crate) fn land_commit(&mut self, job: JobId, base: Option<u64>, tasks: BTreeMap<u8, u8>) {
        let (target, source) = (self.jobs[&job].target, self.jobs[&job].source);
        self.in_flight.remove(&(target, job));
        let faults = self.faults();
        if self.random.chance(faults.foreign_commit) {
            self.store.commit(target, base, Commit { job: None, source, tasks: BTreeMap::new() });
        }
        crate::safety::commit_lands(self, job, base, &tasks);
        self.store.commit(target, base, Commit { job: Some(job), source, tasks });
    }

    /// The version is read back: ours, or another's.
    pub(crate) fn settle_commit(&mut self, job: JobId, base: Option<u64>) -> Event {
        let target = self.jobs[&job].target;
        let outcome = match self.store.version_of(target, job) {
            Some(version) => PublishOutcome::Published { version },
            None => PublishOutcome::Rebase,
        };
        assert!(self.store.head(target) > base, "some commit won the version");
        Event::PublishEnded { job, outcome }
    }

    /// Why a worker cannot copy a task that it is given now.
    pub(crate) fn cannot(&self, number: u64, key: &GrantKey) -> Option<TaskFailureKind> {
        let bad = self
            .scenario
            .bad
            .filter(|bad| number == 0 && (bad.from_ms..bad.until_ms).contains(&self.now));
        let gone = self.is_gone(key).then_some(TaskFailureKind::SourceNotFound);
        bad.map(|bad| bad.kind).or(gone)
    }
}
