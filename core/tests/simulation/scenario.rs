//! What a seed decides before the first step: jobs, workers, and which faults there are.

use deepclone_core::receipt::TaskFailureKind;

use crate::content::Replaced;
use crate::random::Random;

/// When the faults stop, in milliseconds.
pub(crate) const FAULTS_UNTIL_MS: u64 = 60_000;
/// How long a slow worker takes for a task, which is of some hundred MiB: far below the floor.
pub(crate) const SLOW_COPY_MS: u64 = 40 * 3_600_000;

/// Which faults there are. Chances are per mille.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A message is lost.
    pub(crate) drop: u64,
    /// A message comes twice.
    pub(crate) duplicate: u64,
    /// A message is late by seconds.
    pub(crate) delay: u64,
    /// A task fails at the worker.
    pub(crate) task_failure: u64,
    /// Each second, for each worker.
    pub(crate) worker_death: u64,
    /// For each batch: the coordinator dies in the middle of it.
    pub(crate) crash: u64,
    /// For each publishing: a foreign sync wins the version.
    pub(crate) foreign_commit: u64,
    /// For each publishing: a vacuum eats one copied object.
    pub(crate) vacuum: u64,
    /// For each job: a client cancels it.
    pub(crate) cancel: u64,
    /// Each second: the driver stands still for a while.
    pub(crate) stall: u64,
    /// Each second: a worker without a grant tells lies.
    pub(crate) lie: u64,
}

/// Which kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No fault at all.
    Calm,
    /// Only the coordinator dies.
    Restarts,
    /// The driver stalls now and then, for less than a lease.
    Stalls,
    /// Workers die, tasks fail, the coordinator dies; the network is good.
    Losses,
    /// One worker cannot reach a store, for a while or always.
    BadWorker,
    /// One worker lives, and hardly moves what it holds.
    Slow,
    /// One worker holds nothing and reports the tasks of others.
    Liar,
    /// The source moves on to a newer version and loses objects of the older one.
    Vanish,
    /// All workers go and none comes back.
    Deserted,
    /// Two sources use the same names, files are replaced in place, and targets are vacuumed.
    Contents,
    /// All faults at once.
    Chaos,
}

/// What a worker that cannot reach a store reports, and from when to when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bad {
    pub(crate) kind: TaskFailureKind,
    pub(crate) from_ms: u64,
    pub(crate) until_ms: u64,
}

/// Everything that the seed of a run decides.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) kind: Kind,
    pub(crate) faults: Faults,
    pub(crate) workers: u64,
    pub(crate) jobs: Vec<JobPlan>,
    /// Worker 0 cannot reach a store.
    pub(crate) bad: Option<Bad>,
    /// Worker 0 hardly moves what it holds.
    pub(crate) is_slow: bool,
    /// When the source moves on, and what only its older version has is gone.
    pub(crate) vanish_ms: Option<u64>,
    /// When all workers go.
    pub(crate) desert_ms: Option<u64>,
    /// Files that are replaced in place, each at most once.
    pub(crate) replaced: Vec<Replaced>,
    /// How long targets keep objects that no commit refers to.
    pub(crate) retention_ms: u64,
    /// True when both stores keep the digests of their objects.
    pub(crate) stored_checksums: bool,
    /// Some objects are shared by workers.
    pub(crate) shares: bool,
}

/// One job: when it is submitted, to which target, and what its source holds.
#[derive(Clone, Debug)]
pub(crate) struct JobPlan {
    pub(crate) submit_ms: u64,
    pub(crate) target: u8,
    /// Which of the sources.
    pub(crate) source: u8,
    /// Numbers of tasks, out of a pool of the target.
    pub(crate) tasks: Vec<u8>,
    /// The same at the source's newer version, if it has one.
    pub(crate) later: Vec<u8>,
    /// A task that is gone although the newer version has it: the source is damaged.
    pub(crate) damaged: Option<u8>,
    pub(crate) cancel_ms: Option<u64>,
}

impl Scenario {
    /// The run of this seed.
    pub(crate) fn new(kind: Kind, random: &mut Random) -> Self {
        let faults = match kind {
            Kind::Calm => Faults::default(),
            Kind::Restarts => Faults { crash: 15, ..Faults::default() },
            Kind::Stalls => Faults { stall: 60, ..Faults::default() },
            Kind::Losses => Faults {
                crash: random.within(0..12),
                task_failure: random.within(0..150),
                worker_death: random.within(0..30),
                ..Faults::default()
            },
            Kind::Chaos => Faults {
                drop: random.within(0..150),
                duplicate: random.within(0..150),
                delay: random.within(0..100),
                task_failure: random.within(0..150),
                worker_death: random.within(0..30),
                crash: random.within(0..12),
                foreign_commit: random.within(0..300),
                vacuum: random.within(0..300),
                cancel: random.within(0..300),
                stall: random.within(0..40),
                lie: random.within(0..300),
            },
            Kind::BadWorker | Kind::Deserted => Faults { crash: 3, ..Faults::default() },
            Kind::Liar => Faults {
                crash: random.within(0..10),
                worker_death: random.within(0..20),
                lie: 900,
                ..Faults::default()
            },
            Kind::Vanish | Kind::Slow => Faults { crash: random.within(0..6), ..Faults::default() },
            Kind::Contents => Faults {
                crash: random.within(0..10),
                task_failure: random.within(0..200),
                worker_death: random.within(0..20),
                foreign_commit: random.within(0..200),
                vacuum: random.within(0..400),
                cancel: 400,
                ..Faults::default()
            },
        };
        let jobs = if kind == Kind::Contents { 0 } else { random.within(1..6) };
        let jobs = (0..jobs).map(|_| Self::job(&faults, random)).collect();
        let workers = match kind {
            Kind::BadWorker | Kind::Slow => random.within(2..5),
            _ => random.within(1..5),
        };
        let mut scenario = Self { kind, faults, workers, jobs, ..Self::nothing_special(kind) };
        scenario.add_what_the_kind_is_about(random);
        scenario
    }

    fn nothing_special(kind: Kind) -> Self {
        Self {
            kind,
            faults: Faults::default(),
            workers: 0,
            jobs: Vec::new(),
            bad: None,
            is_slow: false,
            vanish_ms: None,
            desert_ms: None,
            replaced: Vec::new(),
            retention_ms: 20_000,
            stored_checksums: false,
            shares: false,
        }
    }

    fn add_what_the_kind_is_about(&mut self, random: &mut Random) {
        match self.kind {
            Kind::BadWorker => {
                let kind = match random.within(0..3) {
                    0 => TaskFailureKind::SourceDenied,
                    1 => TaskFailureKind::TargetDenied,
                    _ => TaskFailureKind::SourceNotFound,
                };
                let from_ms = random.within(0..20_000);
                let until_ms = from_ms + random.within(10_000..200_000);
                self.bad = Some(Bad { kind, from_ms, until_ms });
            }
            Kind::Vanish => {
                self.vanish_ms = Some(random.within(1_000..45_000));
                for job in &mut self.jobs {
                    let dropped = random.within(0..4).min(job.tasks.len() as u64) as usize;
                    let first = job.tasks.last().map_or(0, |last| last + 1);
                    job.later = job.tasks[dropped..].to_vec();
                    job.later.extend(first..first + random.within(0..4) as u8);
                    if random.chance(200) {
                        job.damaged = job.later.first().copied();
                    }
                }
            }
            Kind::Contents => {
                self.stored_checksums = random.chance(200);
                self.retention_ms = if random.chance(500) { 15_000 } else { 100_000 };
                for number in 0..random.within(4..12) {
                    let mut job = Self::job(&self.faults, random);
                    job.submit_ms = number * 5_000 + random.within(0..5_000);
                    job.cancel_ms = job.cancel_ms.map(|_| job.submit_ms + random.within(0..8_000));
                    job.source = u8::from(random.chance(200));
                    job.target = random.within(0..2) as u8;
                    let first = random.within(0..4) as u8;
                    job.tasks = (first..first + 1 + random.within(0..6) as u8).collect();
                    self.jobs.push(job);
                }
                for number in 0..10 {
                    if random.chance(250) {
                        let at_ms = random.within(0..50_000);
                        let logged_ms = at_ms + random.within(0..20_000);
                        self.replaced.push(Replaced { number, at_ms, logged_ms });
                    }
                }
            }
            Kind::Deserted => self.desert_ms = Some(random.within(1_000..40_000)),
            Kind::Slow => self.is_slow = true,
            // Of its own numbers: the others are those that the seed had before.
            Kind::Chaos => self.is_slow = self.workers > 1 && random.clone().chance(250),
            Kind::Calm | Kind::Restarts | Kind::Stalls | Kind::Losses | Kind::Liar => {}
        }
    }

    fn job(faults: &Faults, random: &mut Random) -> JobPlan {
        let submit_ms = random.within(0..30_000);
        let first = random.within(0..20) as u8;
        let tasks = random.within(0..12) as u8;
        let cancel = random.chance(faults.cancel);
        JobPlan {
            submit_ms,
            target: random.within(0..3) as u8,
            source: 0,
            tasks: (first..first + tasks).collect(),
            later: Vec::new(),
            damaged: None,
            cancel_ms: cancel.then(|| submit_ms + random.within(0..30_000)),
        }
    }
}

/// Bytes of a task of a pool.
pub(crate) fn task_bytes(number: u8) -> u64 {
    (u64::from(number % 7) * 40 + 1) << 20
}

/// Objects of a task of a pool.
pub(crate) fn task_objects(number: u8) -> u32 {
    u32::from(number % 3) + 1
}
