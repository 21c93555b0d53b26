//! Rounds of one replication follow each other, begin only when they may, and make each job once.

use deepclone_core::standing::StandingFact;

use crate::world::World;

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
