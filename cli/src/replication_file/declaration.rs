//! One replication of a file: its keys, and what they mean.
//!
//! What is wrong or missing has a value all the same, so that the rest can be read.

use deepclone_core::replication::{
    CLOSE_GRACE_DEFAULT, CloneOptions, JOBS_AT_ONCE_DEFAULT, ReplicationName, ReplicationSpec,
    TIME_ZONE_DEFAULT,
};

use super::keys::TableKeys;
use super::report::FileReport;
use super::{limits, timing, units, upkeep};

/// The keys that `[defaults]` may have: all but the names.
pub(super) const DEFAULTS: [&str; 23] = [
    "owner",
    "group",
    "labels",
    "source",
    "target",
    "include",
    "exclude",
    "clone",
    "time_zone",
    "schedule",
    "on_missed",
    "on_overlap",
    "on_resume",
    "window",
    "close_grace",
    "max_lag",
    "budget",
    "bandwidth",
    "new_tables",
    "priority",
    "jobs_at_once",
    "audit",
    "vacuum",
];

/// Reads a replication whose name is known.
pub(super) fn replication(
    mut keys: TableKeys<'_>,
    name: ReplicationName,
    report: &mut FileReport<'_>,
) -> ReplicationSpec {
    let spec = ReplicationSpec {
        name,
        renamed_from: names(&mut keys, "renamed_from", report),
        takes_over: names(&mut keys, "takes_over", report),
        owner: keys.text("owner", report),
        group: keys.text("group", report),
        labels: keys.pairs("labels", report),
        source: keys.required_text("source", report),
        target: keys.required_text("target", report),
        include: keys.texts("include", report),
        exclude: keys.texts("exclude", report),
        clone: clone_options(&mut keys, report),
        time_zone: keys.text_or("time_zone", TIME_ZONE_DEFAULT, report),
        schedule: timing::schedule(&mut keys, report),
        on_missed: keys.word("on_missed", report),
        on_overlap: keys.word("on_overlap", report),
        on_resume: keys.word("on_resume", report),
        windows: timing::windows(&mut keys, report),
        close_grace: keys
            .parsed("close_grace", units::duration, report)
            .unwrap_or(CLOSE_GRACE_DEFAULT),
        max_lag: limits::max_lag(&mut keys, report),
        budget: limits::budget(&mut keys, report),
        bandwidth: limits::bandwidth(&mut keys, report),
        ask_above_bytes: limits::new_tables(&mut keys, report),
        priority: keys.integer("priority", report).unwrap_or(0),
        jobs_at_once: keys.integer("jobs_at_once", report).unwrap_or(JOBS_AT_ONCE_DEFAULT),
        audit: upkeep::audit(&mut keys, report),
        vacuum: upkeep::vacuum(&mut keys, report),
    };
    keys.finish(report);
    spec
}

fn names(
    keys: &mut TableKeys<'_>,
    key: &'static str,
    report: &mut FileReport<'_>,
) -> Vec<ReplicationName> {
    let Some(field) = keys.field(key, report) else { return Vec::new() };
    let entries = field.entries(report);
    entries.iter().filter_map(|entry| entry.parsed(str::parse, report)).collect()
}

fn clone_options(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> CloneOptions {
    let Some(mut table) = keys.table("clone", report) else { return CloneOptions::default() };
    let options = CloneOptions {
        verification: table.word("verify", report),
        divergence_policy: table.word("on_divergence", report),
        source_replaced_policy: table.word("on_source_replaced", report),
        allowed_features: table.texts("allow_features", report),
        properties: table.pairs("properties", report),
    };
    table.finish(report);
    options
}
