//! Rounds of one replication follow each other, begin only when they may, and make each job once.

use std::collections::BTreeMap;

use deepclone_core::ids::{JobId, ReplicationId, TableNumber};
use deepclone_core::standing::{RoundCause, RoundOutcome, StandingFact};

use crate::world::World;

#[derive(Default)]
pub(crate) struct Rounds {
    /// The round under way of each replication.
    open: BTreeMap<ReplicationId, (u64, RoundCause)>,
    ended: BTreeMap<ReplicationId, Vec<(u64, RoundCause, RoundOutcome)>>,
    jobs: BTreeMap<JobId, (ReplicationId, u64, TableNumber)>,
}

impl Rounds {
    /// No id is that of two different pieces of work, nor of a round that is over.
    pub(crate) fn submitted(&mut self, work: (ReplicationId, u64, TableNumber), job: JobId) {
        let known = self.jobs.insert(job, work);
        assert!(known.is_none_or(|known| known == work), "{job} was {known:?}, and is {work:?}");
        let open = self.open.get(&work.0).map(|(number, _)| *number);
        assert_eq!(open, Some(work.1), "{job} is of another round than the open one");
    }
}

pub(crate) fn note(world: &mut World, fact: &StandingFact) {
    let wall = world.wall();
    match fact {
        StandingFact::RoundBegan { replication: id, round, cause, .. } => {
            let before = world.rounds.open.insert(*id, (*round, *cause));
            assert_eq!(before, None, "{id}: round {round} overlaps the one before");
            let ended = world.rounds.ended.entry(*id).or_default();
            let last = ended.last().map_or(0, |(number, ..)| *number);
            assert_eq!(*round, last + 1, "{id}: a number is left out or comes twice");
            let (order, model) = (&world.database.orders[id], &world.models[id]);
            let windows = order.windows.at(wall);
            assert!(windows.is_open, "{id}: round {round} begins at {wall}, {windows:?}");
            let is_paused = model.pause.is_some_and(|until| until.is_none_or(|until| wall < until));
            assert!(!is_paused, "{id}: round {round} begins while paused");
            assert!(!model.is_retired, "{id}: round {round} begins after the end");
        }
        StandingFact::RoundEnded { replication: id, round } => {
            let open = world.rounds.open.remove(id);
            assert_eq!(open, Some((round.number, round.cause)), "{id}: another round is open");
            let ended = world.rounds.ended.entry(*id).or_default();
            ended.push((round.number, round.cause, round.outcome));
        }
        _ => {}
    }
}

/// Both have the same rounds, apart from the times.
pub(crate) fn same(one: &World, other: &World) {
    assert_eq!(one.models.len(), other.models.len());
    let mut count = 0;
    for id in one.models.keys() {
        let of = |world: &World| world.rounds.ended.get(id).cloned().unwrap_or_default();
        let (left, right) = (of(one), of(other));
        assert_eq!(left, right, "{id}");
        count += left.len();
    }
    assert!(count > 1_000, "{count} rounds");
}
