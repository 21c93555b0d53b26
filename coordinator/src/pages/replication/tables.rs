//! The tables of a replication: how far each is behind, what it shows, and why it does not go on.

use deepclone_core::readiness::lag::Lag;
use maud::{Markup, html};

use crate::pages::clock::PageClock;
use crate::pages::paging::PageQuery;
use crate::pages::words::{Visible, counted, grouped, percent, span};
use crate::replications::view::{ReplicationView, TableView};

/// The tables, those that need somebody first.
pub(super) fn section(view: &ReplicationView, query: &PageQuery, clock: &PageClock) -> Markup {
    let is_found = |(table, _): &(&TableView, Lag)| query.finds([table.path.as_str()]);
    let mut found: Vec<(&TableView, Lag)> = view.lags(clock.now()).filter(is_found).collect();
    found.sort_by_cached_key(|(table, lag)| (urgency(table, lag), oldest(lag), &table.path));
    let part = query.part(found.len());
    html! {
        section aria-labelledby="tables" {
            div.section-head {
                h2 id="tables" {
                    "Tables " small { "(" (grouped(found.len() as u64))
                        @if found.len() != view.tables.len() {
                            " of " (grouped(view.tables.len() as u64))
                        } ")" }
                }
                @if !view.tables.is_empty() { (query.search_form("", "Path of a table")) }
            }
            @if view.tables.is_empty() {
                p { "Its patterns have found no table yet." }
            } @else if found.is_empty() {
                p { "No table has “" (Visible(&query.text)) "” in its path." }
            } @else {
                table.stacked {
                    caption.hidden { "Tables, those that need somebody first" }
                    thead { tr {
                        th scope="col" { "Table" }
                        th.number scope="col" { "Behind" }
                        th.number scope="col" { "Asked" }
                        th.number scope="col" { "Source version" }
                        th.number scope="col" { "Replica shows" }
                        th.number scope="col" { "as its version" }
                        th.number scope="col" { "Last sync" }
                        th scope="col" { "Now" }
                    } }
                    tbody { @for (table, lag) in &found[part.rows()] {
                        (line(table, *lag, view, clock))
                    } }
                }
            }
            (part.links(query, "tables"))
        }
    }
}

fn line(table: &TableView, lag: Lag, view: &ReplicationView, clock: &PageClock) -> Markup {
    html! {
        tr {
            th.path scope="row" { (Visible(&table.path)) }
            td.number data-label="Behind" { (behind(lag, view, clock)) }
            td.number data-label="Asked" {
                @match table.freshness.checked {
                    Some(checked) => (clock.age(checked)),
                    None => "never",
                }
                @if let Some(seen) = table.freshness.replica_checked {
                    span.more { "its replica " (clock.age(seen)) }
                }
            }
            td.number data-label="Source version" {
                @match table.source_version {
                    Some(version) => (grouped(version)),
                    None => "unknown",
                }
            }
            @let (source, replica) = table.synced.unzip();
            td.number data-label="Replica shows" { (version(source)) }
            td.number data-label="as its version" { (version(replica)) }
            td.number data-label="Last sync" {
                @match table.synced_at { Some(at) => (clock.time(at)), None => "none" }
                (audited(table, clock))
            }
            td data-label="Now" { (now(table, clock)) }
        }
    }
}

/// What the newest audit found, and why the newest try could not be made.
fn audited(table: &TableView, clock: &PageClock) -> Markup {
    html! {
        @if let Some(audit) = &table.audit {
            @if let Some(at) = audit.at() {
                span.more {
                    "audited " (clock.age(at)) ": "
                    @match audit.differences() {
                        0 => "clean",
                        many => strong.late { (counted(many, "difference")) },
                    }
                }
            }
            @if let Some(failure) = &audit.failure {
                span.more {
                    "not audited " (clock.age(failure.at)) ": " (Visible(&failure.message))
                }
            }
        }
    }
}

fn version(version: Option<u64>) -> String {
    version.map_or("none".into(), grouped)
}

fn behind(lag: Lag, view: &ReplicationView, clock: &PageClock) -> Markup {
    let limit = view.spec.max_lag.and_then(|most| most.page.or(most.warn));
    html! {
        @match lag {
            Lag::InitialCopy => "first copy",
            Lag::Unknown { .. } => "unknown",
            Lag::Current { .. } => "0",
            Lag::Behind { since, .. } => {
                @let age = clock.now().since(since);
                span.late[limit.is_some_and(|limit| age > limit)] { (span(age)) }
            }
        }
    }
}

fn now(table: &TableView, clock: &PageClock) -> Markup {
    html! {
        @if let Some(job) = &table.job {
            a href={ "/jobs/" (job.id) } { (job.state.to_lowercase().replace('_', " ")) }
            @if job.bytes_total > 0 { " " (percent(job.bytes_done, job.bytes_total)) " %" }
        }
        @if let Some(failure) = &table.failure {
            span.failure {
                code.reason { (failure.reason.row().name) } " " (Visible(&failure.message))
            }
            @if let Some(since) = table.failing_since {
                span.more { "since " (clock.time_and_age(since)) }
            }
        }
    }
}

/// Failing tables come first, then those whose lag is not known, then by their age.
fn urgency(table: &TableView, lag: &Lag) -> u8 {
    match lag {
        _ if table.failure.is_some() => 0,
        Lag::Unknown { .. } => 1,
        Lag::Behind { .. } => 2,
        Lag::InitialCopy => 3,
        Lag::Current { .. } => 4,
    }
}

fn oldest(lag: &Lag) -> Option<i64> {
    lag.complete_to().map(|time| time.0)
}
