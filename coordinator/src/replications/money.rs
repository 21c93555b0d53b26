//! Whether budgets of money can be kept: prices must be known, and in the currency of the budget.

use deepclone_core::budget::BudgetAmount;
use deepclone_core::money::Money;
use deepclone_core::price::Traffic;
use deepclone_core::replication::{ReplicationSpec, SharedBudget, SpecError};

use crate::costs::priced::Priced;
use crate::costs::pricing::Pricing;

/// Why the budget of a replication cannot be kept, if it is one of money.
pub(super) fn own_money(pricing: &Pricing, spec: &ReplicationSpec) -> Option<SpecError> {
    let limit = spec.budget?.money?;
    let why = other_currency(pricing, limit).or_else(|| unknown(pricing, spec))?;
    Some(SpecError::new("budget.money", why))
}

/// Why budgets of several of these replications cannot be kept, as far as they are of money.
pub(super) fn shared_money(
    pricing: &Pricing,
    budgets: &[SharedBudget],
    specs: &[ReplicationSpec],
) -> Vec<SpecError> {
    let mistake = |(at, shared): (usize, &SharedBudget)| {
        let BudgetAmount::Money(limit) = shared.budget.limit else { return None };
        let of_one = || {
            let mut under = specs.iter().filter(|spec| shared.scope.holds(spec));
            under.find_map(|spec| Some(format!("{}: {}", spec.name, unknown(pricing, spec)?)))
        };
        let why = other_currency(pricing, limit).or_else(of_one)?;
        Some(SpecError::new(format!("budget[{at}].money"), why))
    };
    budgets.iter().enumerate().filter_map(mistake).collect()
}

fn other_currency(pricing: &Pricing, limit: Money) -> Option<String> {
    let (name, currency) = (&pricing.table.name, pricing.table.currency);
    let why = || format!("the prices ({name}) are in {currency}, and none is converted");
    (limit.currency != currency).then(why)
}

/// Why it is not known what the copies of a replication cost.
fn unknown(pricing: &Pricing, spec: &ReplicationSpec) -> Option<String> {
    let nothing = Traffic::default();
    match pricing.price(&spec.source, &spec.target, nothing, nothing) {
        Priced::Known { .. } => None,
        Priced::Unknown(why) => Some(format!("what a copy costs is not known: {why}")),
    }
}
