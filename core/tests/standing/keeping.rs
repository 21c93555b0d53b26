//! Audits and vacuums: few at once, one of a table, none beside a sync that is at work, and none is
//! forgotten.

use deepclone_core::ids::ReplicationId;
use deepclone_core::limits::UPKEEP_AT_ONCE_MAX;
use deepclone_core::standing::{StandingEvent, UpkeepKind, UpkeepOutcome};

use crate::orders::AUDITED_EACH;
use crate::scenario::{HOUR_MS, MINUTE_MS};
use crate::seen::Chore;
use crate::world::{Occurrence, World};

impl World {
    /// Tells which tables have a replica.
    pub(crate) fn tell_replicas(&mut self, replication: ReplicationId) {
        let tables = self.models[&replication].tables.iter();
        let tables = tables.filter(|(_, table)| table.has_replica).map(|(number, _)| *number);
        let tables = tables.collect();
        self.event(StandingEvent::Replicas { replication, tables });
    }

    /// The scheduler begins an audit or a vacuum.
    pub(crate) fn keep(&mut self, chore: Chore) {
        let (id, table, _) = chore;
        let of_table = self.keeping.running.iter().any(|(of, at, _)| (*of, *at) == (id, table));
        assert!(!of_table, "{id}: two of table {} at once", table.0);
        assert!(self.keeping.running.len() < UPKEEP_AT_ONCE_MAX, "too many at once");
        assert!(self.models[&id].tables[&table].has_replica, "{id}: there is no replica");
        let is_synced = self.jobs.values().any(|job| {
            (job.replication, job.table) == (id, table) && job.ended.is_none() && !job.is_held
        });
        assert!(!is_synced, "{id}: beside a sync of table {}", table.0);
        self.keeping.running.insert(chore);
        let minutes = self.keyed(id, &[self.now, 3]).within(1..10);
        self.at(self.now + MINUTE_MS * minutes, Occurrence::IsKept(self.life, chore));
    }

    /// An audit or a vacuum ends, well or not.
    pub(crate) fn is_kept(&mut self, chore: Chore) {
        let (replication, table, kind) = chore;
        self.keeping.running.remove(&chore);
        let fails = self.keyed(replication, &[self.now, 4]).chance(100);
        let outcome = if fails { UpkeepOutcome::Failed } else { UpkeepOutcome::Done };
        if fails {
            self.keeping.failed += 1;
        } else {
            let done = self.keeping.done.entry(chore).or_default();
            *done = (done.0 + 1, self.now);
        }
        self.event(StandingEvent::UpkeepEnded { replication, table, kind, outcome });
    }
}

pub(crate) fn at_the_end(world: &World) {
    let each = u64::try_from(AUDITED_EACH.as_millis()).unwrap();
    let mut audits = 0;
    for (chore, record) in &world.database.upkeep {
        let (id, table, kind) = chore;
        assert!(!world.models[id].is_retired, "{id} is retired");
        let (count, last) = world.keeping.done.get(chore).copied().unwrap_or_default();
        if *kind == UpkeepKind::Audit && record.slots_until.0 < world.wall().0 - 12 * 3_600_000 {
            panic!("{id}: table {} is decided up to {}", table.0, record.slots_until);
        }
        if *kind == UpkeepKind::Audit && count > 0 {
            let since = world.now - last;
            assert!(since < each + 8 * HOUR_MS, "{id}: table {} since {since} ms", table.0);
        }
        audits += count;
    }
    assert!(audits > 300, "{audits} audits and vacuums");
}
