//! The machine and its workers, and the queue of what happens when.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::ids::{ConnectionKey, Epoch, GrantKey, JobId, TargetKey, TaskFingerprint};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::limits::{ACQUIRE_WAIT_MAX, HEARTBEAT_INTERVAL, Limits};
use deepclone_core::machine::{Action, Event, GrantedTask, Machine, Moment, Route, TaskOutcome};
use deepclone_core::receipt::{ObjectReceipt, PartReceipt, Proof, Receipt, SharedUpload};
use uuid::Uuid;

use crate::link::Link;
use crate::plan::{Objects, Tasks, Work};
use crate::worker::{Later, ModelWorker, SAMPLE_US};

const ROUTE: Route = Route { source: ConnectionKey([1; 32]), target: ConnectionKey([2; 32]) };
/// The way of a message between a worker and the coordinator.
const WAY_US: u64 = 1_000;
const BEAT_US: u64 = HEARTBEAT_INTERVAL.as_secs() * 1_000_000;

/// Something that happens at some time.
#[derive(Debug)]
enum Occurrence {
    Arrives(Event),
    Granted(usize, Vec<GrantedTask>),
    Abandoned(usize, Vec<GrantKey>),
    Worker(usize, Later),
    Beats(usize),
    Samples(usize),
    Wakes,
}

/// Jobs that are copied by some workers.
#[derive(Debug)]
pub(crate) struct Fleet {
    machine: Machine,
    now_us: u64,
    queue: BTreeMap<(u64, u64), Occurrence>,
    age: u64,
    workers: Vec<ModelWorker>,
    jobs: BTreeMap<JobId, ModelJob>,
    run: Run,
}

#[derive(Debug)]
struct ModelJob {
    tasks: Tasks,
    /// The place of each task.
    places: BTreeMap<TaskFingerprint, usize>,
    /// When every task was done.
    ended_us: Option<u64>,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// Until every task of each job is done.
    pub(crate) ended_us: Vec<u64>,
    /// Until every task of all jobs is done.
    pub(crate) makespan_us: u64,
    pub(crate) grants: u64,
    /// The most slots that a worker had.
    pub(crate) slots_max: u32,
}

impl Fleet {
    /// Workers that run as many copies at once as `slots_max` at the most, and a job that copies
    /// these objects from the start.
    pub(crate) fn new(link: Link, workers: usize, slots_max: u32, objects: &Objects) -> Self {
        let mut fleet = Self {
            machine: Machine::new(Epoch(1), Limits::default()),
            now_us: 0,
            queue: BTreeMap::new(),
            age: 0,
            workers: (0..).take(workers).map(|id| ModelWorker::new(id, link, slots_max)).collect(),
            jobs: BTreeMap::new(),
            run: Run::default(),
        };
        let route = ROUTE;
        for number in 0..workers {
            let worker = fleet.workers[number].id;
            let readable = BTreeSet::from([route.source]);
            let writable = BTreeSet::from([route.target]);
            let held = Vec::new();
            fleet.step(Event::WorkerRegistered { worker, readable, writable, held });
            fleet.ask(number);
            fleet.at(BEAT_US, Occurrence::Beats(number));
            fleet.at(SAMPLE_US, Occurrence::Samples(number));
        }
        fleet.and(2 * WAY_US, objects)
    }

    /// The same with one more job, which comes at this time.
    pub(crate) fn and(mut self, at_us: u64, objects: &Objects) -> Self {
        let number = self.jobs.len() + 1;
        let job = JobId(Uuid::from_u128(number as u128));
        let mut target = TargetKey([0; 32]);
        target.0[..8].copy_from_slice(&number.to_be_bytes());
        let (route, spec, limits) = (ROUTE, vec![], JobLimits::default());
        let submitted = Event::Submitted { job, target, route, spec, limits };
        self.at(at_us, Occurrence::Arrives(submitted));
        let tasks = objects.tasks();
        let places = tasks.plan.tasks.iter().map(|task| task.fingerprint).zip(0..).collect();
        self.jobs.insert(job, ModelJob { tasks, places, ended_us: None });
        self
    }

    /// Runs until every task of every job is done.
    pub(crate) fn run(mut self) -> Run {
        while self.jobs.values().any(|job| job.ended_us.is_none()) {
            let ((at, _), occurrence) = self.queue.pop_first().unwrap();
            self.now_us = at;
            self.occur(occurrence);
        }
        self.run.ended_us = self.jobs.values().filter_map(|job| job.ended_us).collect();
        self.run.makespan_us = self.now_us;
        self.run.slots_max = self.workers.iter().map(ModelWorker::slots).max().unwrap();
        self.run
    }

    fn at(&mut self, at: u64, occurrence: Occurrence) {
        self.age += 1;
        self.queue.insert((at, self.age), occurrence);
    }

    fn send(&mut self, event: Event) {
        self.at(self.now_us + WAY_US, Occurrence::Arrives(event));
    }

    fn occur(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Arrives(event) => self.step(event),
            Occurrence::Wakes => {
                let due = self.machine.next_deadline();
                if due.is_some_and(|due| due.0 * 1_000 <= self.now_us) {
                    self.step(Event::DeadlineReached);
                }
            }
            Occurrence::Granted(number, tasks) => {
                self.workers[number].is_asking = false;
                for task in tasks {
                    let work = &self.jobs[&task.key.job].tasks.work[task.index.0 as usize];
                    let later = self.workers[number].take(self.now_us, task.key, work);
                    if let Some((at, later)) = later {
                        self.at(at, Occurrence::Worker(number, later));
                    }
                }
                self.goes_on(number);
            }
            Occurrence::Abandoned(number, keys) => {
                keys.iter().for_each(|key| self.workers[number].drop_task(key));
                self.goes_on(number);
            }
            Occurrence::Worker(number, later) => {
                let (next, done) = self.workers[number].happens(self.now_us, later);
                for (at, later) in next {
                    self.at(at, Occurrence::Worker(number, later));
                }
                if let Some(key) = done {
                    self.report(number, key);
                }
                self.goes_on(number);
            }
            Occurrence::Beats(number) => {
                let (worker, held) = (self.workers[number].id, self.workers[number].held());
                self.send(Event::Heartbeat { worker, held });
                let at = self.now_us + BEAT_US;
                self.at(at, Occurrence::Beats(number));
            }
            Occurrence::Samples(number) => {
                self.workers[number].sample(self.now_us);
                self.at(self.now_us + SAMPLE_US, Occurrence::Samples(number));
                self.goes_on(number);
            }
        }
    }

    /// A worker begins what it can, and asks for more.
    fn goes_on(&mut self, number: usize) {
        for (at, later) in self.workers[number].begin(self.now_us) {
            self.at(at, Occurrence::Worker(number, later));
        }
        self.ask(number);
    }

    fn ask(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        let capacity = worker.capacity();
        if worker.is_asking || capacity.bytes == 0 || capacity.objects == 0 {
            return;
        }
        worker.is_asking = true;
        let worker = worker.id;
        let deadline = Moment((self.now_us + WAY_US) / 1_000).after(ACQUIRE_WAIT_MAX);
        self.send(Event::TasksWanted { worker, capacity, deadline });
    }

    fn report(&mut self, number: usize, key: GrantKey) {
        let job = &self.jobs[&key.job];
        let receipt = receipt_of(&job.tasks.work[job.places[&key.fingerprint]]);
        let worker = self.workers[number].id;
        self.workers[number].drop_task(&key);
        self.send(Event::Reported { worker, outcomes: vec![(key, TaskOutcome::Done(receipt))] });
    }

    fn step(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.machine.step(Moment(self.now_us / 1_000), event, &mut actions);
        for action in actions {
            self.act(action);
        }
        if let Some(due) = self.machine.next_deadline() {
            self.at((due.0 * 1_000).max(self.now_us + 1), Occurrence::Wakes);
        }
    }

    fn act(&mut self, action: Action) {
        let number = |id| self.workers.iter().position(|worker| worker.id == id).unwrap();
        match action {
            Action::Plan { job } => {
                let plan = self.jobs[&job].tasks.plan.clone();
                self.at(self.now_us, Occurrence::Arrives(Event::Planned { job, plan }));
            }
            Action::Grant { worker, tasks } => {
                self.run.grants += tasks.len() as u64;
                let granted = Occurrence::Granted(number(worker), tasks);
                self.at(self.now_us + WAY_US, granted);
            }
            Action::Beat { worker, abandon, .. } => {
                let abandoned = Occurrence::Abandoned(number(worker), abandon);
                self.at(self.now_us + WAY_US, abandoned);
            }
            Action::Publish { job } => {
                self.jobs.get_mut(&job).unwrap().ended_us = Some(self.now_us);
            }
            Action::Record(_)
            | Action::Heard { .. }
            | Action::Noticed(_)
            | Action::Changed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn receipt_of(work: &Work) -> Receipt {
    let object = |&size: &u64| ObjectReceipt {
        size,
        crc64nvme: 0,
        source_etag: String::new(),
        target_etag: String::new(),
        existed: false,
        proof: Proof::Length,
    };
    let part = |(number, &size): (u32, &u64)| PartReceipt {
        number,
        size,
        crc64nvme: 0,
        id: String::new(),
        is_proved: false,
    };
    let upload =
        SharedUpload { id: "upload".to_owned(), is_checked: false, source_etag: String::new() };
    let (objects, parts, upload) = match work {
        Work::Objects(sizes) => (sizes.iter().map(object).collect(), Vec::new(), None),
        Work::Open => (Vec::new(), Vec::new(), Some(upload)),
        Work::Parts(sizes) => (Vec::new(), (0..).zip(sizes).map(part).collect(), Some(upload)),
        Work::Finish(size) => (vec![object(size)], Vec::new(), None),
    };
    Receipt { objects, parts, upload, ..Receipt::default() }
}
