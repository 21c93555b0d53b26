//! Jobs that a budget holds: the other tables are synced meanwhile, and nothing is doubled.

use super::*;
use crate::budget::{AtLimit, BudgetAmount, BudgetKey, Cost, MonthBudget};

fn within(limit: u64, order: Order) -> Order {
    let limit = BudgetAmount::Bytes(limit);
    let key = BudgetKey("month".to_owned());
    let budget = MonthBudget { key, limit, zone: Zone::UTC, at_limit: AtLimit::Hold };
    Order { budgets: vec![budget], jobs_at_once: 3, ..order }
}

fn planned(rig: &mut Rig, table: u32, bytes: u64) {
    let jobs = &rig.standing.jobs;
    let job = *jobs.iter().find(|(_, (_, number))| number.0 == table).unwrap().0;
    rig.event(StandingEvent::JobPlanned { job, cost: Cost { bytes, money: None } });
}

/// Table 0 needs more than there is; table 1 is synced.
fn rig(order: Order) -> Rig {
    let mut rig = Rig::of(within(100, order));
    rig.until("12:15");
    rig.behind("a", &[0, 1]);
    planned(&mut rig, 0, 150);
    planned(&mut rig, 1, 10);
    rig.ended(1, JobOutcome::Done);
    rig.said();
    rig
}

#[test]
fn other_tables_are_synced_at_the_next_slots() {
    let mut rig = rig(quarterly());
    rig.until("12:30");
    rig.check(&["12:30 ended 1: 1 0 0 1 held", "12:30 began 2: slot 12:30", "12:30 probe 2"]);
    // The one that is held has its job already.
    rig.behind("a", &[0, 1, 2]);
    rig.check(&["12:30 submit 2.1.0 held", "12:30 submit 2.2.0 held"]);
    planned(&mut rig, 1, 10);
    planned(&mut rig, 2, 10);
    rig.ended(1, JobOutcome::Done);
    rig.check(&["12:30 release 1", "12:30 release 2"]);
    // A round with a job that moves is under way as any other.
    rig.until("12:45");
    rig.check(&["12:45 skipped 12:45 (1): Overlap"]);
    rig.ended(2, JobOutcome::Done);
    rig.until("13:00");
    rig.check(&["13:00 ended 2: 2 0 0 1 held", "13:00 began 3: slot 13:00", "13:00 probe 3"]);
    // It goes on at once when there is room, also while the source is asked.
    rig.apply(within(1_000, quarterly()));
    rig.check(&["13:00 release 0"]);
    rig.behind("a", &[0]);
    rig.until("13:15");
    rig.check(&["13:15 skipped 13:15 (1): Overlap"]);
    rig.ended(0, JobOutcome::Done);
    rig.check(&["13:15 ended 3: 1 0 0"]);
}

#[test]
fn one_that_fails_later_is_tried_again_under_its_own_ids() {
    let mut rig = rig(quarterly());
    rig.until("12:30");
    rig.nothing_behind();
    rig.said();
    rig.apply(within(1_000, quarterly()));
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    rig.until("12:31");
    rig.check(&["12:30 release 0", "12:31 submit 1.0.1 held"]);
    rig.ended(0, JobOutcome::Cancelled);
    rig.check(&["12:31 ended 2: 0 0 1"]);
}

#[test]
fn a_restart_keeps_what_is_held() {
    let mut rig = rig(quarterly());
    rig.until("12:30");
    rig.said();
    // While the source is asked, and after that.
    rig.restart("12:31");
    rig.check(&[
        "12:31 submit 1.0.0 held",
        "12:31 hold 0",
        "12:31 slow 0 to any rate",
        "12:31 probe 2",
    ]);
    rig.behind("a", &[0, 2]);
    rig.check(&["12:31 submit 2.2.0 held"]);
    rig.restart("12:32");
    let said = rig.said();
    assert_eq!((said.len(), &*said[0]), (6, "12:32 submit 1.0.0 held"), "{said:?}");
    planned(&mut rig, 0, 150);
    rig.ended(2, JobOutcome::Done);
    rig.until("12:45");
    rig.check(&["12:45 ended 2: 1 0 0 1 held", "12:45 began 3: slot 12:45", "12:45 probe 3"]);
}

#[test]
fn a_source_that_does_not_answer_drops_no_job() {
    let mut rig = rig(quarterly());
    rig.until("12:30");
    for until in ["12:31", "12:35", "12:51"] {
        rig.probed("a", ProbeResult::Failed);
        rig.until(until);
    }
    rig.said();
    rig.probed("a", ProbeResult::Failed);
    rig.check(&[]);
    rig.until("13:00");
    rig.check(&["13:00 ended 2: probe failed", "13:00 began 3: slot 13:00", "13:00 probe 3"]);
    rig.nothing_behind();
    rig.ended(0, JobOutcome::Done);
    rig.check(&["13:00 ended 3: 1 0 0"]);
}

#[test]
fn windows_hold_it_while_the_source_is_asked() {
    let windows = closed("12:31", "12:40");
    let mut rig = rig(Order { windows: windows.clone(), ..quarterly() });
    rig.until("12:30");
    rig.apply(within(1_000, Order { windows, ..quarterly() }));
    rig.said();
    rig.until("12:40");
    rig.check(&["12:31 hold 0", "12:36 recall 0", "12:40 release 0"]);
}

#[test]
fn commits_of_other_tables_are_followed() {
    let (poll_min, poll_max) = (MINUTE, 4 * MINUTE);
    let trigger = ReplicationTrigger::Commits { poll_min, poll_max };
    let mut rig = Rig::new();
    rig.apply(within(100, Order { trigger, ..quarterly() }));
    let polled = |rig: &mut Rig, tables: &[u32]| {
        let result = ProbeResult::Behind(tables.iter().map(|table| TableNumber(*table)).collect());
        rig.event(StandingEvent::Polled { replication: id("a"), result });
    };
    polled(&mut rig, &[0]);
    rig.behind("a", &[0]);
    rig.said();
    planned(&mut rig, 0, 150);
    rig.until("12:06");
    rig.check(&["12:06 poll"]);
    // That the held one is behind is no news.
    for at in ["12:07", "12:09", "12:13", "12:17"] {
        polled(&mut rig, &[0]);
        rig.until(at);
        rig.check(&[&format!("{at} poll")]);
    }
    polled(&mut rig, &[0, 1]);
    rig.check(&["12:17 ended 1: 0 0 0 1 held", "12:17 began 2: source changed", "12:17 probe 2"]);
}
