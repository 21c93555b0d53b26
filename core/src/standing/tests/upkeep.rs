//! Audits and vacuums: when they are due, and which of them run.

use std::collections::BTreeSet;

use super::*;

/// Rounds are hours away, so that only the upkeep is seen.
fn kept(audit: Duration) -> Order {
    let schedule = Schedule::every(audit).unwrap();
    Order { upkeep: [(UpkeepKind::Audit, schedule)].into(), ..every(24 * HOUR) }
}

fn rig(order: Order, tables: &[u32]) -> Rig {
    let mut rig = Rig::of(order);
    rig.replicas(tables);
    rig
}

impl Rig {
    fn replicas(&mut self, tables: &[u32]) {
        let tables: BTreeSet<_> = tables.iter().map(|table| TableNumber(*table)).collect();
        self.event(StandingEvent::Replicas { replication: id("a"), tables });
    }

    fn kept_up(&mut self, kind: UpkeepKind, table: u32, outcome: UpkeepOutcome) {
        let (replication, table) = (id("a"), TableNumber(table));
        self.event(StandingEvent::UpkeepEnded { replication, table, kind, outcome });
    }

    fn audited(&mut self, table: u32, outcome: UpkeepOutcome) {
        self.kept_up(UpkeepKind::Audit, table, outcome);
    }
}

#[test]
fn each_slot_has_an_audit_of_each_replica() {
    let mut rig = rig(kept(HOUR), &[3]);
    rig.until("12:59");
    rig.check(&[]);
    rig.until("13:00");
    rig.check(&["13:00 audit 3"]);
    // A table without a replica has none; one that is new begins with the next slot.
    rig.replicas(&[3, 4]);
    rig.audited(3, UpkeepOutcome::Done);
    rig.audited(3, UpkeepOutcome::Done);
    rig.until("13:59");
    rig.check(&[]);
    rig.until("14:01");
    rig.check(&["14:00 audit 3", "14:00 audit 4"]);
    // Slots of while it runs are one.
    rig.until("16:30");
    rig.audited(3, UpkeepOutcome::Done);
    rig.check(&["16:30 audit 3"]);
    // Its replica is gone: what comes of it changes nothing.
    rig.replicas(&[4]);
    rig.audited(3, UpkeepOutcome::Done);
    rig.audited(4, UpkeepOutcome::Done);
    rig.audited(4, UpkeepOutcome::Done);
    rig.until("17:00");
    rig.check(&["16:30 audit 4", "17:00 audit 4"]);
}

#[test]
fn a_failure_is_tried_again_with_growing_pauses() {
    let mut rig = rig(kept(HOUR), &[1]);
    rig.until("13:00");
    rig.check(&["13:00 audit 1"]);
    for at in ["13:01", "13:06", "13:21", "14:21", "15:21"] {
        rig.audited(1, UpkeepOutcome::Failed);
        rig.until(at);
        rig.check(&[&format!("{at} audit 1")]);
    }
    let view = rig.standing.upkeep(id("a"), TableNumber(1), UpkeepKind::Audit).unwrap();
    assert_eq!((view.failures, view.is_running), (5, true));
    // The slots that came meanwhile are served by it.
    rig.audited(1, UpkeepOutcome::Done);
    rig.until("15:59");
    rig.check(&[]);
    rig.until("16:00");
    rig.check(&["16:00 audit 1"]);
}

#[test]
fn an_audit_waits_for_a_sync_of_its_table_that_is_at_work() {
    let mut rig = rig(Order { upkeep: kept(HOUR).upkeep, ..every(HOUR) }, &[0, 1]);
    rig.until("13:00");
    rig.check(&["13:00 began 1: slot 13:00", "13:00 probe 1", "13:00 audit 0", "13:00 audit 1"]);
    rig.audited(0, UpkeepOutcome::Done);
    rig.audited(1, UpkeepOutcome::Done);
    rig.until("13:59");
    rig.behind("a", &[0]);
    rig.said();
    rig.until("14:10");
    rig.check(&["14:00 skipped 14:00 (1): Overlap", "14:00 audit 1"]);
    rig.ended(0, JobOutcome::Done);
    rig.check(&["14:10 ended 1: 1 0 0", "14:10 audit 0"]);
    // A sync that begins later is not held up, and a held one is not waited for.
    let windows = closed("14:30", "15:30");
    rig.apply(Order { windows, upkeep: kept(HOUR).upkeep, ..every(HOUR) });
    rig.run_requested();
    rig.behind("a", &[0]);
    rig.audited(0, UpkeepOutcome::Done);
    rig.audited(1, UpkeepOutcome::Done);
    rig.said();
    rig.until("15:01");
    rig.check(&[
        "14:30 hold 0",
        "14:35 recall 0",
        "15:00 skipped 15:00 (1): Overlap",
        "15:00 audit 0",
        "15:00 audit 1",
    ]);
}

#[test]
fn few_run_at_once_and_one_of_a_table() {
    let limits = StandingLimits { upkeep_at_once_max: 2, ..StandingLimits::default() };
    let mut rig = Rig::with_limits(limits);
    let schedule = Schedule::every(2 * HOUR).unwrap();
    let mut order = kept(HOUR);
    order.upkeep.insert(UpkeepKind::Vacuum, schedule);
    rig.apply(order);
    rig.replicas(&[0, 1, 2]);
    rig.until("14:00");
    rig.check(&["13:00 audit 0", "13:00 audit 1"]);
    rig.audited(1, UpkeepOutcome::Done);
    rig.check(&["14:00 audit 2"]);
    // The one that has waited longest is next; of table 0 the audit runs.
    rig.audited(2, UpkeepOutcome::Done);
    rig.check(&["14:00 audit 1"]);
    rig.audited(1, UpkeepOutcome::Done);
    rig.check(&["14:00 vacuum 1"]);
    rig.kept_up(UpkeepKind::Vacuum, 1, UpkeepOutcome::Done);
    rig.check(&["14:00 vacuum 2"]);
    rig.audited(0, UpkeepOutcome::Done);
    rig.check(&["14:00 audit 0"]);
}

#[test]
fn a_restart_asks_again_for_what_was_under_way_and_forgets_nothing() {
    let mut rig = rig(kept(HOUR), &[0, 1, 2]);
    rig.until("13:00");
    rig.audited(0, UpkeepOutcome::Done);
    rig.audited(1, UpkeepOutcome::Failed);
    rig.said();
    rig.restart("13:00");
    rig.check(&["13:00 audit 2"]);
    rig.replicas(&[0, 1, 2]);
    rig.until("13:30");
    rig.check(&["13:01 audit 1"]);
    // It was away for hours: one audit of each, for all slots, what waits longest first.
    rig.restart("17:30");
    rig.check(&["17:30 audit 2", "17:30 audit 1", "17:30 audit 0"]);
}

#[test]
fn schedules_that_change_or_end_are_followed() {
    let mut rig = rig(kept(HOUR), &[0]);
    rig.until("12:30");
    rig.apply(kept(15 * MINUTE));
    rig.until("12:45");
    rig.check(&["12:45 audit 0"]);
    rig.apply(Order { upkeep: BTreeMap::new(), ..kept(HOUR) });
    rig.audited(0, UpkeepOutcome::Done);
    rig.until("13:30");
    rig.check(&[]);
    assert_eq!(rig.upkeep.len(), 0);
    rig.apply(kept(HOUR));
    rig.replicas(&[0]);
    rig.until("14:00");
    rig.check(&["14:00 audit 0"]);
    // A pause is for syncs alone; what is retired is not looked at.
    rig.audited(0, UpkeepOutcome::Done);
    rig.paused(None);
    rig.until("15:00");
    rig.check(&["15:00 audit 0"]);
    rig.event(StandingEvent::Retired { replication: id("a") });
    rig.audited(0, UpkeepOutcome::Done);
    rig.until("18:00");
    rig.check(&[]);
}

#[test]
fn a_clock_that_is_set_back_does_not_stall_audits() {
    let mut rig = rig(kept(HOUR), &[0, 1]);
    rig.until("18:00");
    rig.audited(0, UpkeepOutcome::Done);
    rig.audited(0, UpkeepOutcome::Done);
    rig.audited(1, UpkeepOutcome::Failed);
    rig.said();
    rig.jump("12:30");
    rig.until("13:00");
    rig.check(&["12:31 audit 1", "13:00 audit 0"]);
}
