//! What ran, and what was skipped.

use maud::{Markup, html};

use crate::pages::clock::PageClock;
use crate::pages::words::{Visible, bytes, grouped, span};
use crate::replications::view::{ReplicationView, RoundView};

/// Rounds that are shown.
const ROUNDS_MAX: usize = 50;

pub(super) fn section(view: &ReplicationView, clock: &PageClock) -> Markup {
    html! {
        section aria-labelledby="rounds" {
            h2 id="rounds" { "Rounds" }
            @if view.rounds.is_empty() {
                p { "None has run yet." }
            } @else {
                table.stacked {
                    caption.hidden { "Rounds, the newest first" }
                    thead { tr {
                        th scope="col" { "Began" }
                        th scope="col" { "Why" }
                        th.number scope="col" { "Took" }
                        th.number scope="col" { "Tables synced" }
                        th.number scope="col" { "Failed" }
                        th.number scope="col" { "Read" }
                    } }
                    tbody { @for round in view.rounds.iter().take(ROUNDS_MAX) {
                        (line(round, clock))
                    } }
                }
            }
        }
    }
}

fn line(round: &RoundView, clock: &PageClock) -> Markup {
    html! {
        tr.skipped[round.number.is_none()] {
            th scope="row" {
                (clock.time(round.began))
                span.more {
                    @match round.number {
                        Some(number) => { "round " (grouped(number)) },
                        None => "skipped",
                    }
                }
            }
            td data-label="Why" { (Visible(&round.cause)) }
            @if round.number.is_some() {
                td.number data-label="Took" {
                    @match round.ended {
                        Some(ended) => (span(ended.since(round.began))),
                        None => { "runs for " (span(clock.now().since(round.began))) },
                    }
                }
                td.number data-label="Tables synced" { (grouped(u64::from(round.done))) }
                td.number data-label="Failed" {
                    span.late[round.failed > 0] { (grouped(u64::from(round.failed))) }
                }
                td.number data-label="Read" { (bytes(round.bytes_read)) }
            } @else {
                td colspan="4" {}
            }
        }
    }
}
