//! The workers: what each of them does, how fast, and when it called last.

use deepclone_common::store::redact::redact;
use deepclone_core::machine::WorkerState;
use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use super::clock::PageClock;
use super::fleet::common_zone;
use super::paging::PageQuery;
use super::shell::{PageTab, document};
use super::words::{Visible, bytes, counted, grouped};
use crate::driver::snapshot::WorkerSnapshot;
use crate::replications::view::FleetView;

/// Returns the page as a document; with a token, workers can be drained.
pub(super) fn page(
    workers: &[WorkerSnapshot],
    fleet: &FleetView,
    query: &PageQuery,
    now: UnixTime,
    token: Option<&str>,
) -> String {
    let clock = PageClock::new(common_zone(fleet), now);
    let main = if workers.is_empty() { empty() } else { list(workers, query, &clock, token) };
    document("Workers", PageTab::Workers, Some(&clock), &main)
}

/// What to do when there is nothing yet.
fn empty() -> Markup {
    html! {
        h1 { "No workers yet" }
        p {
            "Workers copy; without one, jobs that have something to copy wait. Start one where \
             both stores can be reached, with a configuration file that has the connections:"
        }
        pre { code { "deepclone-worker --coordinator http://HOST:7420 --config FILE" } }
    }
}

fn list(
    workers: &[WorkerSnapshot],
    query: &PageQuery,
    clock: &PageClock,
    token: Option<&str>,
) -> Markup {
    let is_found = |worker: &&WorkerSnapshot| {
        let info = &worker.info;
        let connections = info.connections.iter().map(String::as_str);
        query.finds([info.name.as_str(), state(worker.state)].into_iter().chain(connections))
    };
    let mut found: Vec<&WorkerSnapshot> = workers.iter().filter(is_found).collect();
    found.sort_by_key(|worker| (worker.state, &worker.info.name, worker.worker));
    let part = query.part(found.len());
    html! {
        div.section-head {
            h1 id="workers" {
                "Workers " small { "(" (grouped(found.len() as u64))
                    @if found.len() != workers.len() { " of " (grouped(workers.len() as u64)) }
                    ")" }
            }
            (query.search_form("/workers", "Name, state or connection"))
        }
        p { (sum(workers)) }
        @if found.is_empty() {
            p { "None has “" (Visible(&query.text)) "” in its name, state or connections." }
        } @else {
            table.stacked {
                caption.hidden { "Workers" }
                thead { tr {
                    th scope="col" { "Name" }
                    th scope="col" { "State" }
                    th.number scope="col" { "Tasks held" }
                    th.number scope="col" { "Rate" }
                    th.number scope="col" { "Tasks done" }
                    th.number scope="col" { "Bytes done" }
                    th scope="col" { "Version" }
                    th scope="col" { "Last call" }
                } }
                tbody { @for worker in &found[part.rows()] { (line(worker, clock, token)) } }
            }
            p.more { "A rate is that of the last minute. What was done counts from the start of \
                 this coordinator." }
        }
        (part.links(query, "workers"))
    }
}

/// All of them in one line.
fn sum(workers: &[WorkerSnapshot]) -> String {
    let live = workers.iter().filter(|worker| worker.state != WorkerState::Lost);
    let rate = live.filter_map(|worker| worker.bytes_per_second).fold(0, u64::saturating_add);
    let held = workers.iter().map(|worker| u64::from(worker.tasks_held)).sum();
    format!("Together they hold {} and copy {}/s.", counted(held, "task"), bytes(rate))
}

fn line(worker: &WorkerSnapshot, clock: &PageClock, token: Option<&str>) -> Markup {
    let last_seen = UnixTime(worker.last_seen_ms);
    html! {
        tr {
            th scope="row" {
                (Visible(&worker.info.name))
                span.more { (Visible(&worker.info.connections.join(", "))) }
            }
            td data-label="State" {
                strong.answer.(class(worker.state)) { (state(worker.state)) }
                @if token.is_some() && worker.state == WorkerState::Active {
                    " " a href={ "/workers/" (worker.worker) "/drain" } {
                        "Drain…" span.hidden { " " (Visible(&worker.info.name)) }
                    }
                }
                @for aside in &worker.set_aside {
                    span.more {
                        "gets nothing of " (Visible(&aside.connection)) " until "
                        (clock.time(UnixTime(aside.until_ms))) ": "
                        (Visible(&redact(&aside.reason)))
                    }
                }
                @if let Some(error) = &worker.last_error {
                    details { summary { "Its last failure" } p { (Visible(&redact(error))) } }
                }
            }
            td.number data-label="Tasks held" { (grouped(u64::from(worker.tasks_held))) }
            td.number data-label="Rate" {
                @match worker.bytes_per_second {
                    Some(rate) => { (bytes(rate)) "/s" },
                    None => "unknown",
                }
            }
            td.number data-label="Tasks done" { (grouped(worker.tasks_done)) }
            td.number data-label="Bytes done" { (bytes(worker.bytes_done)) }
            td data-label="Version" { (Visible(&worker.info.version)) }
            td data-label="Last call" {
                (clock.time(last_seen)) span.more { (clock.age(last_seen)) }
            }
        }
    }
}

fn state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Active => "active",
        WorkerState::Draining => "draining",
        WorkerState::Lost => "lost",
    }
}

fn class(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Active => "yes",
        WorkerState::Draining => "unknown",
        WorkerState::Lost => "no",
    }
}
