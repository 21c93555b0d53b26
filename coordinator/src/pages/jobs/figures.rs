//! The part of a job's page that changes while the job runs.

use deepclone_common::config::ByteRate;
use deepclone_core::receipt::ProofCounts;
use maud::{Markup, html};

use super::phases::{Phase, copying_seconds, phases};
use crate::driver::snapshot::JobSnapshot;
use crate::pages::clock::PageClock;
use crate::pages::words::{bytes, counted, grouped, percent, span};

/// The figures of a job, with its phases. `rate` is what it copied in the last minute, in bytes a
/// second, where that is known.
pub(super) fn figures(job: &JobSnapshot, rate: Option<u64>, clock: &PageClock) -> Markup {
    let figures = &job.progress;
    let bytes_done = done(job);
    html! {
        @if figures.bytes_total > 0 {
            progress max="100" value=(percent(bytes_done, figures.bytes_total))
                aria-label="Bytes copied, in percent" {}
        }
        dl.facts {
            div { dt { "Bytes" } dd { (of(bytes(bytes_done), bytes(figures.bytes_total))) } }
            div { dt { "Objects" } dd {
                (of(grouped(figures.objects_done), grouped(figures.objects_total)))
            } }
            div { dt { "Rate" } dd { (rates(job, rate, clock)) } }
            div { dt { "Tasks" } dd {
                (of(grouped(figures.tasks_done), grouped(figures.tasks_total)))
            } }
            div { dt { "Attempts" } dd { (attempts(job)) } }
            div { dt { "Workers" } dd { (workers(job)) } }
        }
        (table(&phases(job), clock))
    }
}

/// Bytes that are at the target, or on their way there.
pub(super) fn done(job: &JobSnapshot) -> u64 {
    job.progress.bytes_done.saturating_add(job.progress.bytes_moving)
}

fn of(done: String, total: String) -> String {
    if total == "0" || total == "0 B" {
        "none yet".to_owned()
    } else {
        format!("{done} of {total}")
    }
}

fn rates(job: &JobSnapshot, now: Option<u64>, clock: &PageClock) -> String {
    let average = copying_seconds(job, clock.now()).filter(|seconds| *seconds > 0);
    let average = average.map(|seconds| bytes(done(job) / seconds));
    match (now, average) {
        (Some(now), Some(average)) => {
            format!("{}/s in the last minute, {average}/s on average", bytes(now))
        }
        (Some(now), None) => format!("{}/s in the last minute", bytes(now)),
        (None, Some(average)) => format!("{average}/s on average"),
        (None, None) => "not known yet".to_owned(),
    }
}

/// How often tasks were given to workers; those beyond the tasks that are done or held are repeats.
fn attempts(job: &JobSnapshot) -> String {
    match job.progress.attempts {
        0 if job.progress.tasks_done > 0 => "none since the coordinator started".to_owned(),
        0 => "none yet".to_owned(),
        count => format!("tasks given out {}", times(count)),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", grouped(count)) }
}

fn workers(job: &JobSnapshot) -> String {
    let used = counted(u64::from(job.progress.workers_used), "worker");
    if job.state.is_final() {
        format!("{used} finished tasks of it")
    } else {
        format!("{} at work", grouped(u64::from(job.progress.workers)))
    }
}

fn table(phases: &[Phase], clock: &PageClock) -> Markup {
    html! {
        table {
            caption.hidden { "Phases" }
            thead { tr {
                th scope="col" { "Phase" }
                th scope="col" { "Began" }
                th.number scope="col" { "Took" }
            } }
            tbody { @for phase in phases { tr {
                th scope="row" { (phase.name) }
                td { (clock.time(phase.began)) }
                td.number { @match phase.ended {
                    Some(ended) => (span(ended.since(phase.began))),
                    None => { "runs for " (span(clock.now().since(phase.began))) },
                } }
            } } }
        }
    }
}

/// The limits of a job: `50MiB/s, 64 copies at once`; `None` when there are none.
pub(super) fn limits(job: &JobSnapshot) -> Option<String> {
    let rate = job.limits.bytes_per_second.map(|rate| ByteRate(rate).to_string());
    let copies = job.limits.concurrency.map(|copies| match copies {
        1 => "1 copy at once".to_owned(),
        copies => format!("{copies} copies at once"),
    });
    let parts: Vec<String> = rate.into_iter().chain(copies).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What proves its objects, the strongest first; nothing that proves none.
pub(super) fn proofs(counts: ProofCounts) -> Vec<(&'static str, u64)> {
    let ProofCounts { length, earlier, stored_checksum, read_back } = counts;
    let all = [
        ("read back at the target", read_back),
        ("checksum of the target's store", stored_checksum),
        ("receipt of an earlier sync", earlier),
        ("length alone", length),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}
