//! Budgets: what a job will cost is reserved before it copies, and what it sends is booked.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::action::StandingAction;
use super::context::StepContext;
use super::fact::StandingFact;
use super::job::{BudgetHold, DemandedRate, JobBudget, RoundJob};
use super::order::Order;
use super::replication::Replication;
use super::round::TableStage;
use super::state::Standing;
use crate::budget::{BudgetEntry, BudgetVerdict, Cost, HoldCause};
use crate::ids::{JobId, ReplicationId, TableNumber};
use crate::unix_time::UnixTime;

impl Replication {
    /// What a job will cost from now on is known: it is reserved, or the job stays held.
    pub(super) fn job_planned(
        &mut self,
        table: TableNumber,
        cost: Cost,
        context: &mut StepContext<'_>,
    ) {
        let (order, job) = self.job_of(table);
        if let Some(job) = job.filter(|_| !order.budgets.is_empty()) {
            reserve(order, job, cost, context);
        }
    }

    /// A job has sent so much. It is stopped when that reaches a limit.
    pub(super) fn job_sent(
        &mut self,
        table: TableNumber,
        total: Cost,
        context: &mut StepContext<'_>,
    ) {
        let (order, job) = self.job_of(table);
        let Some(job) = job else { return };
        let entries = context.ledger.settle(&order.budgets, job.id, total, context.now);
        record(entries, context);
        look_at_limits(order, job, context);
    }

    /// There may be room that there was not before, or less: asks for each job again.
    pub(super) fn recheck_budget(&mut self, table: TableNumber, context: &mut StepContext<'_>) {
        let (order, job) = self.job_of(table);
        let Some(job) = job else { return };
        if job.demanded.is_some_and(|demanded| is_over(demanded.until, context.now)) {
            job.demanded = None;
        }
        match job.budget {
            JobBudget::Free => {}
            _ if order.budgets.is_empty() => {
                job.budget = JobBudget::Free;
                job.demanded = None;
                set_rate(job, None, context);
            }
            JobBudget::NotPlanned => {}
            JobBudget::Refused { cost, .. } => reserve(order, job, cost, context),
            JobBudget::Reserved | JobBudget::Stopped { .. } => look_at_limits(order, job, context),
        }
    }

    /// When a new month gives room to a job.
    pub(super) fn room_at(&self) -> Option<UnixTime> {
        let jobs = self.round.iter().flat_map(|round| round.jobs());
        let times = jobs.flat_map(|job| {
            let held = job.lacks_room().and_then(|why| until(why.cause));
            [held, job.demanded.and_then(|demanded| demanded.until)]
        });
        times.flatten().min()
    }

    fn is_budgeted(&self, table: TableNumber) -> bool {
        let table = self.round.as_ref().and_then(|round| round.tables.get(&table));
        matches!(table.map(|table| &table.stage), Some(TableStage::Submitted(job))
            if job.budget != JobBudget::Free)
    }

    fn job_of(&mut self, table: TableNumber) -> (&Order, Option<&mut RoundJob>) {
        let table = self.round.as_mut().and_then(|round| round.tables.get_mut(&table));
        let job = table.and_then(|table| match &mut table.stage {
            TableStage::Submitted(job) => Some(job),
            TableStage::Waiting | TableStage::Pausing(_) | TableStage::Ended(_) => None,
        });
        (&self.order, job)
    }
}

impl Standing {
    /// Asks the budgets again for the jobs that they hold or slow, in the order of turns.
    pub(super) fn recheck_budgets(&mut self, actions: &mut Vec<StandingAction>) {
        let mut ids: Vec<_> = self
            .jobs
            .values()
            .filter_map(|(id, table)| {
                let replication = self.replications.get(id)?;
                replication.is_budgeted(*table).then_some(())?;
                let began = replication.record.active?.began;
                Some((Reverse(replication.order.priority), began, *id, *table))
            })
            .collect();
        ids.sort_unstable();
        let asked: BTreeSet<ReplicationId> = ids.iter().map(|(_, _, id, _)| *id).collect();
        for (_, _, id, table) in ids {
            if let Some((replication, mut context)) = self.open(id, actions) {
                replication.recheck_budget(table, &mut context);
            }
        }
        for id in asked {
            self.settle(id, actions);
        }
    }

    /// Frees what a job reserved and did not spend.
    pub(super) fn release_budget(&mut self, job: JobId, actions: &mut Vec<StandingAction>) {
        for entry in self.ledger.release(job) {
            self.recheck_due = true;
            actions.push(StandingAction::Record(StandingFact::Budget(entry)));
        }
    }
}

fn reserve(order: &Order, job: &mut RoundJob, cost: Cost, context: &mut StepContext<'_>) {
    let (verdict, entries) = context.ledger.reserve(&order.budgets, job.id, cost, context.now);
    record(entries, context);
    job.demanded = match &verdict {
        BudgetVerdict::Slowed { bytes_per_second, cause, .. } => {
            let bytes_per_second = *bytes_per_second;
            Some(DemandedRate { bytes_per_second, until: until(*cause) })
        }
        BudgetVerdict::Granted | BudgetVerdict::Alert { .. } | BudgetVerdict::Held { .. } => None,
    };
    match verdict {
        BudgetVerdict::Held { budget, cause } => {
            job.budget = JobBudget::Refused { cost, why: BudgetHold { budget, cause } };
        }
        BudgetVerdict::Granted | BudgetVerdict::Alert { .. } | BudgetVerdict::Slowed { .. } => {
            job.budget = JobBudget::Reserved;
            alert(&verdict, job, context);
            look_at_limits(order, job, context);
        }
    }
}

/// Stops or slows a job for as long as a limit is spent.
fn look_at_limits(order: &Order, job: &mut RoundJob, context: &mut StepContext<'_>) {
    if !matches!(job.budget, JobBudget::Reserved | JobBudget::Stopped { .. }) {
        return;
    }
    let verdict = context.ledger.while_copying(&order.budgets, context.now);
    alert(&verdict, job, context);
    let mut rate = job.demanded.map(|demanded| demanded.bytes_per_second);
    job.budget = JobBudget::Reserved;
    match verdict {
        BudgetVerdict::Granted | BudgetVerdict::Alert { .. } => {}
        BudgetVerdict::Slowed { bytes_per_second, .. } => {
            rate = Some(rate.map_or(bytes_per_second, |rate| rate.min(bytes_per_second)));
        }
        BudgetVerdict::Held { budget, cause } => {
            job.budget = JobBudget::Stopped { why: BudgetHold { budget, cause } };
        }
    }
    set_rate(job, rate, context);
}

fn set_rate(job: &mut RoundJob, rate: Option<u64>, context: &mut StepContext<'_>) {
    if job.rate != rate {
        job.rate = rate;
        context.actions.push(StandingAction::SlowTo { job: job.id, rate });
    }
}

/// Tells a budget's owner once a job.
fn alert(verdict: &BudgetVerdict, job: &mut RoundJob, context: &mut StepContext<'_>) {
    if let BudgetVerdict::Alert { budget, cause } = verdict
        && !std::mem::replace(&mut job.is_alerted, true)
    {
        let (budget, cause) = (budget.clone(), *cause);
        context.actions.push(StandingAction::Alert { job: job.id, budget, cause });
    }
}

fn record(entries: Vec<BudgetEntry>, context: &mut StepContext<'_>) {
    for entry in entries {
        context.record(StandingFact::Budget(entry));
    }
}

fn until(cause: HoldCause) -> Option<UnixTime> {
    match cause {
        HoldCause::Limit { until, .. } => until,
        HoldCause::PriceUnknown | HoldCause::CurrencyDiffers { .. } => None,
    }
}

fn is_over(until: Option<UnixTime>, now: UnixTime) -> bool {
    until.is_some_and(|until| until <= now)
}
