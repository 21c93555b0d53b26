//! What people do to replications.

use deepclone_core::ids::ReplicationId;
use deepclone_core::standing::StandingEvent;

use crate::model::Act;
use crate::orders;
use crate::scenario::{END_MS, HOUR_MS, MINUTE_MS};
use crate::world::{Occurrence, World};

/// How often each replication is thought of.
const THOUGHT_MS: u64 = 6 * HOUR_MS;
/// When a request that failed is repeated.
const REPEAT_MS: u64 = MINUTE_MS / 2;

impl World {
    /// Decides what people will do, and when sources change.
    pub(crate) fn plan_acts_and_commits(&mut self) {
        let ids: Vec<ReplicationId> = self.models.keys().copied().collect();
        for id in ids {
            let mut random = self.keyed(id, &[self.seed, 2]);
            for from in (0..END_MS / THOUGHT_MS).map(|number| number * THOUGHT_MS) {
                if random.chance(self.faults.person) {
                    let act = match random.within(0..100) {
                        0..=29 => Act::Pause { hours: Some(random.within(1..30)) },
                        30..=39 => Act::Pause { hours: None },
                        40..=59 => Act::Resume,
                        60..=79 => Act::Run,
                        80..=96 => Act::Change(random.within(0..1_000)),
                        _ => Act::Retire,
                    };
                    let at = from + random.within(0..THOUGHT_MS);
                    self.at(at, Occurrence::PersonActs(id, act));
                }
            }
            let tables: Vec<_> = self.models[&id].tables.keys().copied().collect();
            for table in tables {
                let between = HOUR_MS * random.one_of(&[1, 5, 30]);
                let mut at = random.within(0..between);
                while at < END_MS {
                    self.at(at, Occurrence::Commits(id, table));
                    at += random.within(1..2 * between);
                }
            }
        }
    }

    /// Somebody acts, and repeats it until it is heard.
    pub(crate) fn person_acts(&mut self, replication: ReplicationId, act: Act) {
        let wall = self.wall();
        let until = |hours: Option<u64>| {
            hours.map(|hours| wall.after(std::time::Duration::from_millis(hours * HOUR_MS)))
        };
        let is_heard = match act {
            Act::Pause { hours } => {
                let until = until(hours);
                self.event(StandingEvent::Paused { replication, until })
            }
            Act::Resume => {
                // A round may begin at once.
                let pause = self.models.get_mut(&replication).unwrap().pause.take();
                let is_heard = self.event(StandingEvent::Resumed { replication });
                if !is_heard {
                    self.models.get_mut(&replication).unwrap().pause = pause;
                }
                is_heard
            }
            Act::Run => self.event(StandingEvent::RunRequested { replication }),
            Act::Retire => self.event(StandingEvent::Retired { replication }),
            // It would be wanted again.
            Act::Change(_) if self.models[&replication].is_retired => true,
            Act::Change(number) => {
                let mut order = self.database.orders[&replication].clone();
                let mut random = self.keyed(replication, &[self.seed, number]);
                let other = orders::order(self.kind, number, &mut random);
                (order.windows, order.close_grace) = (other.windows, other.close_grace);
                (order.priority, order.jobs_at_once) = (other.priority, other.jobs_at_once);
                for budget in &mut order.budgets {
                    if budget.key.0 != "owner" {
                        let double = budget.limit.count() * 2;
                        budget.limit = budget.limit.unit().amount(double);
                    }
                }
                self.apply(order)
            }
        };
        if !is_heard {
            self.at(self.now + REPEAT_MS, Occurrence::PersonActs(replication, act));
            return;
        }
        let now = self.now;
        let Some(model) = self.models.get_mut(&replication) else { return };
        match act {
            Act::Pause { hours } if !model.is_retired => model.pause = Some(until(hours)),
            Act::Resume => self.alive.resumed(replication, now),
            Act::Retire => {
                model.pause = None;
                model.is_retired = true;
            }
            Act::Pause { .. } | Act::Run | Act::Change(_) => {}
        }
    }
}
