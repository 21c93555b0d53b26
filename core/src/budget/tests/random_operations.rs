//! Any operations in any order, against a count that knows nothing of reservations, with a crash
//! after any of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const BUDGETS: usize = 3;

#[derive(Clone, Debug)]
enum Operation {
    Reserve {
        job: u128,
        budgets: Vec<usize>,
        cost: Cost,
    },
    /// More than what was last reported, or as much less.
    Settle {
        job: u128,
        more: i64,
    },
    Release {
        job: u128,
    },
    Wait {
        ms: i64,
    },
    Limit {
        budget: usize,
        limit: u64,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let jobs = || 0..5_u128;
    let budgets = proptest::sample::subsequence((0..BUDGETS).collect::<Vec<_>>(), 0..=BUDGETS);
    let money = proptest::option::weighted(0.9, 0..60_i64);
    let costs = (0..60_u64, money).prop_map(|(bytes, micros)| Cost {
        bytes,
        money: micros.map(|micros| Money { micros, currency: Currency::EUR }),
    });
    let waits = prop_oneof![0..1_000_i64, 0..5_000_000_000_i64, -90_000_000..0_i64];
    let one = prop_oneof![
        4 => (jobs(), budgets, costs)
            .prop_map(|(job, budgets, cost)| Operation::Reserve { job, budgets, cost }),
        6 => (jobs(), -5..30_i64).prop_map(|(job, more)| Operation::Settle { job, more }),
        2 => jobs().prop_map(|job| Operation::Release { job }),
        2 => waits.prop_map(|ms| Operation::Wait { ms }),
        1 => (0..BUDGETS, 0..150_u64)
            .prop_map(|(budget, limit)| Operation::Limit { budget, limit }),
    ];
    proptest::collection::vec(one, 1..60)
}

/// What the owner of a ledger has: the entries by their key.
#[derive(Default)]
struct Rows(BTreeMap<(BudgetKey, BudgetUnit, Month, JobId), BudgetEntry>);

impl Rows {
    fn write(&mut self, entries: &[BudgetEntry]) {
        // Once more, as after a write of which it is not known whether it came through.
        for entry in entries.iter().chain(entries) {
            let key = (entry.budget.clone(), entry.unit, entry.month, entry.job);
            self.0.insert(key, entry.clone());
        }
    }
}

struct Run {
    budgets: Vec<MonthBudget>,
    now: UnixTime,
    ledger: BudgetLedger,
    rows: Rows,
    /// How many jobs of each number were released: the next one has another id.
    released: BTreeMap<u128, u128>,
    /// By job: the budgets that it has reserved under.
    open: BTreeMap<u128, Vec<usize>>,
    /// By job: the running total that it reports.
    totals: BTreeMap<u128, u64>,
    /// By budget and month: what was reported.
    spent: BTreeMap<(usize, Month), u64>,
    /// By budget and job that is open: how much of its total is booked.
    booked: BTreeMap<(usize, u128), u64>,
    /// By budget and job that is open: what is left of its reservation.
    reserved: BTreeMap<(usize, u128), u64>,
}

impl Run {
    fn new(zones: &[&str; BUDGETS], at_limit: [AtLimit; BUDGETS], now: UnixTime) -> Self {
        let mut budgets = vec![of_bytes("a", 100), of_euros("b", "0.0001"), of_bytes("c", 80)];
        for (budget, (zone, at_limit)) in budgets.iter_mut().zip(zones.iter().zip(at_limit)) {
            budget.zone = Zone::of_name(zone).unwrap();
            budget.at_limit = at_limit;
        }
        Self {
            budgets,
            now,
            ledger: BudgetLedger::default(),
            rows: Rows::default(),
            released: BTreeMap::new(),
            open: BTreeMap::new(),
            totals: BTreeMap::new(),
            spent: BTreeMap::new(),
            booked: BTreeMap::new(),
            reserved: BTreeMap::new(),
        }
    }

    fn chosen(&self, indices: &[usize]) -> Vec<MonthBudget> {
        indices.iter().map(|at| self.budgets[*at].clone()).collect()
    }

    fn id(&self, number: u128) -> JobId {
        job(number + 100 * self.released.get(&number).copied().unwrap_or(0))
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Reserve { job: number, budgets, cost } => {
                self.reserve(number, &budgets, cost);
            }
            Operation::Settle { job: number, more } => self.settle(number, more),
            Operation::Release { job: number } => {
                let entries = self.ledger.release(self.id(number));
                self.rows.write(&entries);
                *self.released.entry(number).or_default() += 1;
                self.open.remove(&number);
                self.totals.remove(&number);
                self.booked.retain(|(_, job), _| *job != number);
                self.reserved.retain(|(_, job), _| *job != number);
            }
            Operation::Wait { ms } => self.now = UnixTime(self.now.0 + ms),
            Operation::Limit { budget, limit } => {
                let unit = self.budgets[budget].limit.unit();
                self.budgets[budget].limit = unit.amount(limit);
            }
        }
    }

    fn reserve(&mut self, number: u128, indices: &[usize], cost: Cost) {
        let budgets = self.chosen(indices);
        let before = self.ledger.clone();
        let (verdict, entries) = self.ledger.reserve(&budgets, self.id(number), cost, self.now);
        self.rows.write(&entries);
        if !verdict.is_free() {
            assert_eq!((&self.ledger, entries), (&before, vec![]));
            return;
        }
        for (at, budget) in indices.iter().zip(&budgets) {
            let used = self.ledger.month_use(budget, self.now);
            // A job without cost is granted even where more than the limit is spent.
            let is_bounded = budget.at_limit == AtLimit::Hold && cost.count(used.unit) != Some(0);
            assert!(!is_bounded || used.spent + used.reserved <= used.limit, "{used:?}");
            self.booked.entry((*at, number)).or_default();
            self.reserved.insert((*at, number), cost.count(used.unit).unwrap_or(0));
            let open = self.open.entry(number).or_default();
            open.push(*at);
            open.sort_unstable();
            open.dedup();
        }
    }

    fn settle(&mut self, number: u128, more: i64) {
        let last = self.totals.get(&number).copied().unwrap_or(0);
        let total = last.saturating_add_signed(more);
        self.totals.insert(number, total.max(last));
        let money = Some(Money { micros: i64::try_from(total).unwrap(), currency: Currency::EUR });
        // Under all budgets: those that it has not reserved under take no notice.
        let cost = Cost { bytes: total, money };
        let entries = self.ledger.settle(&self.budgets, self.id(number), cost, self.now);
        self.rows.write(&entries);
        for at in self.open.get(&number).cloned().unwrap_or_default() {
            let booked = self.booked.entry((at, number)).or_default();
            let more = total.saturating_sub(*booked);
            *booked += more;
            let reserved = self.reserved.entry((at, number)).or_default();
            *reserved = reserved.saturating_sub(more);
            let month = self.budgets[at].zone.month(self.now).unwrap();
            *self.spent.entry((at, month)).or_default() += more;
        }
    }

    fn check(&self) {
        let recovered = BudgetLedger::recover(self.rows.0.values().cloned());
        assert_eq!(recovered, self.ledger);
        for ((at, month), spent) in &self.spent {
            let budget = &self.budgets[*at];
            let start = budget.zone.month_start(*month).unwrap();
            let used = self.ledger.month_use(budget, start);
            assert_eq!((used.month, used.spent), (*month, *spent));
        }
        for (at, budget) in self.budgets.iter().enumerate() {
            let rows = || self.rows.0.values().filter(|row| row.budget == budget.key);
            let spent: u64 = rows().map(|row| row.spent).sum();
            let settled: u64 =
                self.spent.iter().filter(|((of, _), _)| *of == at).map(|(_, spent)| spent).sum();
            assert_eq!(spent, settled);
            let of_this = self.reserved.iter().filter(|((of, _), _)| *of == at);
            let reserved: u64 = of_this.map(|(_, reserved)| reserved).sum();
            assert_eq!(rows().filter_map(|row| row.reserved).sum::<u64>(), reserved);
            assert_eq!(self.ledger.month_use(budget, self.now).reserved, reserved);
        }
    }
}

proptest! {
    #[test]
    fn a_crash_after_any_operation_loses_nothing(
        operations in operations(),
        zones in proptest::sample::select(vec![
            ["UTC", "Pacific/Auckland", "Pacific/Kiritimati"],
            ["Europe/Berlin", "America/New_York", "Pacific/Pago_Pago"],
        ]),
        at_limit in proptest::sample::select(vec![
            [AtLimit::Hold, AtLimit::Hold, AtLimit::Hold],
            [AtLimit::Hold, AtLimit::AlertOnly, AtLimit::Slow { bytes_per_second: 9 }],
        ]),
        start in proptest::sample::select(vec![
            // Near the ends of months, and near changes of the clock.
            "2026-03-29T00:59:00Z", "2026-09-26T13:59:00Z", "2026-10-31T09:59:59Z",
            "2026-12-31T09:00:00Z",
        ]),
    ) {
        let mut run = Run::new(&zones, at_limit, time(start));
        for operation in operations {
            run.apply(operation);
            run.check();
        }
        // When all jobs have ended, nothing is reserved.
        for number in 0..5 {
            run.apply(Operation::Release { job: number });
        }
        run.check();
        for budget in &run.budgets {
            prop_assert_eq!(run.ledger.month_use(budget, run.now).reserved, 0);
        }
    }
}
