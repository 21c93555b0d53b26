//! The state of a run: the scheduler, what is durable, the model beside it, and what comes next.

use std::collections::BTreeMap;

use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::standing::{Order, Standing, StandingAction, StandingEvent, StandingLimits};
use deepclone_core::unix_time::UnixTime;

use crate::database::Database;
use crate::model::{Act, Job};
use crate::orders;
use crate::random::Random;
use crate::scenario::{self, Faults, Kind, REPLICATIONS};
use crate::seen::{Alive, Chore, Keeping, Money, Rounds, Slots};

pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    /// For crashes and restarts alone: whether there are some changes nothing else.
    pub(crate) random: Random,
    /// Milliseconds since the run began.
    pub(crate) now: u64,
    start: UnixTime,
    /// How wrong the clock is.
    pub(crate) offset_ms: i64,
    queue: BTreeMap<(u64, u64), Occurrence>,
    queued: u64,
    /// `None` while it is down.
    pub(crate) standing: Option<Standing>,
    pub(crate) life: u64,
    pub(crate) restarts: u64,
    pub(crate) database: Database,
    pub(crate) models: BTreeMap<ReplicationId, Model>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// When each probe is answered.
    pub(crate) asked: BTreeMap<(ReplicationId, u64, u32, u64), u64>,
    pub(crate) polls: u64,
    pub(crate) wake: Option<u64>,
    pub(crate) rounds: Rounds,
    pub(crate) slots: Slots,
    pub(crate) money: Money,
    pub(crate) alive: Alive,
    pub(crate) keeping: Keeping,
}

/// A replication as its people see it.
pub(crate) struct Model {
    pub(crate) tables: BTreeMap<TableNumber, TableModel>,
    pub(crate) pause: Option<Option<UnixTime>>,
    pub(crate) is_retired: bool,
}

/// How many commits there are.
#[derive(Clone, Copy, Default)]
pub(crate) struct TableModel {
    pub(crate) source: u64,
    pub(crate) replica: u64,
    pub(crate) has_replica: bool,
}

/// Something that comes at some time.
#[derive(Clone, Debug)]
pub(crate) enum Occurrence {
    Wakes,
    /// The clock is looked at, and so are the rules.
    Ticks,
    Answers(u64, ReplicationId, Option<u64>, u32),
    Tells(u64, JobId),
    JobIsPlanned(JobId),
    JobMoves(JobId),
    Commits(ReplicationId, TableNumber),
    PersonActs(ReplicationId, Act),
    ClockIsSet(i64),
    Starts,
    /// An audit or a vacuum ends.
    IsKept(u64, Chore),
}

impl World {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        // Twins have the same seed.
        let mut random = Random::keyed(&[seed, 77]);
        let start = scenario::start(&mut random);
        let mut world = Self {
            kind,
            seed,
            faults: Faults::default(),
            random: Random::keyed(&[seed, 78]),
            now: 0,
            start,
            offset_ms: 0,
            queue: BTreeMap::new(),
            queued: 0,
            standing: Some(Standing::new(StandingLimits::default(), start)),
            life: 0,
            restarts: 0,
            database: Database::default(),
            models: BTreeMap::new(),
            jobs: BTreeMap::new(),
            asked: BTreeMap::new(),
            polls: 0,
            wake: None,
            rounds: Rounds::default(),
            slots: Slots::default(),
            money: Money::default(),
            alive: Alive::default(),
            keeping: Keeping::default(),
        };
        for number in 0..REPLICATIONS {
            let order = orders::order(kind, number, &mut random);
            let tables = (0..random.one_of(&[1, 1, 1, 2, 4]))
                .map(|table| (TableNumber(table), TableModel::default()))
                .collect();
            world.models.insert(
                ReplicationId::derive(&order.name),
                Model { tables, pause: None, is_retired: false },
            );
            world.apply(order);
        }
        world.faults = Faults::of(kind);
        world
    }

    pub(crate) fn wall(&self) -> UnixTime {
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        UnixTime(self.start.0 + now + self.offset_ms)
    }

    pub(crate) fn at(&mut self, at: u64, occurrence: Occurrence) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), occurrence);
    }

    pub(crate) fn next(&mut self) -> Option<Occurrence> {
        let ((at, _), occurrence) = self.queue.pop_first()?;
        self.now = at;
        Some(occurrence)
    }

    /// An order is durable before the scheduler knows it.
    pub(crate) fn apply(&mut self, order: Order) -> bool {
        let replication = ReplicationId::derive(&order.name);
        if self.standing.is_some() {
            self.database.orders.insert(replication, order.clone());
        }
        self.event(StandingEvent::Applied { replication, order: Box::new(order) })
    }

    /// Shows the scheduler an event. False when that is lost.
    pub(crate) fn event(&mut self, event: StandingEvent) -> bool {
        let (wall, mut actions) = (self.wall(), Vec::new());
        let Some(standing) = &mut self.standing else { return false };
        standing.step(wall, event, &mut actions);
        let is_durable = self.perform(actions);
        if self.random.chance(self.faults.restart) {
            self.restart();
        }
        is_durable
    }

    /// The coordinator starts, or starts again at once.
    pub(crate) fn restart(&mut self) {
        self.life += 1;
        self.restarts += 1;
        let (stored, entries) = (self.database.stored(), self.database.entries());
        let (limits, mut actions) = (StandingLimits::default(), Vec::new());
        let standing = Standing::recover(limits, self.wall(), stored, entries, &mut actions);
        self.standing = Some(standing);
        self.alive.clock_is_set(self.now);
        self.keeping.running.clear();
        self.perform(actions);
        for id in self.models.keys().copied().collect::<Vec<_>>() {
            self.tell_replicas(id);
        }
    }

    /// Makes facts durable, then does the rest; unless it dies at some point of that.
    fn perform(&mut self, actions: Vec<StandingAction>) -> bool {
        let dies = self.random.chance(self.faults.crash);
        if dies && self.random.chance(500) {
            self.die();
            return false;
        }
        let (facts, others): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| matches!(action, StandingAction::Record(_)));
        let last = match dies {
            true => self.random.within(0..others.len() as u64 + 1),
            false => u64::MAX,
        };
        let facts: Vec<_> = facts
            .into_iter()
            .filter_map(|action| match action {
                StandingAction::Record(fact) => Some(fact),
                _ => None,
            })
            .collect();
        self.note(&facts);
        for (action, _) in others.into_iter().zip(0..last) {
            self.act(action);
        }
        if dies {
            self.die();
        } else {
            self.plan_to_wake();
        }
        true
    }

    fn act(&mut self, action: StandingAction) {
        match action {
            StandingAction::Record(_) => {}
            StandingAction::Probe { replication, round } => self.ask(replication, Some(round)),
            StandingAction::Poll { replication } => self.ask(replication, None),
            StandingAction::Submit { replication, round, table, job, held } => {
                self.rounds.submitted((replication, round, table), job);
                self.submit(replication, table, job, held);
            }
            StandingAction::Hold { job, .. } => self.hold(job, true),
            StandingAction::Release { job } => self.hold(job, false),
            StandingAction::Recall { job } => assert!(self.jobs[&job].is_held, "recalled: {job}"),
            StandingAction::Upkeep { replication, table, kind } => {
                self.keep((replication, table, kind));
            }
            StandingAction::SlowTo { .. } | StandingAction::Alert { .. } => {}
            StandingAction::Violated(violation) => panic!("{violation:?}"),
        }
    }

    fn plan_to_wake(&mut self) {
        let wall = self.wall();
        let next = self.standing.as_ref().and_then(Standing::next_deadline);
        if let Some(next) = next {
            assert!(next > wall, "it is {wall}, and nothing was done that is due at {next}");
            let wait = u64::try_from(next.0 - wall.0).unwrap_or(0);
            let at = self.now + wait;
            if self.wake != Some(at) {
                self.wake = Some(at);
                self.at(at, Occurrence::Wakes);
            }
        }
    }

    fn die(&mut self) {
        self.standing = None;
        self.wake = None;
        self.life += 1;
        let minutes = self.random.one_of(&[0, 1, 20, 300]);
        let absent_ms = 1_000 + self.random.within(0..minutes * 60_000 + 1);
        self.at(self.now + absent_ms, Occurrence::Starts);
    }
}
