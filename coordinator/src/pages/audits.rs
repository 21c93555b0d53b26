//! What is known of audits, and of an independent reader, in words.

use maud::{Markup, html};

use super::clock::PageClock;
use super::words::{counted, grouped};
use crate::replications::audit_summary::AuditSummary;

/// One sentence about the audits of all these replicas, and one about the reader; nothing where no
/// audits are declared.
pub(super) fn sentences(audits: &AuditSummary, clock: &PageClock) -> Markup {
    let AuditSummary { tables, clean, differing, never, failing, .. } = *audits;
    html! {
        @if tables > 0 {
            p.audits {
                @if differing > 0 {
                    strong.late {
                        "Audits found differences in " (counted(differing, "replica")) "."
                    }
                    " "
                }
                (grouped(clean)) " of " (counted(tables, "replica"))
                " what their syncs recorded"
                @if let Some(oldest) = audits.oldest {
                    ", audited " (clock.age(oldest)) " or later"
                }
                @if never > 0 { "; " (grouped(never)) " never audited" }
                @if failing > 0 { "; the newest try of " (grouped(failing)) " could not be made" }
                ". "
                (proof(audits, clock))
            }
        }
    }
}

fn proof(audits: &AuditSummary, clock: &PageClock) -> Markup {
    let AuditSummary { proven, refuted, not_provable, .. } = *audits;
    html! {
        @if proven + refuted + not_provable > 0 {
            "Proof of use: delta-rs reads what the log says in " (counted(proven, "replica"))
            @if let Some(oldest) = audits.oldest_proof { ", " (clock.age(oldest)) " or later" }
            @if refuted > 0 { "; " strong.late { "something else in " (grouped(refuted)) } }
            @if not_provable > 0 { "; " (grouped(not_provable)) " it cannot open" }
            "."
        }
    }
}
