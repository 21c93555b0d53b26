//! The world around the driver: time, the network, the workers and the stores.
//!
//! One queue of occurrences, ordered by time and then by age, is all there is; every number comes
//! from the seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};

use deepclone_core::ids::{ConnectionKey, Epoch, GrantKey, JobId, TargetKey, WorkerId};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::limits::Limits;
use deepclone_core::machine::{Event, Fact, Machine, Route};
use uuid::Uuid;

use crate::known::Known;
use crate::random::Random;
use crate::scenario::{FAULTS_UNTIL_MS, Faults, JobPlan, Kind, Scenario};
use crate::seen::{Seen, Spent};
use crate::steps::StepGrant;
use crate::store::Store;
use crate::worker::{Answer, Worker};

/// Something that happens at some time.
#[derive(Clone, Debug)]
pub(crate) enum Occurrence {
    /// A message reaches the coordinator.
    Arrives(Event),
    /// An effect of the coordinator's n-th life ends.
    EffectEnds(u64, Event),
    /// A request of a publish effect reaches the store, whether its sender lives or not.
    CommitLands {
        job: JobId,
        base: Option<u64>,
        tasks: BTreeMap<u8, u8>,
    },
    /// The publish effect looks what became of its request.
    CommitSettles {
        life: u64,
        job: JobId,
        base: Option<u64>,
    },
    /// A message reaches a worker.
    Answered(WorkerId, Answer),
    /// A worker may have something to do.
    WorkerActs(u64),
    /// The driver of the coordinator's n-th life takes a turn.
    TurnBegins(u64),
    /// A second has passed.
    Second,
    CoordinatorStarts,
    Cancels(JobId),
}

/// The whole of a run: the machine, and all that is around it.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) store: Store,
    pub(crate) facts: Vec<Fact>,
    pub(crate) machine: Option<Machine>,
    pub(crate) driver: Driver,
    pub(crate) scenario: Scenario,
    pub(crate) jobs: BTreeMap<JobId, JobPlan>,
    /// What the log told of each file when the job was planned last.
    pub(crate) generations: BTreeMap<(JobId, u8), u8>,
    pub(crate) known: Known,
    /// Commits that are on their way to a target.
    pub(crate) in_flight: BTreeSet<(u8, JobId)>,
    pub(crate) seen: Seen,
    /// What the grants of steps of shared objects carry.
    pub(crate) grants: BTreeMap<GrantKey, StepGrant>,
    pub(crate) spent: Spent,
    pub(crate) random: Random,
    pub(crate) life: u64,
    pub(crate) workers: BTreeMap<u64, Worker>,
    incarnations: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Occurrence>,
    age: u64,
    pub(crate) trace: DefaultHasher,
}

/// What the driver holds besides the machine.
#[derive(Debug, Default)]
pub(crate) struct Driver {
    /// Events that wait, with when they arrived.
    pub(crate) inbox: VecDeque<(u64, Event)>,
    /// For each report of the turn, whether its sender was known.
    pub(crate) heard: VecDeque<bool>,
    /// A turn for the waiting events is on its way.
    pub(crate) turn_is_due: bool,
    pub(crate) stalled_until: u64,
    /// When it wakes by itself.
    pub(crate) alarm_at: Option<u64>,
}

impl World {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut scenario = Scenario::new(kind, &mut random);
        // Half of the seeds, and none of those that failed before there were shared objects.
        scenario.shares = matches!(seed % 8, 0 | 2 | 5 | 7);
        let mut world = Self {
            now: 0,
            store: Store::default(),
            facts: Vec::new(),
            machine: Some(Machine::new(Epoch(1), Limits::default())),
            driver: Driver::default(),
            jobs: BTreeMap::new(),
            generations: BTreeMap::new(),
            known: Known::new(scenario.retention_ms),
            in_flight: BTreeSet::new(),
            seen: Seen::default(),
            grants: BTreeMap::new(),
            spent: Spent::default(),
            random,
            life: 1,
            workers: BTreeMap::new(),
            incarnations: 0,
            queue: BTreeMap::new(),
            age: 0,
            trace: DefaultHasher::new(),
            scenario,
        };
        for number in 0..world.scenario.workers {
            world.start_worker(number, 0);
        }
        for (number, plan) in (1..).zip(world.scenario.jobs.clone()) {
            let job = JobId(Uuid::from_u128(number));
            let submitted = Event::Submitted {
                job,
                target: TargetKey([plan.target; 32]),
                route: Route { source: ConnectionKey([1; 32]), target: ConnectionKey([2; 32]) },
                spec: vec![plan.target],
                limits: JobLimits::default(),
            };
            world.at(plan.submit_ms, Occurrence::Arrives(submitted));
            if let Some(cancel_ms) = plan.cancel_ms {
                world.at(cancel_ms, Occurrence::Cancels(job));
            }
            world.jobs.insert(job, plan);
        }
        world.at(1_000, Occurrence::Second);
        world
    }

    pub(crate) fn note(&mut self, what: &impl std::fmt::Debug) {
        struct Writer<'a>(&'a mut DefaultHasher);
        impl std::fmt::Write for Writer<'_> {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                self.0.write(text.as_bytes());
                Ok(())
            }
        }
        self.trace.write_u64(self.now);
        std::fmt::write(&mut Writer(&mut self.trace), format_args!("{what:?}")).unwrap();
    }

    pub(crate) fn faults(&self) -> Faults {
        if self.now < FAULTS_UNTIL_MS { self.scenario.faults } else { Faults::default() }
    }

    pub(crate) fn at(&mut self, at: u64, occurrence: Occurrence) {
        self.age += 1;
        self.queue.insert((at, self.age), occurrence);
    }

    /// Sends over the network: lost, late, doubled, overtaken.
    pub(crate) fn send(&mut self, occurrence: Occurrence) {
        let faults = self.faults();
        if self.random.chance(faults.duplicate) {
            let late = self.now + self.random.within(1..9_000);
            self.at(late, occurrence.clone());
        }
        if self.random.chance(faults.drop) {
            return;
        }
        let slow = self.random.chance(faults.delay);
        let pause = self.random.within(if slow { 200..9_000 } else { 1..60 });
        self.at(self.now + pause, occurrence);
    }

    /// Puts off every turn of the driver that would begin before `until`.
    pub(crate) fn put_turns_off(&mut self, until: u64) {
        let begins = |occurrence: &Occurrence| matches!(occurrence, Occurrence::TurnBegins(_));
        let due = self.queue.iter().filter(|(_, occurrence)| begins(occurrence));
        let due: Vec<_> = due.map(|(&key, _)| key).filter(|&(at, _)| at < until).collect();
        for key in due {
            let begins = self.queue.remove(&key).unwrap();
            self.at(until, begins);
        }
    }

    pub(crate) fn start_worker(&mut self, number: u64, pause: u64) {
        self.incarnations += 1;
        let at = self.now + pause;
        self.workers.insert(number, Worker::new(number, self.incarnations, at));
        self.at(at, Occurrence::WorkerActs(number));
    }

    /// What is lost when a worker process dies.
    pub(crate) fn work_of(&self, number: u64) -> Vec<GrantKey> {
        self.workers.get(&number).map_or_else(Vec::new, Worker::unfinished)
    }
}
