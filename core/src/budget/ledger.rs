//! What the jobs have reserved and spent, by budget.

use std::collections::BTreeMap;

use super::entry::BudgetEntry;
use super::limit::{BudgetKey, BudgetUnit, Cost, MonthBudget};
use super::month_use::MonthUse;
use super::verdict::{self, BudgetVerdict, HoldCause};
use crate::calendar::zone::{Month, Zone};
use crate::ids::JobId;
use crate::unix_time::UnixTime;

/// The state of all budgets. What it holds grows with the jobs that have not ended and with the
/// months, not with the jobs that were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetLedger {
    accounts: BTreeMap<Account, Sums>,
    /// The jobs that are not released.
    jobs: BTreeMap<JobId, BTreeMap<Account, Slots>>,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    budget: BudgetKey,
    unit: BudgetUnit,
}

/// Over all jobs of an account, so wider than the numbers of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sums {
    reserved: u128,
    spent: BTreeMap<Month, u128>,
}

/// One job's part of an account.
type Slots = BTreeMap<Month, Slot>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    reserved: u64,
    spent: u64,
}

impl BudgetLedger {
    /// Returns the state that these entries are of: one for each budget, unit, month and job, in
    /// any order.
    #[must_use]
    pub fn recover(entries: impl IntoIterator<Item = BudgetEntry>) -> Self {
        let mut ledger = Self::default();
        for BudgetEntry { budget, unit, month, job, reserved, spent } in entries {
            let account = Account { budget, unit };
            let slot = Slot { reserved: reserved.unwrap_or(0), spent };
            ledger.recount(&account, month, Slot::default(), slot);
            if reserved.is_some() {
                let accounts = ledger.jobs.entry(job).or_default();
                accounts.entry(account).or_default().insert(month, slot);
            }
        }
        ledger
    }

    /// Says whether a job that is expected to cost so much from now on may begin, or go on.
    /// Changes nothing, so a job that is held may be asked for again at any time: a higher limit
    /// or a new month frees it.
    #[must_use]
    pub fn verdict(
        &self,
        budgets: &[MonthBudget],
        job: JobId,
        cost: Cost,
        now: UnixTime,
    ) -> BudgetVerdict {
        let of_one = |budget: &MonthBudget| match verdict::count(budget, cost) {
            Err(cause) => BudgetVerdict::past_limit(budget, cause),
            Ok(count) => self.fits(budget, job, count, now),
        };
        BudgetVerdict::strictest(budgets.iter().map(of_one))
    }

    /// Reserves what a job is expected to cost from now on under all of these budgets, in place of
    /// what it had reserved before; under none of them when one holds it. A budget that does not
    /// hold takes a reservation past its limit, too.
    pub fn reserve(
        &mut self,
        budgets: &[MonthBudget],
        job: JobId,
        cost: Cost,
        now: UnixTime,
    ) -> (BudgetVerdict, Vec<BudgetEntry>) {
        let verdict = self.verdict(budgets, job, cost, now);
        let mut entries = Vec::new();
        if verdict.is_free() {
            for budget in budgets {
                let reserved = verdict::count(budget, cost).unwrap_or(0);
                let month = month_of(&budget.zone, now);
                self.put(&account_of(budget), job, month, reserved, 0, &mut entries);
            }
        }
        (verdict, entries)
    }

    /// Books what a job has cost since it began, a total that grows from report to report. A total
    /// that is not above the last one changes nothing, nor does a report of a job that has
    /// reserved nothing or is released.
    pub fn settle(
        &mut self,
        budgets: &[MonthBudget],
        job: JobId,
        total: Cost,
        now: UnixTime,
    ) -> Vec<BudgetEntry> {
        let mut entries = Vec::new();
        for budget in budgets {
            let account = account_of(budget);
            let slots = self.jobs.get(&job).and_then(|accounts| accounts.get(&account));
            if let (Some(slots), Ok(total)) = (slots, verdict::count(budget, total)) {
                let booked = slots.values().fold(0_u64, |sum, slot| sum.saturating_add(slot.spent));
                let more = total.saturating_sub(booked);
                if more > 0 {
                    let rest = reserved_by(slots).saturating_sub(more);
                    let month = month_of(&budget.zone, now);
                    self.put(&account, job, month, rest, more, &mut entries);
                }
            }
        }
        entries
    }

    /// Ends a job: drops what is left of its reservations. It must have been settled before, and
    /// may not reserve again: what it spent is remembered in the sums alone.
    pub fn release(&mut self, job: JobId) -> Vec<BudgetEntry> {
        let mut entries = Vec::new();
        for (account, slots) in self.jobs.remove(&job).unwrap_or_default() {
            for (month, slot) in slots {
                self.recount(&account, month, slot, Slot { reserved: 0, ..slot });
                let Account { budget, unit } = account.clone();
                let spent = slot.spent;
                entries.push(BudgetEntry { budget, unit, month, job, reserved: None, spent });
            }
        }
        entries
    }

    /// Says whether jobs under these budgets may go on copying: a limit that is spent holds or
    /// slows them, whatever they have reserved.
    #[must_use]
    pub fn while_copying(&self, budgets: &[MonthBudget], now: UnixTime) -> BudgetVerdict {
        let of_one = |budget: &MonthBudget| {
            let left = self.month_use(budget, now).left();
            if left.count() > 0 {
                return BudgetVerdict::Granted;
            }
            let until = (budget.limit.count() > 0).then(|| next_month(&budget.zone, now));
            BudgetVerdict::past_limit(budget, HoldCause::Limit { left, until })
        };
        BudgetVerdict::strictest(budgets.iter().map(of_one))
    }

    /// How much of a budget is used in the month of this time.
    #[must_use]
    pub fn month_use(&self, budget: &MonthBudget, now: UnixTime) -> MonthUse {
        let month = month_of(&budget.zone, now);
        let sums = self.accounts.get(&account_of(budget));
        let spent = sums.and_then(|sums| sums.spent.get(&month)).copied().unwrap_or(0);
        MonthUse {
            month,
            unit: budget.limit.unit(),
            limit: budget.limit.count(),
            spent: clamped(spent),
            reserved: clamped(sums.map_or(0, |sums| sums.reserved)),
        }
    }

    /// The jobs that are not released. After a restart, those that have ended meanwhile are to be.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.jobs.keys().copied()
    }

    /// Forgets what was spent before a month. Then its entries may be deleted but for those of jobs
    /// that are not released: without them, what such a job sent would be booked twice.
    pub fn forget_before(&mut self, month: Month) {
        for sums in self.accounts.values_mut() {
            sums.spent.retain(|spent_in, _| *spent_in >= month);
        }
        self.accounts.retain(|_, sums| !sums.is_empty());
    }

    /// What one budget says of a job that costs so much.
    fn fits(&self, budget: &MonthBudget, job: JobId, count: u64, now: UnixTime) -> BudgetVerdict {
        let account = account_of(budget);
        let slots = self.jobs.get(&job).and_then(|accounts| accounts.get(&account));
        let mut others = self.month_use(budget, now);
        others.reserved = others.reserved.saturating_sub(slots.map_or(0, reserved_by));
        let left = others.free();
        if count <= left.count() {
            return BudgetVerdict::Granted;
        }
        let until = (count <= others.limit).then(|| next_month(&budget.zone, now));
        BudgetVerdict::past_limit(budget, HoldCause::Limit { left, until })
    }

    /// Sets what a job has reserved, all of it in this month, and adds to what it spent there.
    fn put(
        &mut self,
        account: &Account,
        job: JobId,
        month: Month,
        reserved: u64,
        spent_more: u64,
        entries: &mut Vec<BudgetEntry>,
    ) {
        let slots = self.jobs.entry(job).or_default().entry(account.clone()).or_default();
        slots.entry(month).or_default();
        let mut changes = Vec::new();
        for (at, slot) in slots {
            let old = *slot;
            slot.reserved = if *at == month { reserved } else { 0 };
            slot.spent += if *at == month { spent_more } else { 0 };
            if *slot != old || *at == month {
                changes.push((*at, old, *slot));
            }
        }
        for (month, old, new) in changes {
            self.recount(account, month, old, new);
            let Account { budget, unit } = account.clone();
            let (reserved, spent) = (Some(new.reserved), new.spent);
            entries.push(BudgetEntry { budget, unit, month, job, reserved, spent });
        }
    }

    /// Counts the change of one job's part. What is spent never shrinks.
    fn recount(&mut self, account: &Account, month: Month, old: Slot, new: Slot) {
        let sums = self.accounts.entry(account.clone()).or_default();
        sums.reserved =
            (sums.reserved + u128::from(new.reserved)).saturating_sub(u128::from(old.reserved));
        if new.spent > old.spent {
            *sums.spent.entry(month).or_default() += u128::from(new.spent - old.spent);
        }
        if sums.is_empty() {
            self.accounts.remove(account);
        }
    }
}

impl Sums {
    fn is_empty(&self) -> bool {
        self.reserved == 0 && self.spent.is_empty()
    }
}

fn account_of(budget: &MonthBudget) -> Account {
    Account { budget: budget.key.clone(), unit: budget.limit.unit() }
}

fn reserved_by(slots: &Slots) -> u64 {
    slots.values().fold(0, |sum, slot| sum.saturating_add(slot.reserved))
}

/// The month of a time. A time that no calendar has counts in the last month there is.
fn month_of(zone: &Zone, now: UnixTime) -> Month {
    zone.month(now).unwrap_or(Month { year: i16::MAX, month: 12 })
}

fn next_month(zone: &Zone, now: UnixTime) -> UnixTime {
    zone.month_start(month_of(zone, now).next()).unwrap_or(UnixTime(i64::MAX))
}

fn clamped(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}
