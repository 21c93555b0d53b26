//! The page of one replication, from the answer down to what was declared.
//!
//! * `tables`: how far each is behind.
//! * `slots`: when it runs next; `rounds`: what ran.
//! * `lag`: how far it was behind over time.
//! * `declared`: what its file says.

mod declared;
pub(super) mod lag;
mod rounds;
mod slots;
mod tables;

use std::time::Duration;

use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use super::causes::causes;
use super::clock::PageClock;
use super::fleet::cause_list;
use super::forms::{act_button, hidden};
use super::paging::{PageQuery, group_address};
use super::shell::{PageTab, document};
use super::words::{Visible, bytes, counted, span};
use super::{audits, budget, now, verdict};
use crate::replications::audit_summary::AuditSummary;
use crate::replications::lag_summary::LagSummary;
use crate::replications::view::ReplicationView;

/// Tables that wait for approval and are listed.
const UNAPPROVED_MAX: usize = 50;

/// Returns the page as a document; with a token, something can be done about the replication.
pub(super) fn page(
    view: &ReplicationView,
    now: UnixTime,
    query: &PageQuery,
    token: Option<&str>,
) -> String {
    let clock = PageClock::new(&view.spec.time_zone, now);
    let main = html! {
        (opening(view, &clock))
        @if let Some(token) = token { (acts(view, token, &clock)) }
        (needs_you(view, &clock))
        (unapproved(view, token))
        div.columns {
            (slots::section(view, &clock))
            (budgets(view))
        }
        (lag::section(view, query.lag_span, &clock))
        (tables::section(view, query, &clock))
        (rounds::section(view, &clock))
        (declared::section(view, &clock))
    };
    document(view.spec.name.as_str(), PageTab::Replications, Some(&clock), &main)
}

fn opening(view: &ReplicationView, clock: &PageClock) -> Markup {
    let spec = &view.spec;
    let lag = LagSummary::of(view, clock.now());
    let answer = view.verdict(clock.now());
    html! {
        section.verdict.(verdict::class(answer.readiness)) {
            h1 { (spec.name) }
            p { "Can we fail over? " (verdict::sentence(&answer, &lag, clock)) }
            (audits::sentences(&AuditSummary::of(view), clock))
            @let reasons = verdict::reasons(&answer, &lag);
            @if !reasons.is_empty() {
                ul.reasons { @for reason in reasons { li { (reason) } } }
            }
        }
        nav.groups aria-label="On this page" {
            a href="#slots" { "Next" }
            a href="#budgets" { "Budgets" }
            a href="#lag" { "Lag" }
            a href="#tables" { "Tables" }
            a href="#rounds" { "Rounds" }
            a href="#declared" { "What its file says" }
        }
        dl.facts {
            div { dt { "Tables of" } dd { (Visible(&spec.source)) " → " (Visible(&spec.target)) } }
            div { dt { "Now" } dd { (now::state(view, clock)) } }
            div { dt { "Behind / limit" } dd { (super::fleet::behind(view, &lag, clock)) } }
            div { dt { "Newest sync" } dd {
                @match lag.synced_at {
                    Some(at) => (clock.time_and_age(at)),
                    None => "none yet",
                }
            } }
            div { dt { "Sources keep what syncs need" } dd { (kept(view, clock)) } }
            @if let Some(owner) = &spec.owner { div { dt { "Owner" } dd { (Visible(owner)) } } }
            @if let Some(group) = &spec.group {
                div { dt { "Group" } dd { a href=(group_address(group)) { (Visible(group)) } } }
            }
            @if !spec.labels.is_empty() {
                div { dt { "Labels" } dd {
                    @for (place, (key, value)) in spec.labels.iter().enumerate() {
                        @if place > 0 { ", " }
                        (Visible(key)) "=" (Visible(value))
                    }
                } }
            }
        }
    }
}

/// How long the sources still keep what syncs need.
fn kept(view: &ReplicationView, clock: &PageClock) -> Markup {
    let (headroom, unknown) = view.headroom(clock.now());
    html! {
        @match headroom {
            None => "not known",
            Some(Duration::ZERO) => "not all: whole tables are compared, and nothing is lost",
            Some(left) => { (span(left)) " more" }
        }
        @if headroom.is_some() && unknown > 0 {
            "; of " (counted(unknown as u64, "table")) " it is not known"
        }
    }
}

/// What can be done: a round now, and a pause or its end.
fn acts(view: &ReplicationView, token: &str, clock: &PageClock) -> Markup {
    let address = |verb: &str| format!("/replications/{}/{verb}", view.spec.name);
    html! {
        div.acts {
            (act_button(token, &address("run"), "Run now"))
            @if let Some(pause) = view.pause {
                (act_button(token, &address("resume"), "Resume"))
                span.more { "paused" @if let Some(until) = pause.until {
                    " until " (clock.time_and_age(until))
                } }
            } @else {
                form method="post" action=(address("pause")) {
                    (hidden(token))
                    button { "Pause" }
                    label for="until" { "until (" (Visible(&view.spec.time_zone)) "), or for good" }
                    input id="until" name="until" type="datetime-local";
                }
            }
        }
    }
}

fn needs_you(view: &ReplicationView, clock: &PageClock) -> Markup {
    let answer = view.verdict(clock.now());
    let causes = causes([(view, &answer)]);
    html! {
        @if !causes.is_empty() {
            section aria-labelledby="needs" {
                h2 id="needs" {
                    "Needs you " small { "(" (counted(causes.len() as u64, "cause")) ")" }
                }
                (cause_list(&causes, clock))
            }
        }
    }
}

fn unapproved(view: &ReplicationView, token: Option<&str>) -> Markup {
    let address = format!("/replications/{}/approve", view.spec.name);
    let (first, count) = (view.unapproved.iter().take(UNAPPROVED_MAX), view.unapproved.len());
    html! {
        @if count > 0 {
            section aria-labelledby="unapproved" {
                h2 id="unapproved" {
                    "Wait for approval " small { "(" (counted(count as u64, "table")) ")" }
                }
                p {
                    "Its patterns found these tables, larger than it may copy unasked. One that is \
                     approved is copied from the next round on."
                }
                ul { @for (path, size) in first {
                    li {
                        (Visible(path)) " · " (bytes(*size))
                        @if let Some(token) = token {
                            form method="post" action=(address) {
                                (hidden(token))
                                input type="hidden" name="path" value=(path);
                                button { "Approve" span.hidden { " " (Visible(path)) } }
                            }
                        }
                    }
                } }
                @if count > UNAPPROVED_MAX {
                    p { "and " (counted((count - UNAPPROVED_MAX) as u64, "more table")) }
                }
            }
        }
    }
}

fn budgets(view: &ReplicationView) -> Markup {
    html! {
        section aria-labelledby="budgets" {
            h2 id="budgets" { "Budgets of the month" }
            @if view.budgets.is_empty() {
                p { "It falls under no budget." }
            } @else {
                table.stacked {
                    caption.hidden { "Budgets of the month" }
                    thead { tr {
                        th scope="col" { "Budget" }
                        th.number scope="col" { "Spent" }
                        th.number scope="col" { "Reserved" }
                        th.number scope="col" { "Limit" }
                    } }
                    tbody { @for (key, used) in &view.budgets {
                        @let key = key.to_string();
                        @let amount = |count| budget::amount(used.unit, count);
                        tr {
                            th scope="row" {
                                (Visible(&key)) span.more { (used.month) } (budget::bar(used))
                            }
                            td.number data-label="Spent" { (amount(used.spent)) }
                            td.number data-label="Reserved" { (amount(used.reserved)) }
                            td.number data-label="Limit" { (amount(used.limit)) }
                        }
                    } }
                }
                @if view.spec.budget.is_some_and(|budget| budget.money.is_some()) {
                    p.more { "Money is estimated from list prices." }
                }
            }
        }
    }
}
