//! Budgets of several replications.

use deepclone_core::replication::{BudgetScope, SharedBudgetSpec, TIME_ZONE_DEFAULT};

use super::replication::{budget_from_wire, budget_to_wire};
use super::{WireError, required};
use crate::v1;
use crate::v1::shared_budget::Scope;

impl From<&SharedBudgetSpec> for v1::SharedBudget {
    fn from(spec: &SharedBudgetSpec) -> Self {
        let scope = match spec.scope.clone() {
            BudgetScope::Owner(owner) => Scope::Owner(owner),
            BudgetScope::Pair { source, target } => {
                Scope::Pair(v1::ConnectionPair { source, target })
            }
        };
        Self {
            scope: Some(scope),
            budget: Some(budget_to_wire(spec.budget)),
            time_zone: spec.time_zone.clone(),
        }
    }
}

impl TryFrom<v1::SharedBudget> for SharedBudgetSpec {
    type Error = WireError;

    fn try_from(wire: v1::SharedBudget) -> Result<Self, WireError> {
        let scope = match required(wire.scope, "budget.scope")? {
            Scope::Owner(owner) => BudgetScope::Owner(owner),
            Scope::Pair(v1::ConnectionPair { source, target }) => {
                BudgetScope::Pair { source, target }
            }
        };
        let time_zone = match wire.time_zone.is_empty() {
            true => TIME_ZONE_DEFAULT.to_owned(),
            false => wire.time_zone,
        };
        let budget = budget_from_wire(required(wire.budget, "budget.budget")?)?;
        Ok(Self { scope, budget, time_zone })
    }
}

#[cfg(test)]
mod tests {
    use deepclone_core::budget::AtLimit;
    use deepclone_core::replication::BudgetSpec;

    use super::*;

    #[test]
    fn shared_budgets_survive_the_wire() {
        let money = Some("300 EUR".parse().unwrap());
        let slow = AtLimit::Slow { bytes_per_second: 131_072 };
        for (scope, bytes, money, at_limit) in [
            (BudgetScope::Owner("o".to_owned()), Some(5), None, AtLimit::Hold),
            (
                BudgetScope::Pair { source: "a".to_owned(), target: "b".to_owned() },
                None,
                money,
                slow,
            ),
        ] {
            let budget = BudgetSpec { bytes, money, at_limit };
            let spec = SharedBudgetSpec { scope, budget, time_zone: "UTC".to_owned() };
            assert_eq!(v1::SharedBudget::from(&spec).try_into(), Ok(spec));
        }
        let empty = SharedBudgetSpec::try_from(v1::SharedBudget::default());
        assert_eq!(empty, Err(WireError::Missing { field: "budget.scope" }));
    }
}
