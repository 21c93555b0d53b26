//! The keys that tell when a replication is due, and when it may copy.

use std::time::Duration;

use deepclone_core::calendar::window::WindowKind;
use deepclone_core::replication::{
    DAYS_DEFAULT, DueSpec, POLL_MAX_DEFAULT, POLL_MIN_DEFAULT, ScheduleSpec, WindowSpec, Word as _,
};

use super::keys::TableKeys;
use super::report::FileReport;
use super::units;

const DUE_KEYS: [&str; 4] = ["every", "at", "cron", "on_commit"];

pub(super) fn schedule(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> ScheduleSpec {
    let field = keys.required("schedule", report);
    let table = field.as_ref().and_then(|field| field.table(report));
    let (Some(field), Some(mut table)) = (field, table) else {
        return ScheduleSpec { due: DueSpec::Every(Duration::ZERO), spread: None };
    };
    let present: Vec<&str> = DUE_KEYS.into_iter().filter(|key| table.has(key)).collect();
    let due = due(&mut table, &present, report);
    let spread = table.parsed("spread", units::duration, report);
    if present.is_empty() {
        report.error(field.line, &field.path, "write one of every, at, cron and on_commit");
    } else if let [_, _, ..] = present.as_slice() {
        let message = format!("it has {}: write one of them", present.join(" and "));
        report.error(field.line, &field.path, message);
    }
    table.finish(report);
    ScheduleSpec { due, spread }
}

/// Reads all that is there, and takes one.
fn due(table: &mut TableKeys<'_>, present: &[&str], report: &mut FileReport<'_>) -> DueSpec {
    let every = table.parsed("every", units::duration, report).map(DueSpec::Every);
    let times = table.texts("at", report);
    let days = table.field("days", report);
    let is_at = present.contains(&"at");
    if let Some(days) = days.as_ref().filter(|_| !is_at) {
        report.error(days.line, &days.path, "it goes with at only");
    }
    let days = days.and_then(|days| days.text(report)).unwrap_or(DAYS_DEFAULT).to_owned();
    let at = is_at.then_some(DueSpec::At { times, days });
    let cron = table.text("cron", report).map(DueSpec::Cron);
    let on_commit = table.table("on_commit", report).map(|polls| on_commit(polls, report));
    every.or(at).or(cron).or(on_commit).unwrap_or(DueSpec::Every(Duration::ZERO))
}

fn on_commit(mut polls: TableKeys<'_>, report: &mut FileReport<'_>) -> DueSpec {
    let poll_min = polls.parsed("poll_min", units::duration, report).unwrap_or(POLL_MIN_DEFAULT);
    let poll_max = polls.parsed("poll_max", units::duration, report).unwrap_or(POLL_MAX_DEFAULT);
    polls.finish(report);
    DueSpec::OnCommit { poll_min, poll_max }
}

pub(super) fn windows(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> Vec<WindowSpec> {
    let tables = keys.tables("window", report);
    tables.into_iter().map(|table| window(table, report)).collect()
}

fn window(mut table: TableKeys<'_>, report: &mut FileReport<'_>) -> WindowSpec {
    let kind = table.required("kind", report);
    let kind = kind.and_then(|kind| kind.parsed(WindowKind::of_word, report));
    let window = WindowSpec {
        kind: kind.unwrap_or(WindowKind::Deny),
        days: table.text_or("days", DAYS_DEFAULT, report),
        from: table.required_text("from", report),
        to: table.required_text("to", report),
    };
    table.finish(report);
    window
}
