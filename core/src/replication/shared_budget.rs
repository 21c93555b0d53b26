//! Budgets of several replications: of all of an owner, or of all from one connection to another.

use std::collections::BTreeSet;

use super::check::{check_budget, check_text, zone};
use super::error::{Mistakes, SetError};
use super::spec::{BudgetSpec, ReplicationSpec};
use crate::budget::{BudgetAmount, BudgetKey, MonthBudget};
use crate::calendar::zone::Zone;
use crate::limits::{CONNECTION_NAME_BYTES_MAX, LABEL_BYTES_MAX, REPLICATIONS_MAX};

/// A budget of several replications, as its user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedBudgetSpec {
    pub scope: BudgetScope,
    pub budget: BudgetSpec,
    /// The IANA name of the zone of its months.
    pub time_zone: String,
}

/// Which replications fall under a budget.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetScope {
    Owner(String),
    /// The names of two connections.
    Pair {
        source: String,
        target: String,
    },
}

/// A budget of several replications without mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedBudget {
    pub scope: BudgetScope,
    pub budget: MonthBudget,
}

impl BudgetScope {
    /// Returns whether a replication falls under it.
    #[must_use]
    pub fn holds(&self, spec: &ReplicationSpec) -> bool {
        match self {
            Self::Owner(owner) => spec.owner.as_ref() == Some(owner),
            Self::Pair { source, target } => spec.source == *source && spec.target == *target,
        }
    }

    /// Names the budget: the same for the same replications.
    #[must_use]
    pub fn key(&self) -> BudgetKey {
        BudgetKey(match self {
            Self::Owner(owner) => format!("owner {owner}"),
            Self::Pair { source, target } => format!("pair {source} {target}"),
        })
    }
}

impl BudgetSpec {
    /// Returns the budget of this key; `None` when it has no limit.
    #[must_use]
    pub fn month_budget(&self, key: BudgetKey, zone: Zone) -> Option<MonthBudget> {
        let limit = self.bytes.map(BudgetAmount::Bytes).or(self.money.map(BudgetAmount::Money))?;
        Some(MonthBudget { key, limit, zone, at_limit: self.at_limit })
    }
}

/// Checks all shared budgets of a set. Their fields are told as `budget[0].owner`.
///
/// # Errors
/// Every mistake.
pub fn check_budgets(specs: &[SharedBudgetSpec]) -> Result<Vec<SharedBudget>, Vec<SetError>> {
    let mut mistakes = Mistakes::default();
    let most = REPLICATIONS_MAX;
    let is_too_many = specs.len() > most;
    mistakes.add_if(
        is_too_many,
        "budget",
        format_args!("there are {}, at most {most}", specs.len()),
    );
    let mut seen = BTreeSet::new();
    let mut checked = Vec::new();
    for (at, spec) in specs.iter().enumerate() {
        let field = format!("budget[{at}]");
        let mut own = Mistakes::default();
        check_scope(&spec.scope, &mut own);
        let why = "there is another one for the same replications";
        own.add_if(!seen.insert(&spec.scope), spec.scope.field(), why);
        check_budget("", &spec.budget, &mut own);
        let zone = zone(&spec.time_zone, &mut own);
        mistakes.extend_below(&field, own);
        let budget = zone.and_then(|zone| spec.budget.month_budget(spec.scope.key(), zone));
        checked.extend(budget.map(|budget| SharedBudget { scope: spec.scope.clone(), budget }));
    }
    match mistakes.is_empty() {
        true => Ok(checked),
        false => {
            let errors = mistakes.into_errors().into_iter();
            Err(errors.map(|error| SetError { index: None, error }).collect())
        }
    }
}

impl BudgetScope {
    fn field(&self) -> &'static str {
        match self {
            Self::Owner(_) => "owner",
            Self::Pair { .. } => "source",
        }
    }
}

fn check_scope(scope: &BudgetScope, mistakes: &mut Mistakes) {
    match scope {
        BudgetScope::Owner(owner) => check_text("owner", owner, LABEL_BYTES_MAX, mistakes),
        BudgetScope::Pair { source, target } => {
            for (field, name) in [("source", source), ("target", target)] {
                check_text(field, name, CONNECTION_NAME_BYTES_MAX, mistakes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::AtLimit;

    fn budget(scope: BudgetScope) -> SharedBudgetSpec {
        let budget = BudgetSpec { bytes: Some(5), money: None, at_limit: AtLimit::Hold };
        SharedBudgetSpec { scope, budget, time_zone: "Europe/Berlin".to_owned() }
    }

    fn owner(name: &str) -> BudgetScope {
        BudgetScope::Owner(name.to_owned())
    }

    fn pair(source: &str, target: &str) -> BudgetScope {
        BudgetScope::Pair { source: source.to_owned(), target: target.to_owned() }
    }

    #[test]
    fn budgets_have_keys_of_what_they_are_for() {
        let specs = [budget(owner("finance")), budget(pair("prod", "dr"))];
        let checked = check_budgets(&specs).unwrap();
        let keys: Vec<_> = checked.iter().map(|shared| shared.budget.key.0.as_str()).collect();
        assert_eq!(keys, ["owner finance", "pair prod dr"]);
        assert_eq!(checked[0].budget.limit, BudgetAmount::Bytes(5));
        assert_eq!(checked[0].budget.zone.name(), "Europe/Berlin");
    }

    #[test]
    fn every_mistake_is_told_by_its_field() {
        let none = BudgetSpec { bytes: None, money: None, at_limit: AtLimit::Hold };
        let slow = AtLimit::Slow { bytes_per_second: 1 };
        let cases = [
            (budget(owner(" ")), "budget[0].owner: it is empty"),
            (budget(pair("prod", "")), "budget[0].target: it is empty"),
            (
                SharedBudgetSpec { time_zone: "Mars".to_owned(), ..budget(owner("a")) },
                "budget[0].time_zone: \"Mars\" is no time zone",
            ),
            (SharedBudgetSpec { budget: none, ..budget(owner("a")) }, "budget[0]: it has no limit"),
            (
                SharedBudgetSpec {
                    budget: BudgetSpec { at_limit: slow, ..budget(owner("a")).budget },
                    ..budget(owner("a"))
                },
                "budget[0].slow_to: no copy could go on",
            ),
        ];
        for (spec, expected) in cases {
            let errors = check_budgets(&[spec]).unwrap_err();
            assert!(errors[0].to_string().starts_with(expected), "{errors:?}");
        }
        let twice = [budget(owner("a")), budget(owner("b")), budget(owner("a"))];
        let errors = check_budgets(&twice).unwrap_err();
        assert!(
            errors[0].to_string().starts_with("budget[2].owner: there is another"),
            "{errors:?}"
        );
    }

    #[test]
    fn a_set_has_at_most_so_many_budgets() {
        let many = |count: usize| -> Vec<SharedBudgetSpec> {
            (0..count).map(|number| budget(owner(&number.to_string()))).collect()
        };
        assert_eq!(check_budgets(&many(1_000)).unwrap().len(), 1_000);
        let errors = check_budgets(&many(1_001)).unwrap_err();
        assert_eq!(errors[0].to_string(), "budget: there are 1001, at most 1000");
    }
}
