//! What copies cost, as people see it.

use std::collections::BTreeMap;

use deepclone_coordinator::costs::priced::Priced;
use deepclone_coordinator::pages::data::OwnerCost;
use deepclone_core::calendar::zone::Month;
use deepclone_core::money::{Currency, Money};
use deepclone_core::price::Traffic;

use crate::fake::FakeData;
use crate::samples::fleet;
use crate::site::Site;

fn cost(owner: &str, bytes: u64, cost: Priced) -> OwnerCost {
    let traffic = Traffic {
        bytes,
        source_reads: 700,
        source_lists: 300,
        target_reads: 200,
        target_lists: 100,
        target_writes: 200,
    };
    OwnerCost { owner: owner.to_owned(), traffic, cost }
}

fn euros(micros: i64) -> Priced {
    let price_table = "our contract".to_owned();
    Priced::Known { money: Money { micros, currency: Currency::EUR }, price_table }
}

/// Costs of three months, the newest one of two owners.
pub(crate) fn costs() -> BTreeMap<Month, Vec<OwnerCost>> {
    let unknown = Priced::Unknown("the prices were not known when it was sent".to_owned());
    let costs = [
        ("2026-11", vec![cost("team-finance", 5 << 30, euros(12_340_000)), cost("", 7, unknown)]),
        ("2026-10", vec![cost("team-<web>", 1 << 20, euros(560_000))]),
        ("2026-09", vec![cost("too-old", 1, euros(1))]),
    ];
    costs.map(|(month, owners)| (month.parse().unwrap(), owners)).into()
}

#[tokio::test]
async fn this_month_and_the_last_one_are_shown_by_owner_with_their_replications() {
    let site = Site::showing(FakeData { costs: costs(), ..FakeData::good(fleet()) }).await;
    let body = site.get("/money").await.body;
    for part in [
        "This month",
        "2026-11",
        "team-finance",
        "12.34 EUR est.",
        "5.0 GiB",
        "1,500",
        "Estimated by our contract.",
        "href=\"/replications/orders-dr\"",
        "without an owner",
        "the prices were not known when it was sent",
        "Last month",
        "2026-10",
        "team-&lt;web&gt;",
        "0.56 EUR est.",
    ] {
        assert!(body.contains(part), "no {part:?} in {body}");
    }
    assert!(!body.contains("too-old"));
    let nothing = Site::of(fleet()).await.get("/money").await.body;
    assert_eq!(nothing.matches("Nothing was sent.").count(), 2);
}
