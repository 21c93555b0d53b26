//! A run: what happens next, until the week is over.

use deepclone_core::standing::{StandingEvent, StandingFact};

use crate::random::Random;
use crate::scenario::{END_MS, HOUR_MS, Kind, MINUTE_MS, SECOND_MS};
use crate::world::{Occurrence, World};

/// How often the rules that cost more are looked at.
const LOOK_MS: u64 = 2 * HOUR_MS;
/// Not at a full second: what comes then is to be over.
const TICKS_FROM_MS: u64 = 17 * SECOND_MS + 123;

impl World {
    /// Runs to the end of the week.
    pub(crate) fn run(&mut self) {
        self.plan_acts_and_commits();
        self.plan_clock();
        self.at(TICKS_FROM_MS, Occurrence::Ticks);
        while let Some(occurrence) = self.next() {
            if self.now > END_MS {
                (self.faults.crash, self.faults.restart) = (0, 0);
                // What happened while it was down is told again by then.
                if self.standing.is_some() && self.now > self.alive.set.max(END_MS) + MINUTE_MS {
                    return;
                }
            }
            self.occur(occurrence);
        }
    }

    /// Facts are durable: they are kept, and looked at.
    pub(crate) fn note(&mut self, facts: &[StandingFact]) {
        for fact in facts {
            crate::rounds::note(self, fact);
            crate::slots::note(self, fact);
            crate::alive::note(self, fact);
            self.database.store(fact);
        }
        crate::money::note(self, facts);
    }

    fn plan_clock(&mut self) {
        let mut random = Random::keyed(&[self.seed, 79]);
        for _ in 0..self.faults.clock_steps {
            let at = random.within(0..END_MS - 12 * HOUR_MS);
            let longest = random.one_of(&[10 * SECOND_MS, HOUR_MS, 12 * HOUR_MS]);
            let step = i64::try_from(random.within(0..longest)).unwrap_or(0);
            let step = if random.chance(500) { step } else { -step };
            self.at(at, Occurrence::ClockIsSet(step));
        }
    }

    fn occur(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Wakes if self.wake == Some(self.now) => {
                self.wake = None;
                self.event(StandingEvent::Woken);
            }
            Occurrence::Wakes => {}
            Occurrence::Ticks => self.tick(),
            Occurrence::Answers(life, id, round, failures) if life == self.life => {
                self.answer(id, round, failures);
            }
            Occurrence::Tells(life, job) if life == self.life => self.tell_all(job),
            Occurrence::IsKept(life, chore) if life == self.life => self.is_kept(chore),
            Occurrence::Answers(..) | Occurrence::Tells(..) | Occurrence::IsKept(..) => {}
            Occurrence::JobIsPlanned(job) => self.job_is_planned(job),
            Occurrence::JobMoves(job) => self.job_moves(job),
            Occurrence::Commits(replication, table) => {
                let model = self.models.get_mut(&replication).unwrap();
                model.tables.get_mut(&table).unwrap().source += 1;
                let is_told = self.keyed(replication, &[self.now]).chance(500);
                if is_told {
                    self.event(StandingEvent::SourceChanged { replication });
                }
            }
            Occurrence::PersonActs(id, act) => self.person_acts(id, act),
            Occurrence::ClockIsSet(step) => {
                self.offset_ms += step;
                self.alive.clock_is_set(self.now);
                self.slots.clock_is_set(step);
            }
            Occurrence::Starts => self.restart(),
        }
    }

    /// The caller looks at its clock each minute. In runs whose clock is never set, that would only
    /// take time.
    fn tick(&mut self) {
        let is_set = self.kind == Kind::Clocks;
        let next = if is_set { MINUTE_MS } else { LOOK_MS };
        if is_set {
            self.event(StandingEvent::Woken);
        }
        if (self.now - TICKS_FROM_MS).is_multiple_of(LOOK_MS) {
            crate::alive::look(self);
        }
        self.at(self.now + next, Occurrence::Ticks);
    }
}
