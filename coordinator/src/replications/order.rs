//! A declaration as the scheduler sees it.

use std::collections::BTreeMap;

use deepclone_core::budget::{BudgetKey, MonthBudget};
use deepclone_core::calendar::schedule::Schedule;
use deepclone_core::limits::BODY_BYTES_PER_SECOND_MIN;
use deepclone_core::replication::CheckedReplication;
use deepclone_core::standing::{Order, UpkeepKind};
use sha2::{Digest as _, Sha256};

use super::shared_budgets::SharedBudgets;

/// Returns what a replication wants of the scheduler.
pub(super) fn order(checked: &CheckedReplication, shared: &SharedBudgets) -> Order {
    let spec = &checked.spec;
    Order {
        name: spec.name.to_string(),
        trigger: checked.trigger.clone(),
        windows: checked.windows.clone(),
        close_grace: spec.close_grace,
        on_missed: spec.on_missed,
        on_overlap: spec.on_overlap,
        on_resume: spec.on_resume,
        priority: spec.priority,
        jobs_at_once: spec.jobs_at_once.min(jobs_max(checked)),
        pair: pair(&spec.source, &spec.target),
        budgets: budgets(checked, shared),
        upkeep: upkeep(checked),
    }
}

fn upkeep(checked: &CheckedReplication) -> BTreeMap<UpkeepKind, Schedule> {
    let audit = checked.audit.clone().map(|schedule| (UpkeepKind::Audit, schedule));
    let vacuum = checked.vacuum.clone().map(|schedule| (UpkeepKind::Vacuum, schedule));
    audit.into_iter().chain(vacuum).collect()
}

/// The budgets that its jobs fall under.
pub(super) fn budgets(checked: &CheckedReplication, shared: &SharedBudgets) -> Vec<MonthBudget> {
    let spec = &checked.spec;
    let own = spec.budget.and_then(|budget| {
        let key = BudgetKey(format!("replication {}", spec.name));
        budget.month_budget(key, checked.zone.clone())
    });
    own.into_iter().chain(shared.of(spec).cloned()).collect()
}

/// The most jobs of which each has what a copy needs, of the lowest limit of the timetable.
fn jobs_max(checked: &CheckedReplication) -> u32 {
    let limits = checked.bandwidth.limits.iter();
    let least = limits.map(|limit| limit.bytes_per_second / BODY_BYTES_PER_SECOND_MIN).min();
    u32::try_from(least.unwrap_or(u64::MAX)).unwrap_or(u32::MAX).max(1)
}

fn pair(source: &str, target: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update((source.len() as u64).to_be_bytes())
        .chain_update(source)
        .chain_update(target)
        .finalize();
    digest.iter().take(8).fold(0, |pair, byte| pair << 8 | u64::from(*byte))
}
