//! The keys that bound a replication: lag, budget, bandwidth, new tables.

use deepclone_core::budget::AtLimit;
use deepclone_core::money::Money;
use deepclone_core::replication::{
    AtLimitWord, BandwidthSpec, BudgetSpec, DAYS_DEFAULT, FROM_DEFAULT, MaxLag, TO_DEFAULT,
};

use super::keys::TableKeys;
use super::report::FileReport;
use super::units;

pub(super) fn max_lag(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> Option<MaxLag> {
    let mut table = keys.table("max_lag", report)?;
    let warn = table.parsed("warn", units::duration, report);
    let page = table.parsed("page", units::duration, report);
    table.finish(report);
    Some(MaxLag { warn, page })
}

pub(super) fn budget(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> Option<BudgetSpec> {
    let mut table = keys.table("budget", report)?;
    let budget = budget_keys(&mut table, report);
    table.finish(report);
    Some(budget)
}

/// The keys that every budget has.
pub(super) fn budget_keys(table: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> BudgetSpec {
    let bytes = table.parsed("bytes", units::size, report);
    let money = table.parsed("money", str::parse::<Money>, report);
    let word = table.word("at_limit", report);
    let slow_to = table.field("slow_to", report);
    if let Some(slow_to) = slow_to.as_ref().filter(|_| word != AtLimitWord::Slow) {
        report.error(slow_to.line, &slow_to.path, "it goes with at_limit = \"slow\" only");
    }
    let at_limit = match word {
        AtLimitWord::Hold => AtLimit::Hold,
        AtLimitWord::AlertOnly => AtLimit::AlertOnly,
        AtLimitWord::Slow => {
            let slow_to = table.required("slow_to", report);
            let rate = slow_to.and_then(|slow_to| slow_to.parsed(units::rate, report));
            AtLimit::Slow { bytes_per_second: rate.unwrap_or(0) }
        }
    };
    BudgetSpec { bytes, money, at_limit }
}

pub(super) fn bandwidth(
    keys: &mut TableKeys<'_>,
    report: &mut FileReport<'_>,
) -> Vec<BandwidthSpec> {
    let tables = keys.tables("bandwidth", report);
    tables.into_iter().map(|table| bandwidth_entry(table, report)).collect()
}

fn bandwidth_entry(mut table: TableKeys<'_>, report: &mut FileReport<'_>) -> BandwidthSpec {
    let rate = table.required("rate", report);
    let entry = BandwidthSpec {
        days: table.text_or("days", DAYS_DEFAULT, report),
        from: table.text_or("from", FROM_DEFAULT, report),
        to: table.text_or("to", TO_DEFAULT, report),
        bytes_per_second: rate.and_then(|rate| rate.parsed(units::rate, report)).unwrap_or(0),
    };
    table.finish(report);
    entry
}

pub(super) fn new_tables(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> Option<u64> {
    let mut table = keys.table("new_tables", report)?;
    let ask_above = table.required("ask_above", report);
    let bytes = ask_above.and_then(|ask_above| ask_above.parsed(units::size, report));
    table.finish(report);
    bytes
}
