//! The effects of the coordinator as the store sees them: plan, commit, settle.

use deepclone_core::ids::{JobId, PlanDigest, TaskFingerprint};
use deepclone_core::machine::{Event, Plan, PlanTask, PublishOutcome};

use crate::scenario::{task_bytes, task_objects};
use crate::store::Commit;
use crate::world::World;

/// The content's name of a task of a target's pool.
pub(crate) fn fingerprint(target: u8, number: u8) -> TaskFingerprint {
    let mut bytes = [target; 32];
    bytes[1] = number;
    TaskFingerprint(bytes)
}

impl World {
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
        let new = planned.tasks.iter().copied().filter(|number| !referenced.contains(number));
        let numbers: Vec<u8> = new.collect();
        if let (true, Some(replica_version)) = (numbers.is_empty(), replica_version) {
            return Event::UpToDate { job, source_version: 1, replica_version };
        }
        let tasks = numbers.iter().map(|&number| PlanTask {
            fingerprint: fingerprint(target, number),
            bytes: task_bytes(number),
            objects: task_objects(number),
        });
        let tasks = tasks.collect();
        self.seen.plans.insert(job, (replica_version, numbers));
        let digest = PlanDigest([target; 32]);
        Event::Planned { job, plan: Plan { digest, source_version: 1, replica_version, tasks } }
    }

    /// Objects that are gone since they were copied.
    pub(crate) fn missing(&mut self, target: u8, tasks: &[u8]) -> Option<PublishOutcome> {
        let faults = self.faults();
        if !tasks.is_empty() && self.random.chance(faults.vacuum) {
            let eaten = tasks[self.random.within(0..tasks.len() as u64) as usize];
            self.store.vacuum((target, eaten));
        }
        let gone = tasks.iter().filter(|&&number| !self.store.objects.contains(&(target, number)));
        let gone: Vec<_> = gone.map(|&number| fingerprint(target, number)).collect();
        for name in &gone {
            self.seen.stale.insert(*name);
        }
        (!gone.is_empty()).then_some(PublishOutcome::Missing(gone))
    }

    pub(crate) fn land_commit(&mut self, job: JobId, base: Option<u64>, tasks: Vec<u8>) {
        let target = self.jobs[&job].target;
        let faults = self.faults();
        if self.random.chance(faults.foreign_commit) {
            self.store.commit(target, base, Commit { job: None, tasks: Vec::new() });
        }
        crate::safety::commit_lands(self, job, base, &tasks);
        self.store.commit(target, base, Commit { job: Some(job), tasks });
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
}
