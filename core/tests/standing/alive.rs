//! Nothing stalls: slots are decided in time whatever the clock does, and every job is as the
//! scheduler thinks it is.

use std::collections::BTreeMap;

use deepclone_core::budget::AtLimit;
use deepclone_core::ids::ReplicationId;
use deepclone_core::standing::{Pause, StandingFact};

use crate::orders::interval;
use crate::scenario::MINUTE_MS;
use crate::world::World;

pub(crate) fn note(world: &mut World, fact: &StandingFact) {
    let StandingFact::Replication { replication, record } = fact else { return };
    let (now, until) = (world.now, record.slots_until);
    let was_paused =
        world.database.records.get(replication).is_some_and(|before| before.pause.is_some());
    let known = world.alive.decided.entry(*replication).or_insert((now, until));
    if known.1 != until || was_paused {
        *known = (now, until);
    }
}

/// What must hold at any time.
pub(crate) fn look(world: &World) {
    let Some(standing) = &world.standing else { return };
    assert_eq!(standing.violations(), []);
    let wall = world.wall();
    for (id, record) in &world.database.records {
        let order = &world.database.orders[id];
        if let (Some(interval), None, false) = (interval(order), record.pause, record.is_retired) {
            let (decided, _) = world.alive.decided[id];
            let since = decided.max(world.alive.set);
            let longest = u64::try_from(interval.as_millis()).unwrap() + 2 * MINUTE_MS;
            let stalled = world.now - since;
            assert!(stalled <= longest, "{id}: no slot since {stalled} ms, each {interval:?}");
        }
        if let Some(Pause { until: Some(until) }) = record.pause {
            assert!(wall < until, "{id}: its pause ended at {until}");
        }
    }
    let mut running: BTreeMap<ReplicationId, u32> = BTreeMap::new();
    for (id, job) in &world.jobs {
        let is_open = job.ended.is_none();
        let place = standing.place_of(*id);
        assert_eq!(place.is_some(), is_open, "{id} of {}: {place:?}", job.replication);
        if is_open && !job.is_held {
            *running.entry(job.replication).or_default() += 1;
            let order = &world.database.orders[&job.replication];
            let windows = order.windows.at(wall);
            assert!(windows.is_open, "{id} copies while closed: {windows:?}");
            for budget in order.budgets.iter().filter(|it| it.at_limit == AtLimit::Hold) {
                assert!(world.money.has_reserved(&budget.key, *id), "{id} has reserved nothing");
            }
        }
    }
    for id in world.models.keys() {
        let view = standing.view(*id).unwrap();
        let known = view.round.map_or(0, |round| round.running);
        let copies = running.get(id).copied().unwrap_or(0);
        assert_eq!(known, copies, "{id}: {:?}", view.state);
    }
}

pub(crate) fn at_the_end(world: &World) {
    look(world);
    assert!(world.jobs.len() > 500, "{} jobs", world.jobs.len());
}
