//! Months end at midnight of the budget's zone, and jobs run on over it.

use super::*;

fn in_zone(zone: &str) -> MonthBudget {
    MonthBudget { zone: Zone::of_name(zone).unwrap(), ..of_bytes("a", 100) }
}

#[test]
fn a_month_ends_with_the_last_day_of_its_zone() {
    // (zone, when the next month begins): what is spent until then counts before it.
    let cases = [
        ("UTC", "2026-12-01T00:00:00Z"),
        ("Pacific/Kiritimati", "2026-11-30T10:00:00Z"),
        ("Pacific/Kiritimati", "2026-12-31T10:00:00Z"),
        // Standard time and summer time of the south.
        ("Pacific/Auckland", "2026-06-30T12:00:00Z"),
        ("Pacific/Auckland", "2026-09-30T11:00:00Z"),
        ("Pacific/Auckland", "2026-03-31T11:00:00Z"),
        // Summer time ends within October, and begins within March.
        ("Europe/Berlin", "2026-09-30T22:00:00Z"),
        ("Europe/Berlin", "2026-10-31T23:00:00Z"),
        ("Europe/Berlin", "2026-03-31T22:00:00Z"),
        ("America/New_York", "2026-11-01T04:00:00Z"),
        // November begins and ends in two offsets.
        ("America/New_York", "2026-12-01T05:00:00Z"),
        ("Asia/Kathmandu", "2026-11-30T18:15:00Z"),
        // February of a leap year.
        ("UTC", "2028-03-01T00:00:00Z"),
    ];
    for (zone, end) in cases {
        let budget = [in_zone(zone)];
        let after = time(end);
        let before = UnixTime(after.0 - 1);
        let mut ledger = BudgetLedger::default();
        ledger.reserve(&budget, job(1), bytes(100), before);
        ledger.settle(&budget, job(1), bytes(30), before);
        let asked = ledger.verdict(&budget, job(2), bytes(1), before);
        assert_eq!(asked, held("a", 0, Some(end)), "{zone}");
        assert_eq!(used(&ledger, &budget[0], before), (30, 70), "{zone}");
        assert_eq!(used(&ledger, &budget[0], after), (0, 70), "{zone}");
        assert!(ledger.verdict(&budget, job(2), bytes(30), after).is_free(), "{zone}");
        assert!(!ledger.verdict(&budget, job(2), bytes(31), after).is_free(), "{zone}");
    }
}

#[test]
fn a_job_that_runs_over_the_end_spends_in_the_month_of_its_report() {
    let budget = [in_zone("Pacific/Auckland")];
    let (november, december) = (time("2026-11-30T10:59:00Z"), time("2026-11-30T11:01:00Z"));
    let mut ledger = BudgetLedger::default();
    ledger.reserve(&budget, job(1), bytes(80), november);
    ledger.settle(&budget, job(1), bytes(50), november);
    let entry = |month, reserved, spent| BudgetEntry {
        budget: key("a"),
        unit: BudgetUnit::Bytes,
        month: Month { year: 2026, month },
        job: job(1),
        reserved,
        spent,
    };
    // The rest of the reservation leaves November's entry with the first report of December.
    let entries = ledger.settle(&budget, job(1), bytes(60), december);
    assert_eq!(entries, [entry(11, Some(0), 50), entry(12, Some(20), 10)]);
    assert_eq!(used(&ledger, &budget[0], november), (50, 20));
    assert_eq!(used(&ledger, &budget[0], december), (10, 20));
    // A clock that was set back: the report counts in November again.
    let entries = ledger.settle(&budget, job(1), bytes(65), november);
    assert_eq!(entries, [entry(11, Some(15), 55), entry(12, Some(0), 10)]);
    assert_eq!(ledger.release(job(1)), [entry(11, None, 55), entry(12, None, 10)]);
    assert_eq!(used(&ledger, &budget[0], december), (10, 0));
}

#[test]
fn old_months_are_forgotten_but_not_what_a_running_job_sent() {
    let budget = [of_bytes("a", 100)];
    let (october, november) = (time("2026-10-31T00:00:00Z"), time("2026-11-02T00:00:00Z"));
    let mut ledger = BudgetLedger::default();
    for number in [1, 2] {
        ledger.reserve(&budget, job(number), bytes(40), october);
        ledger.settle(&budget, job(number), bytes(30), october);
    }
    assert_eq!(ledger.jobs().collect::<Vec<_>>(), [job(1), job(2)]);
    ledger.release(job(2));
    assert_eq!(ledger.jobs().collect::<Vec<_>>(), [job(1)]);
    ledger.forget_before(Month { year: 2026, month: 11 });
    assert_eq!(used(&ledger, &budget[0], october), (0, 10));
    ledger.settle(&budget, job(1), bytes(35), november);
    assert_eq!(used(&ledger, &budget[0], november), (5, 5));
    ledger.release(job(1));
    ledger.forget_before(Month { year: 2026, month: 12 });
    assert_eq!(ledger, BudgetLedger::default());
}

#[test]
fn times_beyond_all_calendars_are_of_one_last_month() {
    let budget = [of_bytes("a", 100)];
    let mut ledger = BudgetLedger::default();
    let last = UnixTime(i64::MAX);
    ledger.reserve(&budget, job(1), bytes(100), last);
    ledger.settle(&budget, job(1), bytes(100), last);
    let verdict = ledger.verdict(&budget, job(2), bytes(1), last);
    let cause = HoldCause::Limit { left: BudgetAmount::Bytes(0), until: Some(last) };
    assert_eq!(verdict, BudgetVerdict::Held { budget: key("a"), cause });
}
