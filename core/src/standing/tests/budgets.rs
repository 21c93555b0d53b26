//! Budgets: jobs are held until there is room for them.

use super::*;
use crate::budget::{AtLimit, BudgetAmount, BudgetKey, Cost, HoldCause, MonthBudget};
use crate::money::{Currency, Money};

fn budget(limit: u64, at_limit: AtLimit) -> MonthBudget {
    let limit = BudgetAmount::Bytes(limit);
    MonthBudget { key: BudgetKey("month".to_owned()), limit, zone: Zone::UTC, at_limit }
}

fn within(limit: u64) -> Order {
    Order { budgets: vec![budget(limit, AtLimit::Hold)], jobs_at_once: 3, ..quarterly() }
}

/// A round with these tables, whose jobs are submitted.
fn rig(order: Order, tables: &[u32]) -> Rig {
    let mut rig = Rig::of(order);
    rig.until("12:15");
    rig.said();
    rig.behind("a", tables);
    rig
}

fn job(rig: &Rig, table: u32) -> JobId {
    let jobs = &rig.standing.jobs;
    *jobs.iter().find(|(_, (_, number))| number.0 == table).unwrap().0
}

fn planned(rig: &mut Rig, table: u32, bytes: u64) {
    let (job, cost) = (job(rig, table), Cost { bytes, money: None });
    rig.event(StandingEvent::JobPlanned { job, cost });
}

fn sent(rig: &mut Rig, table: u32, bytes: u64) {
    let (job, total) = (job(rig, table), Cost { bytes, money: None });
    rig.event(StandingEvent::JobSent { job, total });
}

fn limit(left: u64, until: Option<&str>) -> HoldCause {
    let until =
        until.map(|text| UnixTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond()));
    HoldCause::Limit { left: BudgetAmount::Bytes(left), until }
}

const DECEMBER: &str = "2026-12-01T00:00:00Z";

fn wait_for_december(rig: &mut Rig) {
    rig.until("30T23:59");
    rig.said();
    let december: jiff::Timestamp = DECEMBER.parse().unwrap();
    rig.now = UnixTime(december.as_millisecond());
    assert_eq!(rig.standing.next_deadline(), Some(rig.now));
    rig.event(StandingEvent::Woken);
}

#[test]
fn a_job_is_held_until_its_cost_is_reserved() {
    let mut rig = rig(within(100), &[0, 1, 2, 3]);
    rig.check(&["12:15 submit 1.0.0 held", "12:15 submit 1.1.0 held", "12:15 submit 1.2.0 held"]);
    planned(&mut rig, 0, 60);
    planned(&mut rig, 1, 50);
    planned(&mut rig, 2, 40);
    // One that is held for want of room leaves its place.
    rig.check(&["12:15 release 0", "12:15 submit 1.3.0 held", "12:15 release 2"]);
    planned(&mut rig, 3, 1);
    sent(&mut rig, 0, 60);
    rig.ended(0, JobOutcome::Done);
    rig.check(&[]);
    // What a job reserved and did not spend is free for the first one that waits.
    sent(&mut rig, 2, 10);
    rig.ended(2, JobOutcome::Done);
    rig.check(&["12:15 release 3"]);
    rig.ended(3, JobOutcome::Done);
    let (budget, cause) = (BudgetKey("month".to_owned()), limit(30, Some(DECEMBER)));
    assert_eq!(rig.state(), StandingState::HeldByBudget { budget, cause });
    wait_for_december(&mut rig);
    assert!(rig.said().contains(&"2026-12-01T00:00 release 1".to_owned()));
}

#[test]
fn a_higher_limit_counts_at_once() {
    let mut rig = rig(within(100), &[0]);
    planned(&mut rig, 0, 150);
    rig.said();
    // No month has room for it.
    let (budget, cause) = (BudgetKey("month".to_owned()), limit(100, None));
    assert_eq!(rig.state(), StandingState::HeldByBudget { budget, cause });
    rig.apply(within(200));
    rig.check(&["12:15 release 0"]);
}

#[test]
fn without_budgets_nothing_is_held() {
    let mut rig = rig(within(100), &[0, 1]);
    planned(&mut rig, 0, 150);
    rig.said();
    rig.apply(quarterly());
    rig.check(&["12:15 release 0", "12:15 release 1"]);
}

#[test]
fn a_limit_that_is_spent_stops_a_job_in_mid_copy() {
    let mut rig = rig(within(100), &[0]);
    planned(&mut rig, 0, 90);
    rig.said();
    sent(&mut rig, 0, 90);
    rig.check(&[]);
    // It sent something twice.
    sent(&mut rig, 0, 100);
    rig.check(&["12:15 hold 0"]);
    wait_for_december(&mut rig);
    assert!(rig.said().contains(&"2026-12-01T00:00 release 0".to_owned()));
}

#[test]
fn a_budget_that_slows_or_alerts_holds_nothing() {
    let slow = budget(100, AtLimit::Slow { bytes_per_second: 7 });
    let mut slowed = rig(Order { budgets: vec![slow], ..quarterly() }, &[0, 1]);
    slowed.said();
    planned(&mut slowed, 0, 90);
    planned(&mut slowed, 1, 20);
    slowed.check(&["12:15 release 0", "12:15 slow 1 to 7", "12:15 release 1"]);
    sent(&mut slowed, 0, 100);
    slowed.check(&["12:15 slow 0 to 7"]);
    wait_for_december(&mut slowed);
    let said = slowed.said();
    assert!(said.contains(&"2026-12-01T00:00 slow 0 to any rate".to_owned()), "{said:?}");
    assert!(said.contains(&"2026-12-01T00:00 slow 1 to any rate".to_owned()), "{said:?}");

    let alerts = budget(100, AtLimit::AlertOnly);
    let mut alerted = rig(Order { budgets: vec![alerts], ..quarterly() }, &[0]);
    alerted.said();
    planned(&mut alerted, 0, 190);
    sent(&mut alerted, 0, 120);
    alerted.check(&["12:15 alert month of 0", "12:15 release 0"]);
}

#[test]
fn a_job_that_is_slowed_stays_so_until_the_next_month() {
    let slow = budget(100, AtLimit::Slow { bytes_per_second: 7 });
    let order = Order { budgets: vec![slow], ..quarterly() };
    let mut rig = rig(order.clone(), &[0]);
    rig.said();
    planned(&mut rig, 0, 120);
    rig.check(&["12:15 slow 0 to 7", "12:15 release 0"]);
    rig.apply(order);
    rig.check(&[]);
}

#[test]
fn a_clock_that_is_set_back_to_a_month_that_is_spent_stops_a_job() {
    let mut rig = rig(within(100), &[0]);
    planned(&mut rig, 0, 90);
    sent(&mut rig, 0, 100);
    wait_for_december(&mut rig);
    assert!(rig.said().contains(&"2026-12-01T00:00 release 0".to_owned()));
    rig.jump("30T23:59");
    rig.check(&["30T23:59 hold 0"]);
}

#[test]
fn windows_and_budgets_hold_together() {
    let mut rig = rig(Order { windows: closed("12:20", "12:40"), ..within(100) }, &[0, 1]);
    rig.said();
    planned(&mut rig, 0, 60);
    rig.until("12:20");
    rig.check(&["12:15 release 0", "12:20 hold 0"]);
    planned(&mut rig, 1, 50);
    rig.until("12:40");
    rig.check(&[
        "12:25 recall 0",
        "12:25 recall 1",
        "12:30 skipped 12:30 (1): Overlap",
        "12:40 release 0",
    ]);
}

#[test]
fn a_restart_keeps_what_is_spent_and_reserved() {
    let mut rig = rig(within(100), &[0, 1]);
    planned(&mut rig, 0, 60);
    sent(&mut rig, 0, 20);
    rig.said();
    rig.restart("12:16");
    rig.check(&[
        "12:16 submit 1.0.0 held",
        "12:16 hold 0",
        "12:16 slow 0 to any rate",
        "12:16 submit 1.1.0 held",
        "12:16 hold 1",
        "12:16 slow 1 to any rate",
    ]);
    planned(&mut rig, 1, 50);
    sent(&mut rig, 0, 20);
    planned(&mut rig, 0, 40);
    rig.check(&["12:16 release 0"]);
    sent(&mut rig, 0, 50);
    rig.ended(0, JobOutcome::Done);
    rig.check(&["12:16 release 1"]);
    let used = rig.standing.ledger().month_use(&budget(100, AtLimit::Hold), rig.now);
    assert_eq!((used.spent, used.reserved), (50, 50));
}

#[test]
fn replications_share_a_budget_and_the_highest_priority_is_asked_first() {
    let mut rig = Rig::new();
    rig.apply(Order { priority: 1, ..within(100) });
    rig.apply(Order { name: "b".to_owned(), ..within(100) });
    rig.apply(Order { name: "c".to_owned(), ..within(100) });
    rig.until("12:15");
    for name in ["a", "b", "c"] {
        rig.behind(name, &[u32::from(name.as_bytes()[0])]);
    }
    let [a, b, c] = [97, 98, 99];
    planned(&mut rig, c, 80);
    planned(&mut rig, b, 30);
    planned(&mut rig, a, 90);
    rig.said();
    let job = job(&rig, c);
    rig.event(StandingEvent::JobEnded { job, outcome: JobOutcome::Done });
    let said = rig.said();
    assert!(said.contains(&"12:15 release 97".to_owned()), "{said:?}");
    assert!(!said.contains(&"12:15 release 98".to_owned()), "{said:?}");
}

/// A rig with a budget of so many euros, and these tables.
fn euros(limit: i64, tables: &[u32]) -> Rig {
    let limit = BudgetAmount::Money(money(limit));
    let budget = MonthBudget { limit, ..budget(0, AtLimit::Hold) };
    let mut rig = rig(Order { budgets: vec![budget], jobs_at_once: 3, ..quarterly() }, tables);
    rig.said();
    rig
}

fn money(euros: i64) -> Money {
    Money { micros: euros * 1_000_000, currency: Currency::EUR }
}

fn costs(bytes: u64, euros: i64) -> Cost {
    Cost { bytes, money: Some(money(euros)) }
}

#[test]
fn a_budget_of_money_holds_and_goes_on_in_the_next_month() {
    let mut rig = euros(100, &[0, 1]);
    let jobs = [job(&rig, 0), job(&rig, 1)];
    // A job of few bytes between dear regions, and one of many between cheap ones.
    rig.event(StandingEvent::JobPlanned { job: jobs[0], cost: costs(1, 70) });
    rig.event(StandingEvent::JobPlanned { job: jobs[1], cost: costs(1_000, 40) });
    rig.check(&["12:15 release 0"]);
    rig.event(StandingEvent::JobSent { job: jobs[0], total: costs(1, 70) });
    rig.ended(0, JobOutcome::Done);
    let until = DECEMBER.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let cause =
        HoldCause::Limit { left: BudgetAmount::Money(money(30)), until: Some(UnixTime(until)) };
    let budget = BudgetKey("month".to_owned());
    assert_eq!(rig.state(), StandingState::HeldByBudget { budget, cause });
    rig.said();
    rig.restart("12:16");
    rig.event(StandingEvent::JobPlanned { job: jobs[1], cost: costs(1_000, 40) });
    assert!(!rig.said().contains(&"12:16 release 1".to_owned()));
    wait_for_december(&mut rig);
    assert!(rig.said().contains(&"2026-12-01T00:00 release 1".to_owned()));
}

#[test]
fn a_job_that_costs_more_than_was_planned_is_stopped_at_the_limit() {
    // (totals that are told, the one at which it stops)
    for (case, totals, stops) in [
        ("as planned", [costs(10, 20), costs(40, 80)], None),
        // The next tier of the prices is dearer than the one that it was planned at.
        ("beyond a tier's edge", [costs(10, 20), costs(40, 100)], Some(1)),
        // A worker was killed: what it read is paid for, and read again by another one.
        ("with repeats", [costs(60, 100), costs(61, 101)], Some(0)),
    ] {
        let mut rig = euros(100, &[0]);
        let job = job(&rig, 0);
        rig.event(StandingEvent::JobPlanned { job, cost: costs(40, 80) });
        rig.check(&["12:15 release 0"]);
        for (number, total) in totals.into_iter().enumerate() {
            rig.event(StandingEvent::JobSent { job, total });
            let held: &[&str] = if stops == Some(number) { &["12:15 hold 0"] } else { &[] };
            assert_eq!(rig.said(), held, "{case}: {total:?}");
        }
    }
}

#[test]
fn a_price_that_is_not_known_holds_until_it_is() {
    let mut rig = euros(100, &[0]);
    let job = job(&rig, 0);
    rig.event(StandingEvent::JobPlanned { job, cost: Cost { bytes: 1, money: None } });
    rig.check(&[]);
    let budget = BudgetKey("month".to_owned());
    let cause = HoldCause::PriceUnknown;
    assert_eq!(rig.state(), StandingState::HeldByBudget { budget, cause });
    rig.event(StandingEvent::JobPlanned { job, cost: costs(1, 1) });
    rig.check(&["12:15 release 0"]);
}
