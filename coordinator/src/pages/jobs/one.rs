//! The page of one job.

use deepclone_common::store::redact::redact;
use deepclone_core::failure::Failure;
use deepclone_core::machine::End;
use deepclone_core::replication::Word as _;
use deepclone_core::spec::SourcePoint;
use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use super::advice::advice;
use super::figures::{figures, limits, proofs};
use super::keeper::{keeper, table_name, zone_of};
use super::state;
use crate::driver::snapshot::JobSnapshot;
use crate::pages::clock::PageClock;
use crate::pages::forms::act_button;
use crate::pages::shell::{LIVE_ADDRESS, PageTab, document};
use crate::pages::words::{Visible, bytes, grouped};
use crate::replications::view::{FleetView, ReplicationView};

/// What a browser may do with this page beyond the others: run the script beside it, which asks
/// for the figures.
pub(in crate::pages) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// Returns the page as a document; with a token, something can be done about the job.
pub(in crate::pages) fn job_page(
    job: &JobSnapshot,
    fleet: &FleetView,
    now: UnixTime,
    token: Option<&str>,
) -> String {
    let keeper = keeper(fleet, &job.job_spec);
    let clock = PageClock::new(zone_of(&job.job_spec, fleet), now);
    let main = html! {
        (opening(job))
        @if let Some(token) = token && !job.state.is_final() { (acts(job, token)) }
        @if let Some(End::Failed(failure)) = &job.end { (failed(failure)) }
        section aria-labelledby="figures" {
            h2 id="figures" { "Figures" }
            div data-events=[events(job)] { (figures(job, None, &clock)) }
            p.more id="live" {}
        }
        div.columns {
            (asked_for(job, keeper, &clock))
            (found(job))
        }
        @if !job.state.is_final() { script src=(*LIVE_ADDRESS) defer {} }
    };
    document(&redact(table_name(&job.job_spec)), PageTab::Jobs, Some(&clock), &main)
}

/// Where the figures are sent from; `None` when they change no more.
fn events(job: &JobSnapshot) -> Option<String> {
    (!job.state.is_final()).then(|| format!("/jobs/{}/events", job.job))
}

fn opening(job: &JobSnapshot) -> Markup {
    html! {
        section.verdict.(state::class(job.state)) {
            h1 { "Sync of " (Visible(&redact(table_name(&job.job_spec)))) }
            p id="state" role="status" { (state::sentence(job)) }
        }
    }
}

/// What can be done while it is under way.
fn acts(job: &JobSnapshot, token: &str) -> Markup {
    let address = |verb: &str| format!("/jobs/{}/{verb}", job.job);
    html! {
        div.acts {
            @if job.limits.held {
                (act_button(token, &address("release"), "Release"))
            } @else {
                (act_button(token, &address("hold"), "Hold"))
            }
            a href=(address("cancel")) { "Cancel…" }
        }
    }
}

fn failed(failure: &Failure) -> Markup {
    html! {
        section aria-labelledby="failure" {
            h2 id="failure" { "Why it failed" }
            p.failure {
                code.reason { (failure.reason.row().name) } " "
                (Visible(&redact(&failure.message)))
            }
            @if let Some(advice) = advice(failure) { p { (advice) } }
        }
    }
}

fn asked_for(job: &JobSnapshot, keeper: Option<&ReplicationView>, clock: &PageClock) -> Markup {
    let spec = &job.job_spec.spec;
    let point = match spec.source_point {
        SourcePoint::Newest => "the newest".to_owned(),
        SourcePoint::Version(version) => grouped(version),
        SourcePoint::Timestamp(ms) => format!("that of {}", UnixTime(ms)),
    };
    html! {
        section aria-labelledby="asked-for" {
            h2 id="asked-for" { "What was asked for" }
            dl.declared {
                dt { "job" } dd { code { (job.job) } }
                dt { "source" } dd { (Visible(&redact(&job.job_spec.source.uri))) }
                dt { "target" } dd { (Visible(&redact(&job.job_spec.target.uri))) }
                dt { "connections" } dd {
                    (Visible(&job.job_spec.source.connection)) " → "
                    (Visible(&job.job_spec.target.connection))
                }
                dt { "kept by" } dd { @match keeper {
                    Some(view) => {
                        a href={ "/replications/" (view.spec.name) } { (view.spec.name) }
                    },
                    None => "no replication",
                } }
                dt { "version" } dd { (point) }
                @if let Some(filter) = &spec.partition_filter {
                    dt { "partitions" } dd { (Visible(filter)) }
                }
                dt { "verify" } dd { (spec.verification.word()) }
                @if let Some(limits) = limits(job) { dt { "limits" } dd { (limits) } }
                dt { "created" } dd { (clock.time_and_age(UnixTime(job.created_ms))) }
                @if let Some(ended) = job.ended_ms.map(UnixTime) {
                    dt { "ended" } dd { (clock.time_and_age(ended)) }
                }
            }
        }
    }
}

/// What it found, wrote and proved.
fn found(job: &JobSnapshot) -> Markup {
    let figures = &job.progress;
    let proofs = proofs(figures.proofs);
    html! {
        section aria-labelledby="found" {
            h2 id="found" { "What it found and did" }
            dl.declared {
                dt { "source version" } dd { @match job.source_version {
                    Some(version) => (grouped(version)),
                    None => "not known yet",
                } }
                @if let Some(End::Succeeded { replica_version, .. }) = &job.end {
                    dt { "replica version" } dd { (grouped(*replica_version)) }
                }
                dt { "objects copied" } dd {
                    (grouped(figures.objects_copied))
                    @if figures.objects_copied_by_store > 0 {
                        ", " (grouped(figures.objects_copied_by_store)) " of them by the store"
                    }
                }
                dt { "objects there before" } dd { (grouped(figures.objects_skipped)) }
                dt { "bytes read" } dd { (bytes(figures.bytes_read)) }
                dt { "bytes written" } dd { (bytes(figures.bytes_written)) }
                @if let Some(sent) = &job.sent {
                    dt { "cost" } dd { (Visible(&sent.cost.to_string())) }
                }
                dt { "proved by" } dd {
                    @if proofs.is_empty() { "nothing yet" }
                    @for (proof, count) in proofs { span { (grouped(count)) " by " (proof) } }
                }
            }
            @if !job.note.notices.is_empty() {
                h3 { "Notices" }
                ul { @for notice in &job.note.notices { li { (Visible(&redact(notice))) } } }
            }
        }
    }
}
