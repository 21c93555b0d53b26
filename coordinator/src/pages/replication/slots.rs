//! When a replication runs next, and when it may copy.

use deepclone_core::replication::{ReplicationSpec, Word as _};
use maud::{Markup, html};

use super::declared::due;
use crate::pages::clock::PageClock;
use crate::pages::words::{Visible, span};
use crate::replications::view::ReplicationView;

/// Slots that are shown.
const SLOTS_MAX: usize = 5;

pub(super) fn section(view: &ReplicationView, clock: &PageClock) -> Markup {
    html! {
        section aria-labelledby="slots" {
            h2 id="slots" { "Next" }
            p { "Due " (Visible(&due(&view.spec))) "." }
            @if !view.slots.is_empty() {
                table {
                    caption.hidden { "Next slots" }
                    thead { tr { th scope="col" { "Slot" } th scope="col" { "Will it start?" } } }
                    tbody { @for slot in view.slots.iter().take(SLOTS_MAX) {
                        tr {
                            th scope="row" {
                                (clock.time(slot.at)) span.more { (clock.age(slot.at)) }
                            }
                            td {
                                @if slot.note.is_empty() { "yes" } @else { (Visible(&slot.note)) }
                            }
                        }
                    } }
                }
            }
            (windows(&view.spec))
        }
    }
}

fn windows(spec: &ReplicationSpec) -> Markup {
    html! {
        h3 { "Windows" }
        @if spec.windows.is_empty() {
            p { "It may copy at any time." }
        } @else {
            ul.windows {
                @for window in &spec.windows {
                    li {
                        code { (window.kind.word()) } " "
                        (Visible(&window.days)) " " (Visible(&window.from))
                        " to " (Visible(&window.to))
                    }
                }
            }
            p.more {
                "What is under way goes on for " (span(spec.close_grace)) " after one closes."
            }
        }
    }
}
