//! What a replication does now, or why it does nothing and until when.

use maud::{Markup, html};

use super::clock::PageClock;
use super::words::{Visible, counted, percent};
use crate::replications::view::{ReplicationState, ReplicationView};

/// The state in a few words.
pub(super) fn state(view: &ReplicationView, clock: &PageClock) -> Markup {
    let state = &view.state;
    html! {
        (name(view))
        @if !state.reason.is_empty() { span.more { (Visible(&state.reason)) } }
        @if let Some(until) = state.until { span.more { "until " (clock.time_and_age(until)) } }
    }
}

fn name(view: &ReplicationView) -> String {
    match view.state.state {
        ReplicationState::Running => running(view),
        ReplicationState::WaitingForSlot => "waiting for its slot".into(),
        ReplicationState::WaitingForWindow => "waiting for a window".into(),
        ReplicationState::WaitingForTurn => "waiting for its turn".into(),
        ReplicationState::WaitingForBudget => "held by its budget".into(),
        ReplicationState::Paused => "paused".into(),
        ReplicationState::Retired => "retired".into(),
    }
}

/// What is under way: its jobs, and how much of their bytes is there.
fn running(view: &ReplicationView) -> String {
    let jobs = || view.tables.iter().filter_map(|table| table.job.as_ref());
    let total = jobs().fold(0_u64, |sum, job| sum.saturating_add(job.bytes_total));
    let done = jobs().fold(0_u64, |sum, job| sum.saturating_add(job.bytes_done));
    match jobs().count() as u64 {
        0 => "asking the source".into(),
        jobs if total == 0 => format!("planning {}", counted(jobs, "table")),
        jobs => format!("copying {}: {} %", counted(jobs, "table"), percent(done, total)),
    }
}
