//! Which of the rounds that wait for their turn begins next.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::action::StandingAction;
use super::state::Standing;
use crate::ids::ReplicationId;
use crate::unix_time::UnixTime;

impl Standing {
    /// Begins the rounds for which there is a place: those of the highest priority first, then
    /// those that have waited longest.
    pub(super) fn take_turns(&mut self, actions: &mut Vec<StandingAction>) {
        if self.ready.is_empty() {
            return;
        }
        let limits = self.limits;
        let mut by_pair = self.moving_rounds();
        let mut all: usize = by_pair.values().sum();
        for id in self.in_turn() {
            if all >= limits.rounds_max {
                return;
            }
            let Some((replication, mut context)) = self.open(id, actions) else { continue };
            let of_pair = by_pair.entry(replication.order.pair).or_default();
            if *of_pair < limits.rounds_per_pair_max {
                *of_pair += 1;
                all += 1;
                replication.begin_round(&mut context);
                self.ready.remove(&id);
            }
        }
    }

    /// The rounds that take a place, by pair.
    fn moving_rounds(&self) -> BTreeMap<u64, usize> {
        let mut by_pair = BTreeMap::new();
        for replication in self.replications.values() {
            if replication.round.as_ref().is_some_and(|round| round.is_moving()) {
                *by_pair.entry(replication.order.pair).or_default() += 1;
            }
        }
        by_pair
    }

    fn in_turn(&self) -> Vec<ReplicationId> {
        let rank = |id: &ReplicationId| {
            let replication = self.replications.get(id)?;
            let since = replication.record.wanted?.since;
            Some((Reverse(replication.order.priority), since, *id))
        };
        let mut waiting: Vec<(Reverse<i32>, UnixTime, ReplicationId)> =
            self.ready.iter().filter_map(rank).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, _, id)| id).collect()
    }
}
