//! A run: what happens next, until every job ended.

use std::hash::Hasher;

use deepclone_core::evidence::Prior;
use deepclone_core::ids::{GrantKey, JobId, WorkerId};
use deepclone_core::machine::Event;

use crate::scenario::{FAULTS_UNTIL_MS, Kind};
use crate::worker::Answer;
use crate::world::{Occurrence, World};

/// Occurrences in one run; far more than any run needs.
const STEPS_MAX: u64 = 60_000;
/// When a run that has not ended is given up: each of several jobs of one target may wait ten
/// minutes for workers, one after another.
const END_MS: u64 = 4_800_000;

/// How long the driver runs between two stalls: long enough that every worker hears from it.
const STALL_REST_MS: u64 = 10_000;

impl World {
    /// Runs to the end; returns a hash of everything that happened.
    pub(crate) fn run(&mut self) -> u64 {
        for _ in 0..STEPS_MAX {
            let Some(((at, _), occurrence)) = self.queue.pop_first() else { break };
            if at > END_MS || self.is_over() {
                break;
            }
            self.now = at;
            self.note(&occurrence);
            self.occur(occurrence);
        }
        self.trace.finish()
    }

    /// True when every job ended, by the facts, and faults cannot come any more.
    fn is_over(&self) -> bool {
        self.seen.ends.len() == self.jobs.len()
            && (self.now > FAULTS_UNTIL_MS || self.scenario.kind == Kind::Calm)
    }

    fn occur(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Arrives(mut event) => {
                crate::liar::arrives(self.life, &mut event);
                self.arrive(event);
            }
            Occurrence::EffectEnds(life, event) if life == self.life => self.arrive(event),
            Occurrence::CommitLands { job, base, tasks } => self.land_commit(job, base, tasks),
            Occurrence::CommitSettles { life, job, base } if life == self.life => {
                let event = self.settle_commit(job, base);
                self.arrive(event);
            }
            Occurrence::EffectEnds(..) | Occurrence::CommitSettles { .. } => {}
            Occurrence::Answered(worker, answer) => self.answered(worker, answer),
            Occurrence::WorkerActs(number) => self.worker_acts(number),
            Occurrence::TurnBegins(life) if life == self.life => self.take_turn(),
            Occurrence::TurnBegins(_) => {}
            Occurrence::Second => self.second(),
            Occurrence::CoordinatorStarts => self.start_coordinator(),
            Occurrence::Cancels(job) => self.cancel(job),
        }
    }

    /// A client sends until it is heard; so does one that submits.
    fn cancel(&mut self, job: JobId) {
        if self.machine.as_ref().is_some_and(|machine| machine.job(job).is_some()) {
            self.arrive(Event::CancelRequested { job });
        }
    }

    fn second(&mut self) {
        if self.now < FAULTS_UNTIL_MS {
            self.at(self.now + 1_000, Occurrence::Second);
        }
        let faults = self.faults();
        for number in 0..self.scenario.workers {
            if self.random.chance(faults.worker_death) {
                let pause = self.random.within(500..60_000);
                crate::efficiency::worker_died(self, number);
                self.start_worker(number, pause);
            }
        }
        self.lose_an_upload();
        if self.scenario.desert_ms.is_some_and(|at| at <= self.now) {
            self.desert();
        }
        if self.random.chance(faults.lie) {
            for event in crate::liar::lies(self) {
                self.send(Occurrence::Arrives(event));
            }
        }
        // Two stalls in a row would outlast a lease at the workers.
        let is_rested = self.driver.stalled_until + STALL_REST_MS <= self.now;
        if self.random.chance(faults.stall) && is_rested {
            let until = self.now + self.random.within(5_000..20_000);
            self.stall(until);
        }
    }

    /// Every worker dies, with what it worked on.
    fn desert(&mut self) {
        for number in 0..self.scenario.workers {
            crate::efficiency::worker_died(self, number);
        }
        self.workers.clear();
    }

    fn worker_acts(&mut self, number: u64) {
        let Some(mut worker) = self.workers.remove(&number) else { return };
        if worker.next() <= self.now {
            let (now, store, scenario) = (self.now, &mut self.store, &self.scenario);
            let priors = &self.known.priors;
            let grants = &self.grants;
            let copy = |key: &GrantKey| {
                let name = key.fingerprint;
                let prior = priors.get(&(key.job, name)).unwrap_or(&Prior::Absent);
                if crate::steps::step_of(name).is_some() {
                    return crate::groups::step(store, scenario, (key, &grants[key]), prior, now);
                }
                let object = crate::contents::copy(store, scenario, (name, prior), now)?;
                Ok(crate::worker::receipt(name.0[1], object))
            };
            for event in worker.act(now, copy) {
                crate::efficiency::reports(self, &event);
                self.send(Occurrence::Arrives(event));
            }
            self.at(worker.next().max(self.now + 1), Occurrence::WorkerActs(number));
        }
        self.workers.insert(number, worker);
    }

    fn answered(&mut self, id: WorkerId, answer: Answer) {
        let faults = self.faults();
        let found = self.workers.iter().find(|(_, worker)| worker.id == id);
        let Some(number) = found.map(|(&number, _)| number) else { return };
        let Some(mut worker) = self.workers.remove(&number) else { return };
        let mut random = self.random.clone();
        let cannot = |key: &GrantKey| self.cannot(number, key);
        let manner = (&faults, number == 0 && self.scenario.is_slow);
        let begun = worker.hear(self.now, answer, manner, cannot, &mut random);
        self.random = random;
        let next = worker.next().max(self.now + 1);
        self.workers.insert(number, worker);
        self.at(next, Occurrence::WorkerActs(number));
        for (key, failure) in begun {
            crate::efficiency::copy_began(self, &key, failure);
        }
    }
}
