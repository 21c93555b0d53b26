//! The budgets of several replications.

use deepclone_core::replication::{BudgetScope, SharedBudgetSpec, TIME_ZONE_DEFAULT};

use super::keys::TableKeys;
use super::limits::budget_keys;
use super::report::FileReport;

/// Reads one of them.
pub(super) fn shared_budget(
    mut table: TableKeys<'_>,
    report: &mut FileReport<'_>,
) -> SharedBudgetSpec {
    let has_pair = table.has("source") || table.has("target");
    let owner = table.field("owner", report);
    let scope = match (owner, has_pair) {
        (Some(owner), false) => {
            BudgetScope::Owner(owner.text(report).unwrap_or_default().to_owned())
        }
        (owner, _) => {
            if let Some(owner) = owner {
                let why = "write owner, or source and target, not both";
                report.error(owner.line, &owner.path, why);
            }
            let source = table.required_text("source", report);
            BudgetScope::Pair { source, target: table.required_text("target", report) }
        }
    };
    let time_zone = table.text_or("time_zone", TIME_ZONE_DEFAULT, report);
    let budget = budget_keys(&mut table, report);
    table.finish(report);
    SharedBudgetSpec { scope, budget, time_zone }
}
