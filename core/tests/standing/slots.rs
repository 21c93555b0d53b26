//! Every slot is served by one round, or recorded as skipped with a reason.

use deepclone_core::replication::ReplicationTrigger;
use deepclone_core::standing::StandingFact;
use deepclone_core::unix_time::UnixTime;

use crate::world::World;

pub(crate) fn note(world: &mut World, fact: &StandingFact) {
    let (id, (newest, count)) = match fact {
        StandingFact::Replication { replication, record } => {
            world.slots.first.entry(*replication).or_insert(record.slots_until);
            return;
        }
        StandingFact::RoundBegan { replication, cause, .. } => match cause.slots() {
            Some(slots) => (*replication, slots),
            None => return,
        },
        StandingFact::Skipped { replication, slots, .. } => {
            (*replication, (slots.newest, slots.count))
        }
        StandingFact::RoundEnded { .. }
        | StandingFact::Table { .. }
        | StandingFact::Upkeep { .. }
        | StandingFact::Budget(_) => {
            return;
        }
    };
    let ReplicationTrigger::Slots(schedule) = &world.database.orders[&id].trigger else {
        panic!("{id} has no slots");
    };
    assert!(count > 0, "{id}: no slot at all");
    assert_eq!(schedule.latest_at(newest), Some(newest), "{id}: {newest} is no slot");
    *world.slots.decided.entry(id).or_default() += count;
    // What was wanted before a clock was set back may be decided after it.
    if !world.slots.was_set {
        let before = world.slots.newest.insert(id, newest);
        assert!(before.is_none_or(|before| before < newest), "{id}: {newest} comes again");
    }
}

pub(crate) fn at_the_end(world: &World) {
    // What is due at this very moment may not be decided yet.
    let wall = UnixTime(world.wall().0 - 1);
    for (id, record) in &world.database.records {
        let order = &world.database.orders[id];
        let ReplicationTrigger::Slots(schedule) = &order.trigger else { continue };
        let is_off = record.is_retired || record.pause.is_some();
        let newest = schedule.latest_at(wall.before(order.delay()));
        let is_behind = newest.is_some_and(|newest| newest > record.slots_until);
        assert!(is_off || !is_behind, "{id}: nothing is decided of {newest:?}");
        if !world.slots.was_set {
            let waiting = record.wanted.and_then(|wanted| wanted.cause.slots());
            let waiting = waiting.map_or(0, |(_, count)| count);
            let decided = world.slots.decided.get(id).copied().unwrap_or(0);
            let due = schedule.missed(world.slots.first[id], record.slots_until);
            let due = due.map_or(0, |due| due.count);
            assert_eq!(decided + waiting, due, "{id}: slots were lost or came twice");
        }
    }
}
