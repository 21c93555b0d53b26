//! How many steps a second the machine takes, without a store, a socket or a clock beside it:
//! `machine [WORKERS TASKS]`.
//!
//! A fleet of model workers copies jobs to their ends over a virtual clock: each asks for tasks,
//! has some under way at once, sends heartbeats about all that it holds, and reports each task.
//! Turns are taken as the coordinator takes them. Nothing is random.

#![expect(clippy::expect_used, reason = "a bench that cannot be prepared has no result")]
#![expect(clippy::print_stdout, reason = "it is a program for people")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use deepclone_core::ids::{
    ConnectionKey, Epoch, GrantKey, JobId, PlanDigest, TargetKey, TaskFingerprint, WorkerId,
};
use deepclone_core::job_limits::JobLimits;
use deepclone_core::limits::{EVENTS_PER_BATCH_MAX, Limits};
use deepclone_core::machine::{
    Action, Event, HeldTask, JobState, Machine, Moment, Plan, PlanTask, PublishOutcome, Route,
    TaskOutcome,
};
use deepclone_core::receipt::{ObjectReceipt, Proof, Receipt};
use deepclone_core::task::Capacity;
use deepclone_core::turn;
use uuid::Uuid;

/// The fleets and plans that are measured without arguments.
const SIZES: [(u64, u64); 2] = [(1_000, 100_000), (10_000, 1_000_000)];
const JOBS: u64 = 100;
/// Tasks that a worker has under way at once, and as many again that wait.
const SLOTS: usize = 4;
const TASK_BYTES: u64 = 16 << 20;
const TASK_MS: u64 = 12_000;
const HEARTBEAT_MS: u64 = 5_000;
const WAIT_MS: u64 = 20_000;
const ROUTE: Route = Route { source: ConnectionKey([1; 32]), target: ConnectionKey([2; 32]) };

fn main() {
    let given: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let sizes = match given[..] {
        [workers, tasks] => vec![(workers, tasks)],
        _ => SIZES.to_vec(),
    };
    println!("| workers | tasks | steps | steps/s | longest turn, ms | peak MiB |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (workers, tasks) in sizes {
        let mut fleet = Fleet::new(workers, tasks);
        fleet.run();
        fleet.show(workers, tasks);
    }
}

/// What happens at a moment of the virtual clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Occurrence {
    Asks(u64),
    Beats(u64),
    Ends(u64),
}

/// What a worker holds, and whether it waits for more.
#[derive(Default)]
struct ModelWorker {
    /// Tasks under way, with the moment at which each began.
    running: VecDeque<(GrantKey, u64)>,
    /// Tasks that it holds and has not begun.
    queued: VecDeque<GrantKey>,
    asks: bool,
}

/// Steps of one kind.
#[derive(Default)]
struct Steps {
    count: u64,
    time: Duration,
}

/// The machine and its workers.
struct Fleet {
    machine: Machine,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, Occurrence)>>,
    workers: Vec<ModelWorker>,
    inbox: Vec<Event>,
    wake_at: Option<Moment>,
    tasks_per_job: u64,
    ended: u64,
    steps: BTreeMap<&'static str, Steps>,
    /// On a processor, the model workers included.
    on_cpu: Duration,
    longest: Duration,
}

impl Fleet {
    fn new(workers: u64, tasks: u64) -> Self {
        let most = usize::try_from(workers).expect("a number of workers");
        let limits = Limits { workers_max: most, ..Limits::default() };
        let connections = BTreeSet::from([ROUTE.source, ROUTE.target]);
        let registered = (0..workers).map(|number| Event::WorkerRegistered {
            worker: worker(number),
            readable: connections.clone(),
            writable: connections.clone(),
            held: Vec::new(),
        });
        let submitted = (0..JOBS).map(|number| Event::Submitted {
            job: job(number),
            target: TargetKey(name(number, 0)),
            route: ROUTE,
            spec: Vec::new(),
            limits: JobLimits::default(),
        });
        // They do not start at the same moment.
        let first = (0..workers).flat_map(|number| {
            let at = 1_000 + number * HEARTBEAT_MS / workers;
            [(at, Occurrence::Asks(number)), (at + HEARTBEAT_MS, Occurrence::Beats(number))]
        });
        Self {
            machine: Machine::new(Epoch(1), limits),
            now: 0,
            queue: first.map(Reverse).collect(),
            workers: (0..workers).map(|_| ModelWorker::default()).collect(),
            inbox: registered.chain(submitted).collect(),
            wake_at: None,
            tasks_per_job: tasks / JOBS,
            ended: 0,
            steps: BTreeMap::new(),
            on_cpu: Duration::ZERO,
            longest: Duration::ZERO,
        }
    }

    /// Runs until every job has ended. What happens within a millisecond is one turn, or several of
    /// the most events that a turn takes.
    fn run(&mut self) {
        let begun = on_cpu();
        while self.ended < JOBS {
            let next = self.queue.peek().map(|Reverse((at, _))| *at);
            let due = next.into_iter().chain(self.wake_at.map(|Moment(at)| at)).min();
            let now = if self.inbox.is_empty() { due.expect("somebody acts") } else { self.now };
            self.now = self.now.max(now);
            while self.queue.peek().is_some_and(|Reverse((at, _))| *at <= self.now) {
                let Some(Reverse((_, occurrence))) = self.queue.pop() else { break };
                self.occur(occurrence);
            }
            self.take_turn();
        }
        let is_whole = |view: deepclone_core::machine::JobView<'_>| {
            view.state == JobState::Succeeded && view.progress.tasks_done == self.tasks_per_job
        };
        assert!(self.machine.jobs().all(is_whole), "a job did not copy all");
        self.on_cpu = on_cpu().saturating_sub(begun);
    }

    fn take_turn(&mut self) {
        let most = self.inbox.len().min(EVENTS_PER_BATCH_MAX);
        let events: Vec<Event> = self.inbox.drain(..most).collect();
        let kinds: Vec<&'static str> = events.iter().map(kind).collect();
        let steps = &mut self.steps;
        let begun = Instant::now();
        let (mut number, mut last) = (0, begun);
        let turn = turn::take_inspected(&mut self.machine, Moment(self.now), events, |_| {
            let kind = kinds.get(number).copied().unwrap_or("deadline");
            let entry = steps.entry(kind).or_default();
            entry.count += 1;
            entry.time += last.elapsed();
            last = Instant::now();
            number += 1;
        });
        let around = steps.entry("deadlines looked up").or_default();
        around.count += 1;
        around.time += last.elapsed();
        self.longest = self.longest.max(begun.elapsed());
        self.wake_at = turn.wake_at;
        for action in turn.pending.durable() {
            self.release(action);
        }
    }

    fn release(&mut self, action: Action) {
        match action {
            Action::Plan { job } => {
                let plan = plan(job, self.tasks_per_job);
                self.inbox.push(Event::Planned { job, plan });
            }
            Action::Publish { job } => {
                let outcome = PublishOutcome::Published { version: 1 };
                self.inbox.push(Event::PublishEnded { job, outcome });
            }
            Action::Grant { worker, tasks } => {
                let number = number(worker);
                let known = model(&mut self.workers, number);
                known.asks = false;
                known.queued.extend(tasks.iter().map(|task| task.key));
                self.begin(number);
                self.queue.push(Reverse((self.now + 1, Occurrence::Asks(number))));
            }
            Action::Ended { .. } => self.ended += 1,
            Action::Beat { abandon, .. } => assert!(abandon.is_empty(), "a lease was lost"),
            Action::Violated(violation) => unreachable!("{violation:?}"),
            _ => {}
        }
    }

    /// Begins tasks that wait at a worker, in its free slots.
    fn begin(&mut self, number: u64) {
        let known = model(&mut self.workers, number);
        while known.running.len() < SLOTS {
            let Some(key) = known.queued.pop_front() else { break };
            known.running.push_back((key, self.now));
            // No two take equally long.
            let lasts = TASK_MS + (number * 37 + self.now) % 1_000;
            self.queue.push(Reverse((self.now + lasts, Occurrence::Ends(number))));
        }
    }

    fn occur(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Asks(number) => self.ask(number),
            Occurrence::Beats(number) => {
                let now = self.now;
                let known = model(&mut self.workers, number);
                let moved = |began: u64| TASK_BYTES * (now - began).min(TASK_MS) / TASK_MS;
                let running = known.running.iter().map(|&(key, began)| (key, moved(began)));
                let queued = known.queued.iter().map(|&key| (key, 0));
                let held = running.chain(queued);
                let held =
                    held.map(|(key, bytes)| HeldTask { key, bytes_done: bytes, bytes_read: bytes });
                let (worker, held) = (worker(number), held.collect());
                self.inbox.push(Event::Heartbeat { worker, held });
                self.queue.push(Reverse((now + HEARTBEAT_MS, Occurrence::Beats(number))));
            }
            Occurrence::Ends(number) => {
                let known = model(&mut self.workers, number);
                let Some((key, _)) = known.running.pop_front() else { return };
                let outcomes = vec![(key, TaskOutcome::Done(receipt()))];
                self.inbox.push(Event::Reported { worker: worker(number), outcomes });
                self.begin(number);
                self.ask(number);
            }
        }
    }

    /// Asks for tasks, unless a request is open or enough wait.
    fn ask(&mut self, number: u64) {
        let (now, id) = (self.now, worker(number));
        let known = model(&mut self.workers, number);
        let held = known.running.len() + known.queued.len();
        if known.asks || held >= 2 * SLOTS {
            return;
        }
        known.asks = true;
        let free = (2 * SLOTS - held) as u64;
        let capacity = Capacity { bytes: free * TASK_BYTES, objects: u32::MAX };
        let deadline = Moment(now + WAIT_MS);
        self.inbox.push(Event::TasksWanted { worker: id, capacity, deadline });
    }

    fn show(&self, workers: u64, tasks: u64) {
        let count: u64 =
            self.steps.iter().filter(|(kind, _)| is_step(kind)).map(|s| s.1.count).sum();
        let rate = count as f64 / self.on_cpu.as_secs_f64();
        let (longest, peak) = (self.longest.as_millis(), peak_mib());
        println!("| {workers} | {tasks} | {count} | {rate:.0} | {longest} | {peak} |");
        for (kind, Steps { count, time }) in &self.steps {
            let each = time.as_secs_f64() * 1e6 / *count as f64;
            println!("  {kind}: {count} in {:.1} s, {each:.1} µs each", time.as_secs_f64());
        }
    }
}

fn is_step(kind: &&&str) -> bool {
    **kind != "deadlines looked up"
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::TasksWanted { .. } => "requests for tasks",
        Event::Heartbeat { .. } => "heartbeats",
        Event::Reported { .. } => "reports",
        Event::Planned { .. } => "plans",
        Event::DeadlineReached => "deadline",
        _ => "others",
    }
}

fn model(workers: &mut [ModelWorker], number: u64) -> &mut ModelWorker {
    let place = usize::try_from(number).expect("a number of a worker");
    workers.get_mut(place).expect("a worker of the fleet")
}

fn worker(number: u64) -> WorkerId {
    WorkerId(Uuid::from_u128(number.into()))
}

fn number(worker: WorkerId) -> u64 {
    worker.0.as_u64_pair().1
}

fn job(number: u64) -> JobId {
    JobId(Uuid::from_u128(number.into()))
}

/// Names spread as hashes do.
fn name(job: u64, task: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mixed = (job << 32 | task).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..16].copy_from_slice(&job.to_be_bytes());
    bytes[16..24].copy_from_slice(&task.to_be_bytes());
    bytes
}

fn plan(job: JobId, tasks: u64) -> Plan {
    let of = job.0.as_u64_pair().1;
    let task = |number| PlanTask {
        fingerprint: TaskFingerprint(name(of, number)),
        bytes: TASK_BYTES,
        objects: 1,
        group: None,
    };
    Plan {
        digest: PlanDigest([7; 32]),
        source_version: 1,
        replica_version: None,
        source_is_newest: true,
        tasks: (0..tasks).map(task).collect(),
    }
}

fn receipt() -> Receipt {
    let (source_etag, target_etag) = Default::default();
    let (size, proof) = (TASK_BYTES, Proof::StoredChecksum);
    let object =
        ObjectReceipt { size, crc64nvme: 1, source_etag, target_etag, existed: false, proof };
    Receipt {
        objects: vec![object],
        bytes_read: size,
        bytes_written: size,
        requests: 2,
        ..Receipt::default()
    }
}

/// How long this thread was on a processor: what else the machine does is not counted.
fn on_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// The largest resident memory of this process, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}
