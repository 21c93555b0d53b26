//! Whether replicas can be failed over to, in words.

use deepclone_core::readiness::verdict::{NotReady, Readiness, ReadyVerdict};
use maud::{Markup, html};

use super::clock::PageClock;
use super::words::{counted, grouped, span};
use crate::replications::lag_summary::LagSummary;

/// The answer in capital letters.
pub(super) fn answer(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Yes => "YES",
        Readiness::No => "NO",
        Readiness::Unknown => "UNKNOWN",
    }
}

/// The class of the style sheet for an answer.
pub(super) fn class(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Yes => "yes",
        Readiness::No => "no",
        Readiness::Unknown => "unknown",
    }
}

/// How many tables keep the answer from being yes for this reason.
pub(super) fn count(verdict: &ReadyVerdict, why: NotReady) -> u64 {
    verdict.not_ready.iter().filter(|(_, reason)| *reason == why).count() as u64
}

/// The verdict as one sentence: `NO: 12 of 1,004 tables · would lose commits since 14:02 CET`.
pub(super) fn sentence(verdict: &ReadyVerdict, lag: &LagSummary, clock: &PageClock) -> Markup {
    html! {
        strong { (answer(verdict.readiness)) } ": " (which(verdict, lag))
        @if lag.tables > 0 { " · " (loss(verdict, lag, clock)) }
    }
}

/// The tables that the answer rests on.
fn which(verdict: &ReadyVerdict, lag: &LagSummary) -> String {
    let of_all = |number: u64| format!("{} of {}", grouped(number), counted(lag.tables, "table"));
    let against = count(verdict, NotReady::TooFarBehind) + count(verdict, NotReady::NotCopied);
    match verdict.readiness {
        Readiness::No => of_all(against),
        Readiness::Unknown if lag.tables == 0 => "there is no table yet".to_owned(),
        Readiness::Unknown => of_all(count(verdict, NotReady::LagUnknown)),
        Readiness::Yes if lag.tables == 1 => "the one table".to_owned(),
        Readiness::Yes => format!("all {}", counted(lag.tables, "table")),
    }
}

/// What a fail-over would lose.
fn loss(verdict: &ReadyVerdict, lag: &LagSummary, clock: &PageClock) -> Markup {
    let since = |words: &str, since| {
        let age = span(clock.now().since(since));
        html! { (words) " " (clock.time(since)) " (" (age) ")" }
    };
    let lost = match verdict.recovery_point.or(lag.complete_to) {
        None => html! {},
        Some(point)
            if let Some(known) = lag.lacks_since
                && known > point =>
        {
            html! {
                (since("would lose commits since", known)) ", perhaps "
                (since("since", point))
            }
        }
        Some(point) if lag.behind > 0 => since("would lose commits since", point),
        Some(point) if lag.unknown > 0 => since("may lose commits since", point),
        Some(point) => since("would lose nothing from before", point),
    };
    let whole = [
        (lag.not_copied, "no complete copy"),
        (lag.never_checked, "a source that has never answered"),
    ];
    let whole: Vec<String> = whole
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| {
            let has = if *number == 1 { "has" } else { "have" };
            format!("{} {has} {what}", counted(*number, "table"))
        })
        .collect();
    html! {
        (lost)
        @if !whole.is_empty() {
            @if !lost.0.is_empty() { " · " }
            (whole.join(" · "))
        }
    }
}

/// The reasons against a yes with their counts, the worst first, then what is only late.
pub(super) fn reasons(verdict: &ReadyVerdict, lag: &LagSummary) -> Vec<String> {
    let late = (lag.late > 0).then(|| format!("{} late, though ready", counted(lag.late, "table")));
    let words = [
        (NotReady::NotCopied, "without a complete copy"),
        (NotReady::TooFarBehind, "further behind than the limit"),
        (NotReady::LagUnknown, "whose lag is not known"),
        (NotReady::SyncFailing, "failing, though within the limit"),
    ];
    let with_count = |(why, words)| (count(verdict, why), words);
    let found = words.into_iter().map(with_count).filter(|(number, _)| *number > 0);
    let against = found.map(|(number, words)| format!("{} {words}", counted(number, "table")));
    against.chain(late).collect()
}
