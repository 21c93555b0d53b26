//! The budgets of several replications that a coordinator keeps.

use std::collections::BTreeMap;

use deepclone_core::budget::MonthBudget;
use deepclone_core::replication::{
    BudgetScope, ReplicationSpec, SetError, SharedBudget, SharedBudgetSpec, check_budgets,
};

use super::diff::{BudgetDiff, ReplicationChange};

/// Budgets without mistakes, by what they are for.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedBudgets {
    specs: BTreeMap<BudgetScope, SharedBudgetSpec>,
    checked: Vec<SharedBudget>,
}

impl SharedBudgets {
    /// Checks budgets.
    ///
    /// # Errors
    /// Every mistake.
    pub(super) fn new(specs: Vec<SharedBudgetSpec>) -> Result<Self, Vec<SetError>> {
        let checked = check_budgets(&specs)?;
        let specs = specs.into_iter().map(|spec| (spec.scope.clone(), spec)).collect();
        Ok(Self { specs, checked })
    }

    /// Those that a replication falls under.
    pub(super) fn of<'a>(
        &'a self,
        spec: &'a ReplicationSpec,
    ) -> impl Iterator<Item = &'a MonthBudget> {
        let holds = |shared: &&SharedBudget| shared.scope.holds(spec);
        self.checked.iter().filter(holds).map(|shared| &shared.budget)
    }

    /// All of them, in the order in which they were declared.
    pub(super) fn all(&self) -> &[SharedBudget] {
        &self.checked
    }

    /// What becomes of each that is not as the others have it.
    pub(super) fn diff(&self, wanted: &Self) -> Vec<BudgetDiff> {
        let change = |scope: &BudgetScope| match (self.specs.get(scope), wanted.specs.get(scope)) {
            (Some(known), Some(next)) if known == next => None,
            (Some(_), Some(next)) => Some((ReplicationChange::Change, Some(next))),
            (None, next) => Some((ReplicationChange::Create, next)),
            (Some(_), None) => Some((ReplicationChange::Retire, None)),
        };
        let mut scopes: Vec<&BudgetScope> = self.specs.keys().chain(wanted.specs.keys()).collect();
        scopes.sort();
        scopes.dedup();
        let diffs = scopes.into_iter().filter_map(|scope| {
            let (change, next) = change(scope)?;
            Some(BudgetDiff { key: scope.key(), change, next: next.cloned() })
        });
        diffs.collect()
    }
}
