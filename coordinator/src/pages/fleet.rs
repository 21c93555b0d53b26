//! The first page: whether everything can be failed over to, what needs somebody, and all
//! replications, the worst first.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::readiness::verdict::{Readiness, ReadyVerdict};
use deepclone_core::replication::DueSpec;
use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use super::causes::{Cause, CauseKind, causes};
use super::clock::PageClock;
use super::paging::{PageQuery, group_address};
use super::shell::{PageTab, document};
use super::words::{Visible, counted, grouped, percent, span};
use super::{audits, budget, now, verdict};
use crate::replications::audit_summary::AuditSummary;
use crate::replications::lag_summary::LagSummary;
use crate::replications::view::{FleetView, ReplicationState, ReplicationView};

/// How many replications of a cause are named.
const NAMES_MAX: usize = 5;
/// How many causes are listed.
const CAUSES_MAX: usize = 20;

/// One replication with what is known of all its tables.
struct FleetRow<'a> {
    view: &'a ReplicationView,
    verdict: ReadyVerdict,
    lag: LagSummary,
}

/// Returns the page as a document.
pub(super) fn page(fleet: &FleetView, query: &PageQuery) -> String {
    let clock = PageClock::new(common_zone(fleet), fleet.at);
    let is_empty = fleet.replications.is_empty();
    let main = if is_empty { empty() } else { lists(fleet, query, &clock) };
    document("Can we fail over?", PageTab::Replications, Some(&clock), &main)
}

/// What to do when there is nothing yet.
fn empty() -> Markup {
    html! {
        h1 { "No replications yet" }
        p {
            "A replication keeps replicas of tables up to date by itself: a file says which \
             tables, where they are kept, when they are copied and at what cost."
        }
        p { "Write the file, see what it would do, and apply it:" }
        pre { code { "deepclone replication apply FILE" } }
    }
}

fn lists(fleet: &FleetView, query: &PageQuery, clock: &PageClock) -> Markup {
    let of_group = |view: &&ReplicationView| {
        query.group.is_none() || view.spec.group.as_deref() == query.group.as_deref()
    };
    let views = fleet.replications.iter().map(|view| &**view).filter(of_group);
    let mut rows: Vec<FleetRow<'_>> = views.map(|view| FleetRow::new(view, fleet.at)).collect();
    rows.sort_by_cached_key(|row| row.rank(fleet.at));
    let lag = rows.iter().fold(LagSummary::default(), |sum, row| sum.plus(&row.lag));
    let audited =
        rows.iter().fold(AuditSummary::default(), |sum, row| sum.plus(&AuditSummary::of(row.view)));
    let whole = fleet.verdict(query.group.as_deref());
    html! {
        section.verdict.(verdict::class(whole.readiness)) {
            h1 {
                "Can we fail over"
                @if let Some(group) = &query.group { " " (Visible(group)) }
                "?"
            }
            p { (verdict::sentence(&whole, &lag, clock)) }
            (audits::sentences(&audited, clock))
            (groups(fleet, query))
        }
        (needs_you(&rows, clock))
        (replications(&rows, query, clock))
    }
}

/// Links to the groups: replications that are judged together.
fn groups(fleet: &FleetView, query: &PageQuery) -> Markup {
    let names: BTreeSet<&str> =
        fleet.replications.iter().filter_map(|view| view.spec.group.as_deref()).collect();
    if names.is_empty() {
        return html! {};
    }
    html! {
        nav.groups aria-label="Groups" {
            @if query.group.is_some() { a href="/" { "All" } }
            @for group in names {
                @let readiness = fleet.verdict(Some(group)).readiness;
                a.(verdict::class(readiness)) href=(group_address(group))
                    aria-current=[(query.group.as_deref() == Some(group)).then_some("page")] {
                    (Visible(group)) " " strong { (verdict::answer(readiness)) }
                }
            }
        }
    }
}

fn needs_you(rows: &[FleetRow<'_>], clock: &PageClock) -> Markup {
    let causes = causes(rows.iter().map(|row| (row.view, &row.verdict)));
    if causes.is_empty() {
        return html! { section { h2 { "Nothing needs you" } } };
    }
    html! {
        section aria-labelledby="needs" {
            h2 id="needs" { "Needs you " small { "(" (counted(causes.len() as u64, "cause")) ")" } }
            (cause_list(&causes, clock))
        }
    }
}

/// Causes as a list, with what each holds up.
pub(super) fn cause_list(causes: &[Cause<'_>], clock: &PageClock) -> Markup {
    html! {
        ul.causes {
            @for cause in causes.iter().take(CAUSES_MAX) { li { (cause_entry(cause, clock)) } }
        }
        @if causes.len() > CAUSES_MAX {
            p { "and " (counted((causes.len() - CAUSES_MAX) as u64, "more cause")) }
        }
    }
}

fn cause_entry(cause: &Cause<'_>, clock: &PageClock) -> Markup {
    let what = cause.what();
    let (names, more) = cause.first_replications(NAMES_MAX);
    html! {
        @if let CauseKind::Failing { reason, .. } = &cause.kind { code.reason { (reason) } " " }
        span.what { (Visible(&what)) }
        span.more {
            @if cause.tables > 0 { (counted(cause.tables, "table")) " · " }
            @for (place, name) in names.iter().enumerate() {
                @if place > 0 { ", " }
                a href={ "/replications/" (name) } { (name) }
            }
            @if let Some(more) = more { " and " (more) " more" }
            " · " (owner(cause.owner))
            @if let Some(since) = cause.since { " · since " (clock.time_and_age(since)) }
        }
        @if let Some(example) = cause.example.filter(|example| *example != what) {
            details { summary { "One of the messages" } p { (Visible(example)) } }
        }
    }
}

fn owner(owner: Option<&str>) -> Markup {
    html! {
        @match owner {
            Some(owner) => { "owner " (Visible(owner)) },
            None => "no owner",
        }
    }
}

fn replications(rows: &[FleetRow<'_>], query: &PageQuery, clock: &PageClock) -> Markup {
    let found: Vec<&FleetRow<'_>> = rows.iter().filter(|row| row.is_found(query)).collect();
    let part = query.part(found.len());
    html! {
        section aria-labelledby="replications" {
            div.section-head {
                h2 id="replications" {
                    "Replications " small { "(" (grouped(found.len() as u64))
                        @if found.len() != rows.len() { " of " (grouped(rows.len() as u64)) } ")" }
                }
                (query.search_form("/", "Name, owner, group, label or connection"))
            }
            @if found.is_empty() {
                p { "None has “" (Visible(&query.text)) "” in its name, owner, group, labels or \
                     connections." }
            } @else {
                table.stacked {
                    caption.hidden { "Replications, the worst first" }
                    thead { tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Ready" }
                        th.number scope="col" { "Behind now / limit" }
                        th.number scope="col" { "Recovery point" }
                        th scope="col" { "Now" }
                        th scope="col" { "Next" }
                        th.number scope="col" { "This month" }
                    } }
                    tbody { @for row in &found[part.rows()] { (row.line(clock)) } }
                }
            }
            (part.links(query, "replications"))
        }
    }
}

impl<'a> FleetRow<'a> {
    fn new(view: &'a ReplicationView, now: UnixTime) -> Self {
        Self { view, verdict: view.verdict(now), lag: LagSummary::of(view, now) }
    }

    /// What sorts the worst first: the answer, failures, age, then the name.
    fn rank(&self, now: UnixTime) -> impl Ord + use<'a> {
        let answer = match self.verdict.readiness {
            Readiness::No => 0,
            Readiness::Unknown => 1,
            Readiness::Yes => 2,
        };
        let age = self.lag.age_at_least(now);
        (answer, self.lag.failing == 0, std::cmp::Reverse(age), self.view.spec.name.as_str())
    }

    fn is_found(&self, query: &PageQuery) -> bool {
        let spec = &self.view.spec;
        let named = [spec.name.as_str(), &spec.source, &spec.target].into_iter();
        let optional = spec.owner.as_deref().into_iter().chain(spec.group.as_deref());
        let labels = spec.labels.iter().flat_map(|(key, value)| [key.as_str(), value]);
        query.finds(named.chain(optional).chain(labels))
    }

    fn line(&self, page: &PageClock) -> Markup {
        let spec = &self.view.spec;
        let clock = PageClock::new(&spec.time_zone, page.now());
        html! {
            tr {
                th scope="row" {
                    a href={ "/replications/" (spec.name) } { (spec.name) }
                    span.more { (owner(spec.owner.as_deref())) }
                }
                td data-label="Ready" { (self.ready()) }
                td.number data-label="Behind / limit" { (behind(self.view, &self.lag, &clock)) }
                td.number data-label="Recovery point" { (self.recovery_point(&clock)) }
                td data-label="Now" { (now::state(self.view, &clock)) }
                td data-label="Next" { (self.next(&clock)) }
                td.number data-label="This month" { (self.month()) }
            }
        }
    }

    fn ready(&self) -> Markup {
        let readiness = self.verdict.readiness;
        let not_ready = self.verdict.not_ready.len() as u64;
        let all = counted(self.lag.tables, "table");
        html! {
            strong.answer.(verdict::class(readiness)) { (verdict::answer(readiness)) }
            span.more {
                @if not_ready > 0 { (grouped(not_ready)) " of " }
                (all)
            }
            @if self.lag.late > 0 { span.more { (grouped(self.lag.late)) " late" } }
        }
    }

    fn recovery_point(&self, clock: &PageClock) -> Markup {
        html! {
            @match self.verdict.recovery_point {
                Some(point) => (clock.time(point)),
                None => "none yet",
            }
        }
    }

    fn next(&self, clock: &PageClock) -> Markup {
        html! {
            @match self.view.slots.first() {
                Some(slot) => {
                    (clock.time(slot.at))
                    @if !slot.note.is_empty() { span.more { (Visible(&slot.note)) } }
                }
                None if self.is_due_at_commits() => "at a commit",
                None => "none",
            }
        }
    }

    fn is_due_at_commits(&self) -> bool {
        let is_paused = self.view.state.state == ReplicationState::Paused;
        matches!(self.view.spec.schedule.due, DueSpec::OnCommit { .. }) && !is_paused
    }

    /// The budget that is used most.
    fn month(&self) -> Markup {
        let used = |(_, used): &&(_, deepclone_core::budget::MonthUse)| {
            percent(used.spent.saturating_add(used.reserved), used.limit)
        };
        html! {
            @match self.view.budgets.iter().max_by_key(used) {
                Some((_, used)) => { (budget::short(used)) (budget::bar(used)) },
                None => "no limit",
            }
        }
    }
}

/// How far the tables are behind, beside the limit: `18 min / 15 min`.
pub(super) fn behind(view: &ReplicationView, lag: &LagSummary, clock: &PageClock) -> Markup {
    let limit = view.spec.max_lag.and_then(|most| most.page.or(most.warn));
    let known = lag.current + lag.behind > 0;
    let age = lag.age_at_least(clock.now());
    let is_late = limit.is_some_and(|limit| age > limit);
    html! {
        @if lag.tables == 0 {
            "no table"
        } @else if known {
            span.late[is_late] { @if lag.behind == 0 { "0" } @else { (span(age)) } }
        } @else if lag.unknown > 0 {
            "unknown"
        } @else {
            "first copy"
        }
        @if let Some(limit) = limit { " / " (span(limit)) }
        @if known && lag.unknown > 0 { span.more { (grouped(lag.unknown)) " unknown" } }
        @if (known || lag.unknown > 0) && lag.not_copied > 0 {
            span.more { (grouped(lag.not_copied)) " not copied" }
        }
        @if let Some(checked) = lag.checked { span.more { "asked " (clock.age(checked)) } }
    }
}

/// The zone of most replications; UTC when there are none.
pub(super) fn common_zone(fleet: &FleetView) -> &str {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for view in &fleet.replications {
        *counts.entry(&view.spec.time_zone).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("UTC", |(zone, _)| zone)
}
