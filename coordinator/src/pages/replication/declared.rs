//! What the file says of a replication, by the names that it has there.

use deepclone_core::replication::{
    AuditSpec, DueSpec, ReplicationSpec, ScheduleSpec, VacuumSpec, Word as _,
};
use maud::{Markup, html};

use crate::pages::clock::PageClock;
use crate::pages::words::{Visible, bytes, grouped, span};
use crate::replications::view::ReplicationView;

pub(super) fn section(view: &ReplicationView, clock: &PageClock) -> Markup {
    html! {
        section aria-labelledby="declared" {
            h2 id="declared" { "What its file says" }
            dl.declared {
                @for (name, values) in entries(&view.spec) {
                    dt { code { (name) } }
                    dd { @for value in values { span { (Visible(&value)) } } }
                }
            }
            p.more {
                "Applied first " (clock.time(view.created)) ", last changed "
                (clock.time(view.updated)) "."
            }
        }
    }
}

/// When it is due, as the end of a sentence.
pub(super) fn due(spec: &ReplicationSpec) -> String {
    slots(&spec.schedule)
}

/// Writes a schedule, as `every 15 m, spread over 2 m`.
fn slots(schedule: &ScheduleSpec) -> String {
    let due = match &schedule.due {
        DueSpec::Every(interval) => format!("every {}", span(*interval)),
        DueSpec::At { times, days } => format!("at {} on {days}", times.join(", ")),
        DueSpec::Cron(pattern) => format!("at cron {pattern}"),
        DueSpec::OnCommit { poll_min, poll_max } => {
            let (least, most) = (span(*poll_min), span(*poll_max));
            format!("at a commit, asked for every {least} to {most}")
        }
    };
    match schedule.spread {
        Some(spread) => format!("{due}, spread over {}", span(spread)),
        None => due,
    }
}

/// What is said, name by name; what is left out or says nothing is not there.
fn entries(spec: &ReplicationSpec) -> Vec<(&'static str, Vec<String>)> {
    let limit = |name: &str, limit| format!("{name} {}", span(limit));
    let lag = spec.max_lag.iter().flat_map(|most| {
        let warn = most.warn.map(|warn| limit("warn", warn));
        warn.into_iter().chain(most.page.map(|page| limit("page", page)))
    });
    let budget = spec.budget.iter().flat_map(|budget| {
        let bytes = budget.bytes.map(bytes);
        bytes.into_iter().chain(budget.money.map(|money| money.to_string()))
    });
    let windows = spec.windows.iter().map(|window| {
        format!("{} {} {} to {}", window.kind.word(), window.days, window.from, window.to)
    });
    let bandwidth = spec.bandwidth.iter().map(|limit| {
        let rate = bytes(limit.bytes_per_second);
        format!("{} {} to {}: {rate}/s", limit.days, limit.from, limit.to)
    });
    let one = |text: String| vec![text];
    let entries = vec![
        ("renamed_from", spec.renamed_from.iter().map(ToString::to_string).collect()),
        ("takes_over", spec.takes_over.iter().map(ToString::to_string).collect()),
        ("include", spec.include.clone()),
        ("exclude", spec.exclude.clone()),
        ("new_tables.ask_above", spec.ask_above_bytes.map(bytes).into_iter().collect()),
        ("time_zone", one(spec.time_zone.clone())),
        ("schedule", one(due(spec))),
        ("on_missed", one(spec.on_missed.word().into())),
        ("on_overlap", one(spec.on_overlap.word().into())),
        ("on_resume", one(spec.on_resume.word().into())),
        ("window", windows.collect()),
        ("max_lag", lag.collect()),
        ("budget", budget.collect()),
        ("bandwidth", bandwidth.collect()),
        ("verify", one(spec.clone.verification.word().into())),
        ("on_divergence", one(spec.clone.divergence_policy.word().into())),
        ("on_source_replaced", one(spec.clone.source_replaced_policy.word().into())),
        ("allowed_features", spec.clone.allowed_features.clone()),
        ("priority", one(spec.priority.to_string())),
        ("jobs_at_once", one(grouped(u64::from(spec.jobs_at_once)))),
        ("audit", spec.audit.as_ref().map(audit).into_iter().collect()),
        ("vacuum", spec.vacuum.as_ref().map(vacuum).into_iter().collect()),
    ];
    entries.into_iter().filter(|(_, values): &(_, Vec<String>)| !values.is_empty()).collect()
}

fn audit(audit: &AuditSpec) -> String {
    let sample = match audit.sample_millionths {
        0 => String::new(),
        millionths => format!(", {}% of the bytes", f64::from(millionths) / 10_000.0),
    };
    let proof = if audit.proof_of_use { ", with a proof of use" } else { "" };
    format!("{}{sample}{proof}", slots(&audit.schedule))
}

fn vacuum(vacuum: &VacuumSpec) -> String {
    let kept = vacuum.retention.map(|kept| format!(", versions of {} are kept", span(kept)));
    let log = if vacuum.with_log { ", with the log" } else { "" };
    format!("{}{}{log}", slots(&vacuum.schedule), kept.unwrap_or_default())
}
