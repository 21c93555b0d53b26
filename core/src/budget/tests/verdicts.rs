//! Who may copy, who is held, and by which budget.

use super::*;

const NOON: &str = "2026-11-26T12:00:00Z";
const DECEMBER: &str = "2026-12-01T00:00:00Z";

#[test]
fn a_reservation_is_granted_up_to_the_limit() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let budget = [of_bytes("a", 100)];
    // (job, cost, verdict, reserved by all after it)
    let cases = [
        (1, 60, BudgetVerdict::Granted, 60),
        (2, 41, held("a", 40, Some(DECEMBER)), 60),
        (2, 40, BudgetVerdict::Granted, 100),
        (3, 1, held("a", 0, Some(DECEMBER)), 100),
        (3, 0, BudgetVerdict::Granted, 100),
        // Larger than any month.
        (3, 101, held("a", 0, None), 100),
        // A second reservation of a job takes the place of the first; one that is held changes
        // nothing.
        (1, 60, BudgetVerdict::Granted, 100),
        (1, 61, held("a", 60, Some(DECEMBER)), 100),
        (1, 10, BudgetVerdict::Granted, 50),
    ];
    for (number, cost, expected, reserved) in cases {
        assert_eq!(ledger.verdict(&budget, job(number), bytes(cost), now), expected);
        let (verdict, entries) = ledger.reserve(&budget, job(number), bytes(cost), now);
        assert_eq!((&verdict, entries.is_empty()), (&expected, !verdict.is_free()));
        assert_eq!(used(&ledger, &budget[0], now), (0, reserved), "job {number}, {cost} bytes");
    }
}

#[test]
fn what_is_sent_moves_from_reserved_to_spent_once() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let budget = [of_bytes("a", 100)];
    ledger.reserve(&budget, job(1), bytes(60), now);
    // (total sent, entries, spent, reserved)
    let cases = [
        (0, 0, 0, 60),
        (25, 1, 25, 35),
        (25, 0, 25, 35),
        (20, 0, 25, 35),
        (60, 1, 60, 0),
        // Sent twice for a worker that was killed.
        (75, 1, 75, 0),
    ];
    for (total, entries, spent, reserved) in cases {
        assert_eq!(ledger.settle(&budget, job(1), bytes(total), now).len(), entries);
        assert_eq!(used(&ledger, &budget[0], now), (spent, reserved), "{total} bytes");
    }
    assert_eq!(ledger.verdict(&budget, job(2), bytes(26), now), held("a", 25, Some(DECEMBER)));
    // A job that has reserved nothing, and one that is released, are not booked.
    assert_eq!(ledger.settle(&budget, job(2), bytes(5), now), []);
    assert_eq!(ledger.release(job(1)).len(), 1);
    assert_eq!(ledger.release(job(1)), []);
    assert_eq!(ledger.settle(&budget, job(1), bytes(80), now), []);
    assert_eq!(used(&ledger, &budget[0], now), (75, 0));
}

#[test]
fn the_end_of_a_job_frees_what_it_did_not_send() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let budget = [of_bytes("a", 100)];
    ledger.reserve(&budget, job(1), bytes(80), now);
    ledger.settle(&budget, job(1), bytes(30), now);
    assert!(!ledger.verdict(&budget, job(2), bytes(70), now).is_free());
    let entry = BudgetEntry {
        budget: key("a"),
        unit: BudgetUnit::Bytes,
        month: Month { year: 2026, month: 11 },
        job: job(1),
        reserved: None,
        spent: 30,
    };
    assert_eq!(ledger.release(job(1)), [entry]);
    assert!(ledger.verdict(&budget, job(2), bytes(70), now).is_free());
}

#[test]
fn a_raise_or_a_new_month_frees_what_is_held() {
    let mut ledger = BudgetLedger::default();
    let budget = [of_bytes("a", 100)];
    let now = time(NOON);
    ledger.reserve(&budget, job(1), bytes(70), now);
    ledger.settle(&budget, job(1), bytes(70), now);
    let ask = |budget: MonthBudget, now| ledger.verdict(&[budget], job(2), bytes(50), now);
    assert_eq!(ask(of_bytes("a", 100), now), held("a", 30, Some(DECEMBER)));
    assert_eq!(ask(of_bytes("a", 119), now), held("a", 49, Some(DECEMBER)));
    assert_eq!(ask(of_bytes("a", 120), now), BudgetVerdict::Granted);
    assert_eq!(ask(of_bytes("a", 100), time(DECEMBER)), BudgetVerdict::Granted);
    // A lower limit than what is spent.
    assert_eq!(ask(of_bytes("a", 60), now), held("a", 0, Some(DECEMBER)));
}

#[test]
fn all_budgets_grant_or_none_reserves() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let auckland = Zone::of_name("Pacific/Auckland").unwrap();
    let budgets = [
        of_bytes("replication/orders", 100),
        MonthBudget { zone: auckland, ..of_bytes("owner/finance", 60) },
        of_bytes("pair/prod-dr", 50),
    ];
    let december_in_auckland = "2026-11-30T11:00:00Z";
    // The longest hold is named: a cost that no month has room for, then the later month.
    let cases = [
        (101, held("replication/orders", 100, None)),
        (61, held("owner/finance", 60, None)),
        (51, held("pair/prod-dr", 50, None)),
    ];
    for (cost, expected) in cases {
        let (verdict, entries) = ledger.reserve(&budgets, job(1), bytes(cost), now);
        assert_eq!((verdict, entries), (expected, vec![]), "{cost} bytes");
    }
    assert_eq!(ledger, BudgetLedger::default());
    let (verdict, entries) = ledger.reserve(&budgets, job(1), bytes(50), now);
    assert_eq!((verdict, entries.len()), (BudgetVerdict::Granted, 3));
    let owner = held("owner/finance", 10, Some(december_in_auckland));
    assert_eq!(ledger.verdict(&budgets[..2], job(2), bytes(11), now), owner);
    let pair = held("pair/prod-dr", 0, Some(DECEMBER));
    assert_eq!(ledger.verdict(&budgets, job(2), bytes(11), now), pair);
    assert_eq!(ledger.verdict(&[], job(2), bytes(11), now), BudgetVerdict::Granted);
}

#[test]
fn a_budget_that_does_not_hold_slows_or_tells() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let with = |name, limit, at_limit| MonthBudget { at_limit, ..of_bytes(name, limit) };
    let slow = |rate| AtLimit::Slow { bytes_per_second: rate };
    let budgets = [
        with("tell", 10, AtLimit::AlertOnly),
        with("slow", 20, slow(900)),
        with("slower", 30, slow(800)),
        with("hold", 40, AtLimit::Hold),
    ];
    let cause = |left| HoldCause::Limit { left: BudgetAmount::Bytes(left), until: None };
    let slowed = |budget, bytes_per_second, left| {
        let (budget, cause) = (key(budget), cause(left));
        BudgetVerdict::Slowed { budget, bytes_per_second, cause }
    };
    let cases = [
        (41, held("hold", 40, None)),
        (10, BudgetVerdict::Granted),
        (11, BudgetVerdict::Alert { budget: key("tell"), cause: cause(10) }),
        (21, slowed("slow", 900, 20)),
        (40, slowed("slower", 800, 30)),
    ];
    for (cost, expected) in cases {
        let (verdict, _) = ledger.reserve(&budgets, job(1), bytes(cost), now);
        assert_eq!(verdict, expected, "{cost} bytes");
    }
    // They take reservations past their limits.
    assert_eq!(used(&ledger, &budgets[0], now), (0, 40));
}

#[test]
fn a_price_that_is_not_known_is_not_within_a_budget_of_money() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let budgets = [of_bytes("bytes", 100), of_euros("money", "3")];
    let cost = |text: &str| Cost { bytes: 10, money: Some(text.parse().unwrap()) };
    let held = |cause| BudgetVerdict::Held { budget: key("money"), cause };
    let differs = HoldCause::CurrencyDiffers { price: Currency::USD };
    let left = BudgetAmount::Money("3 EUR".parse().unwrap());
    let cases = [
        (bytes(10), held(HoldCause::PriceUnknown)),
        (cost("1 USD"), held(differs)),
        (cost("3.000001 EUR"), held(HoldCause::Limit { left, until: None })),
        (cost("3 EUR"), BudgetVerdict::Granted),
    ];
    for (cost, expected) in cases {
        assert_eq!(ledger.reserve(&budgets, job(1), cost, now).0, expected);
    }
    // A report without a price books the bytes alone.
    assert_eq!(ledger.settle(&budgets, job(1), bytes(4), now).len(), 1);
    assert_eq!(ledger.settle(&budgets, job(1), cost("0.50 EUR"), now).len(), 2);
    assert_eq!(used(&ledger, &budgets[0], now), (10, 0));
    assert_eq!(used(&ledger, &budgets[1], now), (500_000, 2_500_000));
    // Where the budget only tells, the job runs, and what becomes known is booked.
    let tells = [MonthBudget { at_limit: AtLimit::AlertOnly, ..budgets[1].clone() }];
    let cause = HoldCause::PriceUnknown;
    let alert = BudgetVerdict::Alert { budget: key("money"), cause };
    assert_eq!(ledger.reserve(&tells, job(2), bytes(10), now).0, alert);
    assert_eq!(ledger.settle(&tells, job(2), cost("0.25 EUR"), now).len(), 1);
    assert_eq!(used(&ledger, &budgets[1], now), (750_000, 2_500_000));
    // In another unit, the same budget begins with nothing.
    assert_eq!(used(&ledger, &of_bytes("money", 9), now), (0, 0));
}

#[test]
fn a_limit_that_is_spent_holds_jobs_that_copy() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let budget = [of_bytes("a", 100)];
    ledger.reserve(&budget, job(1), bytes(50), now);
    ledger.reserve(&budget, job(2), bytes(50), now);
    ledger.settle(&budget, job(1), bytes(59), now);
    ledger.settle(&budget, job(2), bytes(40), now);
    assert_eq!(ledger.while_copying(&budget, now), BudgetVerdict::Granted);
    ledger.settle(&budget, job(2), bytes(41), now);
    assert_eq!(ledger.while_copying(&budget, now), held("a", 0, Some(DECEMBER)));
    assert_eq!(ledger.while_copying(&budget, time(DECEMBER)), BudgetVerdict::Granted);
    assert_eq!(ledger.while_copying(&[of_bytes("a", 101)], now), BudgetVerdict::Granted);
    assert_eq!(ledger.while_copying(&[of_bytes("a", 0)], now), held("a", 0, None));
    let tells = [MonthBudget { at_limit: AtLimit::AlertOnly, ..of_bytes("a", 100) }];
    assert!(matches!(ledger.while_copying(&tells, now), BudgetVerdict::Alert { .. }));
}

#[test]
fn levels_warn_by_what_is_spent() {
    let month = Month { year: 2026, month: 11 };
    let with =
        |limit, spent| MonthUse { month, unit: BudgetUnit::Bytes, limit, spent, reserved: 7 };
    let cases = [
        (1_000, 0, None),
        (1_000, 499, None),
        (1_000, 500, Some(50)),
        (1_000, 799, Some(50)),
        (1_000, 800, Some(80)),
        (1_000, 1_000, Some(100)),
        (1_000, 2_000, Some(100)),
        (3, 2, Some(50)),
        (0, 0, None),
        (0, 1, Some(100)),
        (u64::MAX, u64::MAX, Some(100)),
        (u64::MAX, u64::MAX - 1, Some(80)),
    ];
    for (limit, spent, expected) in cases {
        let level = with(limit, spent).warn_level(&[80, 100, 50]);
        assert_eq!(level, expected, "{spent} of {limit}");
    }
    assert_eq!(with(10, 4).left(), BudgetAmount::Bytes(6));
    assert_eq!(with(10, 11).left(), BudgetAmount::Bytes(0));
    assert_eq!(with(10, 2).free(), BudgetAmount::Bytes(1));
    assert_eq!(with(10, 4).free(), BudgetAmount::Bytes(0));
    let money = Money { micros: i64::MAX, currency: Currency::USD };
    assert_eq!(BudgetUnit::Money(Currency::USD).amount(u64::MAX), BudgetAmount::Money(money));
    let debt = Money { micros: -1, currency: Currency::USD };
    assert_eq!(BudgetAmount::Money(debt).count(), 0);
}

#[test]
fn of_a_job_that_spent_nothing_nothing_is_kept() {
    let (mut ledger, now) = (BudgetLedger::default(), time(NOON));
    let budget = [of_bytes("a", 100)];
    assert!(ledger.reserve(&budget, job(1), bytes(60), now).0.is_free());
    assert_ne!(ledger, BudgetLedger::default());
    ledger.release(job(1));
    assert_eq!(ledger, BudgetLedger::default());
}
