//! No reservation ever passes a budget that holds, and no job copies without one.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::budget::{AtLimit, BudgetKey};
use deepclone_core::ids::JobId;
use deepclone_core::standing::StandingFact;

use crate::world::World;

/// Counts the entries of one step again.
pub(crate) fn note(world: &mut World, facts: &[StandingFact]) {
    if !facts.iter().any(|fact| matches!(fact, StandingFact::Budget(_))) {
        return;
    }
    let mut grown = BTreeSet::new();
    let money = &mut world.money;
    let before = money.reserved.clone();
    for fact in facts {
        let StandingFact::Budget(entry) = fact else { continue };
        let key = (entry.budget.clone(), entry.job, entry.month);
        let new = (entry.reserved.unwrap_or(0), entry.spent);
        let old = money.entries.insert(key, new).unwrap_or_default();
        let jobs = money.reserved.entry(entry.budget.clone()).or_default();
        let of_job = jobs.entry(entry.job).or_default();
        *of_job = *of_job + new.0 - old.0;
        if entry.reserved.is_none() {
            jobs.remove(&entry.job);
        }
        assert!(new.1 >= old.1, "what was spent shrinks");
        let spent = money.spent.entry((entry.budget.clone(), entry.month)).or_default();
        *spent += new.1 - old.1;
        if new.0 > old.0 {
            grown.insert((entry.budget.clone(), entry.job, entry.month));
        }
    }
    for (key, job, month) in grown {
        let of_job = |all: &BTreeMap<BudgetKey, BTreeMap<JobId, u64>>| {
            all.get(&key).and_then(|jobs| jobs.get(&job)).copied().unwrap_or(0)
        };
        let budgets = world.database.orders.values().flat_map(|order| &order.budgets);
        let of_key = |budget: &&deepclone_core::budget::MonthBudget| budget.key == key;
        let Some(budget) = budgets.into_iter().find(of_key) else { continue };
        if of_job(&money.reserved) > of_job(&before) && budget.at_limit == AtLimit::Hold {
            let reserved: u64 = money.reserved[&key].values().sum();
            let spent = money.spent[&(key.clone(), month)];
            let limit = budget.limit.count();
            assert!(reserved + spent <= limit, "{key}: {reserved} + {spent} of {limit}");
        }
    }
}
