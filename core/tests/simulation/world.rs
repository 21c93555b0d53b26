//! The world around the machine: time, the network, the workers, the stores, and the driver.
//!
//! One queue of occurrences, ordered by time and then by age, is all there is; every number comes
//! from the seed. The driver is the coordinator's: it drains events into batches, makes the facts
//! of a batch durable, then releases its other actions, and may die anywhere between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};

use deepclone_core::evidence::Prior;
use deepclone_core::ids::{ConnectionKey, Epoch, GrantKey, JobId, TargetKey, WorkerId};
use deepclone_core::limits::Limits;
use deepclone_core::machine::{Action, Event, Fact, Machine, Moment, Route};
use uuid::Uuid;

use crate::random::Random;
use crate::scenario::{FAULTS_UNTIL_MS, Faults, JobPlan, Kind, Scenario};
use crate::store::Store;
use crate::worker::{Answer, Worker};

/// Occurrences in one run; far more than any run needs.
const STEPS_MAX: u64 = 60_000;
/// When a run that has not ended is given up: each of several jobs of one target may wait ten
/// minutes for workers, one after another.
const END_MS: u64 = 4_800_000;

/// Something that happens at some time.
#[derive(Clone, Debug)]
enum Occurrence {
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
    /// The driver drains its queue.
    Drains(u64),
    /// A second has passed.
    Second,
    CoordinatorStarts,
    Cancels(JobId),
}

/// Everything.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) store: Store,
    pub(crate) facts: Vec<Fact>,
    pub(crate) machine: Option<Machine>,
    pub(crate) scenario: Scenario,
    pub(crate) jobs: BTreeMap<JobId, JobPlan>,
    /// What the log told of each file when the job was planned last.
    pub(crate) generations: BTreeMap<(JobId, u8), u8>,
    pub(crate) known: crate::contents::Known,
    /// Commits that are on their way to a target.
    pub(crate) in_flight: BTreeSet<(u8, JobId)>,
    pub(crate) seen: crate::safety::Seen,
    pub(crate) spent: crate::efficiency::Spent,
    pub(crate) random: Random,
    pub(crate) life: u64,
    workers: BTreeMap<u64, Worker>,
    incarnations: u64,
    inbox: Vec<Event>,
    /// For each report of the batch, whether its sender was known.
    heard: VecDeque<bool>,
    draining: bool,
    stalled_until: u64,
    /// When the driver wakes by itself.
    alarm_at: Option<u64>,
    queue: BTreeMap<(u64, u64), Occurrence>,
    age: u64,
    trace: DefaultHasher,
}

impl World {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::new(kind, &mut random);
        let mut world = Self {
            now: 0,
            store: Store::default(),
            facts: Vec::new(),
            machine: Some(Machine::new(Epoch(1), Limits::default())),
            jobs: BTreeMap::new(),
            generations: BTreeMap::new(),
            known: crate::contents::Known::new(scenario.retention_ms),
            in_flight: BTreeSet::new(),
            seen: crate::safety::Seen::default(),
            spent: crate::efficiency::Spent::default(),
            random,
            life: 1,
            workers: BTreeMap::new(),
            incarnations: 0,
            inbox: Vec::new(),
            heard: VecDeque::new(),
            draining: false,
            stalled_until: 0,
            alarm_at: None,
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
        crate::safety::ends(self).len() == self.jobs.len()
            && (self.now > FAULTS_UNTIL_MS || self.scenario.kind == Kind::Calm)
    }

    fn note(&mut self, what: &impl std::fmt::Debug) {
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

    fn at(&mut self, at: u64, occurrence: Occurrence) {
        self.age += 1;
        self.queue.insert((at, self.age), occurrence);
    }

    /// Sends over the network: lost, late, doubled, overtaken.
    fn send(&mut self, occurrence: Occurrence) {
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

    fn occur(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Arrives(event) => self.arrive(event),
            Occurrence::EffectEnds(life, event) if life == self.life => self.arrive(event),
            Occurrence::CommitLands { job, base, tasks } => self.land_commit(job, base, tasks),
            Occurrence::CommitSettles { life, job, base } if life == self.life => {
                let event = self.settle_commit(job, base);
                self.arrive(event);
            }
            Occurrence::EffectEnds(..) | Occurrence::CommitSettles { .. } => {}
            Occurrence::Answered(worker, answer) => self.answered(worker, answer),
            Occurrence::WorkerActs(number) => self.worker_acts(number),
            Occurrence::Drains(life) if life == self.life => self.drain(),
            Occurrence::Drains(_) => {}
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

    fn arrive(&mut self, event: Event) {
        if self.machine.is_none() {
            if matches!(event, Event::Submitted { .. }) {
                self.at(self.now + 500, Occurrence::Arrives(event));
            }
            return;
        }
        self.inbox.push(event);
        self.drain_soon();
    }

    fn drain_soon(&mut self) {
        if !self.draining {
            self.draining = true;
            let soon = self.now + self.random.within(0..20);
            self.at(soon.max(self.stalled_until), Occurrence::Drains(self.life));
        }
    }

    /// One turn of the driver.
    fn drain(&mut self) {
        self.draining = false;
        let Some(mut machine) = self.machine.take() else { return };
        let now = Moment(self.now);
        let mut events = std::mem::take(&mut self.inbox);
        let due = machine.next_deadline().is_some_and(|deadline| deadline <= now);
        if events.is_empty() && due {
            events.push(Event::DeadlineReached);
        }
        let mut actions = Vec::new();
        for event in &events {
            crate::safety::arrived(self, event);
            machine.step(now, event.clone(), &mut actions);
            let violations = machine.violations();
            assert!(violations.is_empty(), "{violations:?} after {event:?}");
            if *event == Event::DeadlineReached {
                let next = machine.next_deadline();
                assert!(next.is_none_or(|next| next > now), "the deadline stays due");
            }
        }
        self.machine = Some(machine);
        if self.commit_and_release(events, actions) {
            self.await_deadline();
        }
    }

    /// I4: facts first. False when the coordinator died on the way.
    fn commit_and_release(&mut self, events: Vec<Event>, actions: Vec<Action>) -> bool {
        let crash = self.random.chance(self.faults().crash);
        if crash && self.random.chance(500) {
            // Nothing of the batch is durable.
            self.crash(&events);
            return false;
        }
        let mut released = Vec::new();
        for action in actions {
            self.note(&action);
            match action {
                Action::Record(fact) => {
                    crate::safety::recorded(self, &fact);
                    let source = self.jobs[&fact.job()].source;
                    self.known.record(&fact, source, self.now);
                    self.facts.push(fact);
                }
                other => released.push(other),
            }
        }
        let most = if crash { self.random.within(0..released.len() as u64 + 1) } else { u64::MAX };
        for (_, action) in (0..most).zip(released) {
            self.release(action);
        }
        if crash {
            self.crash(&events);
            return false;
        }
        for event in events {
            self.acknowledge(event);
        }
        true
    }

    fn await_deadline(&mut self) {
        if let Some(deadline) = self.machine.as_ref().and_then(Machine::next_deadline) {
            let at = deadline.0.max(self.now + 1).max(self.stalled_until);
            if self.alarm_at.is_none_or(|alarm| alarm <= self.now || at < alarm) {
                self.alarm_at = Some(at);
                self.at(at, Occurrence::Drains(self.life));
            }
        }
    }

    fn release(&mut self, action: Action) {
        crate::safety::released(self, &action);
        let epoch = Epoch(self.life);
        match action {
            Action::Plan { job } => {
                let pause = self.random.within(50..3_000);
                let event = self.plan(job);
                self.at(self.now + pause, Occurrence::EffectEnds(self.life, event));
            }
            Action::PlanAgain { job, task, .. } => {
                let pause = self.random.within(50..3_000);
                let event = self.plan_again(job, task);
                self.at(self.now + pause, Occurrence::EffectEnds(self.life, event));
            }
            Action::Publish { job } => self.begin_publish(job),
            Action::Heard { known, .. } => self.heard.push_back(known),
            Action::Grant { worker, tasks } => {
                self.send(Occurrence::Answered(worker, Answer::Granted(epoch, tasks)));
            }
            Action::Beat { worker, abandon, drain: _, known } => {
                let answer = Answer::Beat { epoch, abandon, known };
                self.send(Occurrence::Answered(worker, answer));
            }
            Action::Record(_)
            | Action::Refused { .. }
            | Action::Changed { .. }
            | Action::Violated(_)
            | Action::Ended { .. } => {}
        }
    }

    fn begin_publish(&mut self, job: JobId) {
        let (base, tasks) = self.seen.plans[&job].clone();
        let target = self.jobs[&job].target;
        if let Some(missing) = self.missing(job, &tasks) {
            let event = Event::PublishEnded { job, outcome: missing };
            let pause = self.random.within(10..200);
            self.at(self.now + pause, Occurrence::EffectEnds(self.life, event));
            return;
        }
        let lands = self.now + self.random.within(10..250);
        let settles = lands + self.random.within(1..2_000);
        self.known.intend(job);
        self.in_flight.insert((target, job));
        let logged = |number: u8| (number, self.generations[&(job, number)]);
        let tasks = tasks.into_iter().map(logged).collect();
        self.at(lands, Occurrence::CommitLands { job, base, tasks });
        self.at(settles, Occurrence::CommitSettles { life: self.life, job, base });
    }

    fn acknowledge(&mut self, event: Event) {
        match event {
            Event::WorkerRegistered { worker, .. } => {
                let answer = Answer::Registered(Epoch(self.life));
                self.send(Occurrence::Answered(worker, answer));
            }
            Event::Reported { worker, outcomes } => {
                let keys: Vec<GrantKey> = outcomes.into_iter().map(|(key, _)| key).collect();
                let known = self.heard.pop_front().unwrap();
                let answer = if known { Answer::Heard(keys) } else { Answer::Unknown };
                self.send(Occurrence::Answered(worker, answer));
            }
            _ => {}
        }
    }

    fn crash(&mut self, events: &[Event]) {
        for event in events.iter().chain(&std::mem::take(&mut self.inbox)) {
            if matches!(event, Event::Submitted { .. }) {
                self.at(self.now + 500, Occurrence::Arrives(event.clone()));
            }
        }
        self.machine = None;
        self.alarm_at = None;
        self.draining = false;
        self.heard.clear();
        self.life += 1;
        let pause = self.random.within(300..12_000);
        self.at(self.now + pause, Occurrence::CoordinatorStarts);
    }

    fn start_coordinator(&mut self) {
        let mut actions = Vec::new();
        let (epoch, limits) = (Epoch(self.life), Limits::default());
        let facts = self.facts.iter().cloned();
        let machine = Machine::recover(epoch, limits, Moment(self.now), facts, &mut actions);
        let violations = machine.violations();
        assert!(violations.is_empty(), "{violations:?} after recovery");
        self.machine = Some(machine);
        if self.commit_and_release(Vec::new(), actions) {
            self.await_deadline();
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
        if self.scenario.desert_ms.is_some_and(|at| at <= self.now) {
            self.desert();
        }
        if self.random.chance(faults.lie) {
            for event in crate::liar::lies(self) {
                self.send(Occurrence::Arrives(event));
            }
        }
        if self.random.chance(faults.stall) {
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

    /// The driver stands still: what would happen to it happens later.
    fn stall(&mut self, until: u64) {
        self.stalled_until = until;
        self.alarm_at = None;
        let drains = |occurrence: &Occurrence| matches!(occurrence, Occurrence::Drains(_));
        let due = self.queue.iter().filter(|(_, occurrence)| drains(occurrence));
        let due: Vec<_> = due.map(|(&key, _)| key).filter(|&(at, _)| at < until).collect();
        for key in due {
            let drains = self.queue.remove(&key).unwrap();
            self.at(until, drains);
        }
    }

    fn start_worker(&mut self, number: u64, pause: u64) {
        self.incarnations += 1;
        let at = self.now + pause;
        self.workers.insert(number, Worker::new(number, self.incarnations, at));
        self.at(at, Occurrence::WorkerActs(number));
    }

    /// What is lost when a worker process dies.
    pub(crate) fn work_of(&self, number: u64) -> Vec<GrantKey> {
        self.workers.get(&number).map_or_else(Vec::new, Worker::unfinished)
    }

    fn worker_acts(&mut self, number: u64) {
        let Some(mut worker) = self.workers.remove(&number) else { return };
        if worker.next() <= self.now {
            let (now, store, scenario) = (self.now, &mut self.store, &self.scenario);
            let priors = &self.known.priors;
            let copy = |key: &GrantKey| {
                let prior = priors.get(&(key.job, key.fingerprint)).unwrap_or(&Prior::Absent);
                crate::contents::copy(store, scenario, (key.fingerprint, prior), now)
            };
            for event in worker.act(now, copy) {
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
        let begun = worker.hear(self.now, answer, &faults, cannot, &mut random);
        self.random = random;
        let next = worker.next().max(self.now + 1);
        self.workers.insert(number, worker);
        self.at(next, Occurrence::WorkerActs(number));
        for (key, failure) in begun {
            crate::efficiency::copy_began(self, &key, failure);
        }
    }
}
