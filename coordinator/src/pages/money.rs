//! What copies cost, by owner: this month and the last one.

use deepclone_core::calendar::zone::Month;
use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use super::clock::PageClock;
use super::data::OwnerCost;
use super::shell::{PageTab, document};
use super::words::{Visible, bytes, grouped};
use crate::costs::priced::Priced;
use crate::replications::view::FleetView;

/// Replications of an owner that are named.
const REPLICATIONS_MAX: usize = 20;

/// What was sent in a month.
pub(super) struct MonthCosts {
    pub(super) month: Month,
    pub(super) owners: Vec<OwnerCost>,
}

/// Returns the page as a document.
pub(super) fn page(months: &[(&str, MonthCosts)], fleet: &FleetView, now: UnixTime) -> String {
    let clock = PageClock::new("UTC", now);
    let main = html! {
        h1 { "Money" }
        p {
            "What copies cost, as estimated: bytes and requests at the prices of the time when \
             they were sent. No bill is asked, and no currency is converted. Months are of UTC."
        }
        @for (name, costs) in months { (section(name, costs, fleet)) }
        p.more { "By table, pair or replication: "
            code { "deepclone cost --by table --month 2026-11" } }
    };
    document("Money", PageTab::Money, Some(&clock), &main)
}

fn section(name: &str, MonthCosts { month, owners }: &MonthCosts, fleet: &FleetView) -> Markup {
    let id = format!("month-{month}");
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (name) " " small { "(" (month) ")" } }
            @if owners.is_empty() {
                p { "Nothing was sent." }
            } @else {
                table.stacked {
                    caption.hidden { (name) ", by owner" }
                    thead { tr {
                        th scope="col" { "Owner" }
                        th.number scope="col" { "Cost" }
                        th.number scope="col" { "Read" }
                        th.number scope="col" { "Requests" }
                        th scope="col" { "Replications now" }
                    } }
                    tbody { @for of in owners { (line(of, fleet)) } }
                }
                @for table in price_tables(owners) {
                    p.more { "Estimated by " (Visible(table)) "." }
                }
            }
        }
    }
}

fn line(of: &OwnerCost, fleet: &FleetView) -> Markup {
    let requests = of.traffic.source_requests().saturating_add(of.traffic.target_requests());
    html! {
        tr {
            th scope="row" {
                @if of.owner.is_empty() { "without an owner" } @else { (Visible(&of.owner)) }
            }
            td.number data-label="Cost" {
                @match &of.cost {
                    Priced::Known { money, .. } => { (money) " est." },
                    Priced::Unknown(why) => { "not known" span.more { (Visible(why)) } },
                }
            }
            td.number data-label="Read" { (bytes(of.traffic.bytes)) }
            td.number data-label="Requests" { (grouped(requests)) }
            td data-label="Replications now" { (replications(&of.owner, fleet)) }
        }
    }
}

/// The replications that an owner has now.
fn replications(owner: &str, fleet: &FleetView) -> Markup {
    let own = fleet.replications.iter();
    let own = own.filter(|view| view.spec.owner.as_deref().unwrap_or_default() == owner);
    let names: Vec<&str> = own.map(|view| view.spec.name.as_str()).collect();
    let more = names.len().saturating_sub(REPLICATIONS_MAX);
    html! {
        @for (place, name) in names.iter().take(REPLICATIONS_MAX).enumerate() {
            @if place > 0 { ", " }
            a href={ "/replications/" (name) } { (name) }
        }
        @if more > 0 { " and " (grouped(more as u64)) " more" }
        @if names.is_empty() { "none" }
    }
}

/// The names of the tables of prices, each once.
fn price_tables(owners: &[OwnerCost]) -> Vec<&str> {
    let mut names: Vec<&str> = owners
        .iter()
        .filter_map(|of| match &of.cost {
            Priced::Known { price_table, .. } => Some(price_table.as_str()),
            Priced::Unknown(_) => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
