//! Totals that grow, at the edge of a tier, over the end of a month and over a restart.

use std::sync::Arc;

use deepclone_common::config::Config;
use deepclone_common::connections::{Connections, Side};
use deepclone_core::ids::ReplicationId;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::money::Currency;
use deepclone_core::price::{
    PriceRoute, PriceRule, PriceTable, PriceTier, RequestPrices, list_prices,
};
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, Verification,
};
use uuid::Uuid;

use super::*;
use crate::state::JobOrigin;

const GB: u64 = 1_000_000_000;
/// 2026-10-31T23:30Z, which is November in Berlin.
const EVE: UnixTime = UnixTime(1_793_489_400_000);
const HOUR_MS: i64 = 3_600_000;

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

/// 10 EUR for each of the first 2 GB of a month, 1 EUR for each further one.
fn table() -> PriceTable {
    let tiers = vec![
        PriceTier { up_to_bytes: Some(2 * GB), micros_per_gb: 10_000_000 },
        PriceTier { up_to_bytes: None, micros_per_gb: 1_000_000 },
    ];
    let route = PriceRoute::SameRegion { cloud: "local".to_owned() };
    let requests = RequestPrices {
        cloud: "local".to_owned(),
        read_micros_per_1000: 0,
        list_micros_per_1000: 0,
        write_micros_per_1000: 0,
    };
    PriceTable {
        name: "ours".to_owned(),
        currency: Currency::EUR,
        areas: Vec::new(),
        rules: vec![PriceRule { name: "line".to_owned(), route, tiers }],
        requests: vec![requests],
        ..list_prices()
    }
}

fn pricing(keys: &str) -> Pricing {
    let text = format!(
        "[connections.a]\nurl = \"file:///a\"\nroles = [\"source\"]\n{keys}\n\
         [connections.b]\nurl = \"file:///b\"\nroles = [\"target\"]"
    );
    let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
    Pricing { connections: Arc::new(connections), table: Arc::new(table()), ..Pricing::default() }
}

fn spec(pricing: &Pricing, path: &str) -> JobSpec {
    let table = |name| pricing.connections.below(name, path).unwrap();
    let spec = CloneSpec {
        source: table("a"),
        target: table("b"),
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: BTreeMap::new(),
        verification: Verification::Digest,
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    };
    let resolve = |table, side| pricing.connections.resolve(table, side).unwrap();
    JobSpec {
        source: resolve(&spec.source, Side::Source),
        target: resolve(&spec.target, Side::Target),
        spec,
        claim: None,
        origin: Some(JobOrigin {
            replication: "r".to_owned(),
            id: Some(ReplicationId(Uuid::from_u128(7))),
            owner: "o".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            round: None,
        }),
        submitter: None,
    }
}

fn bytes(bytes: u64) -> Traffic {
    Traffic { bytes, ..Traffic::default() }
}

fn book(now: UnixTime, month: &[UsageSum], rows: Vec<UsageRow>, told: &[(u128, u64)]) -> Book {
    let told = told.iter().map(|(number, sent)| (job(*number), bytes(*sent))).collect();
    Book::recover(pricing(""), now, month, rows, &told)
}

fn euros(book: &Book, number: u128) -> String {
    book.sent(job(number)).map_or(String::new(), |(_, cost)| match cost {
        Priced::Known { money, price_table } => format!("{money} by {price_table}"),
        Priced::Unknown(why) => why,
    })
}

#[test]
fn each_part_is_priced_where_it_falls_in_the_month() {
    let mut book = book(EVE, &[], Vec::new(), &[]);
    let spec = spec(&pricing(""), "t");
    assert_eq!(euros(&book, 1), "");
    for (number, total, expected) in [
        (1, GB, "10.00 EUR by ours"),
        // The edge of the tier: one GB at each price.
        (2, 2 * GB, "11.00 EUR by ours"),
        (1, 3 * GB, "12.00 EUR by ours"),
        // The same again, and less, which is told late.
        (1, 3 * GB, "12.00 EUR by ours"),
        (1, GB, "12.00 EUR by ours"),
    ] {
        book.note(job(number), &spec, bytes(total));
        assert_eq!(euros(&book, number), expected, "{number} {total}");
    }
    assert_eq!(book.price(&spec, bytes(GB)).money().unwrap().to_string(), "1.00 EUR");
    // A new month begins with nothing sent.
    book.set_now(UnixTime(EVE.0 + HOUR_MS));
    assert_eq!(book.price(&spec, bytes(GB)).money().unwrap().to_string(), "10.00 EUR");
}

#[test]
fn two_books_of_a_coordinator_meet_at_the_edge_of_a_tier() {
    let pricing = pricing("");
    let book = || Book::recover(pricing.clone(), EVE, &[], Vec::new(), &BTreeMap::new());
    let (mut one, mut other) = (book(), book());
    let spec = spec(&pricing, "t");
    one.note(job(1), &spec, bytes(GB));
    other.note(job(2), &spec, bytes(2 * GB));
    one.note(job(1), &spec, bytes(2 * GB));
    assert_eq!(euros(&other, 2), "11.00 EUR by ours");
    assert_eq!(euros(&one, 1), "11.00 EUR by ours");
    for book in [&one, &other] {
        assert_eq!(book.price(&spec, bytes(GB)).money().unwrap().to_string(), "1.00 EUR");
    }
}

#[test]
fn a_row_has_the_sums_of_its_month_in_both_calendars() {
    let mut book = book(EVE, &[], Vec::new(), &[]);
    let spec = spec(&pricing(""), "sales/t");
    let row = book.note(job(1), &spec, bytes(GB)).unwrap();
    let labels = UsageLabels {
        replication: "r".to_owned(),
        replication_id: Uuid::from_u128(7).to_string(),
        owner: "o".to_owned(),
        source: "a".to_owned(),
        target: "b".to_owned(),
        path: "sales/t".to_owned(),
        regions: "local/here local/here".to_owned(),
    };
    assert_eq!(row.labels, labels);
    assert_eq!((row.months.of_utc.as_str(), row.months.of_zone.as_str()), ("2026-10", "2026-11"));
    assert_eq!((row.sums.micros, row.sums.currency.as_str()), (10_000_000, "EUR"));
    let again = book.note(job(1), &spec, bytes(2 * GB)).unwrap();
    assert_eq!((again.sums.traffic.bytes, again.sums.micros), (2 * GB, 20_000_000));
    book.set_now(UnixTime(EVE.0 + HOUR_MS));
    let next = book.note(job(1), &spec, bytes(3 * GB)).unwrap();
    assert_eq!((next.months.of_utc.as_str(), next.sums.traffic.bytes), ("2026-11", GB));
    assert_eq!(book.note(job(1), &spec, bytes(3 * GB)), None);
    assert_eq!(euros(&book, 1), "30.00 EUR by ours");
}

#[test]
fn a_restart_changes_no_sum() {
    let spec = spec(&pricing(""), "t");
    let mut before = book(EVE, &[], Vec::new(), &[]);
    before.note(job(2), &spec, bytes(GB));
    let row = before.note(job(1), &spec, bytes(GB)).unwrap();
    let sums = UsageSums { traffic: bytes(2 * GB), ..UsageSums::default() };
    let month = [UsageSum { labels: row.labels.clone(), sums }];
    for (told, next, expected) in [
        // All that was booked is told again.
        (GB, 2 * GB, "11.00 EUR by ours"),
        // Some of it was of attempts that are no facts: what is new counts beside it.
        (GB / 2, GB, "10.50 EUR by ours"),
        (0, 2 * GB, "12.00 EUR by ours"),
    ] {
        let mut after = book(EVE, &month, vec![row.clone()], &[(1, told)]);
        assert_eq!(euros(&after, 1), "10.00 EUR by ours");
        assert_eq!(after.note(job(1), &spec, bytes(told)), None);
        after.note(job(1), &spec, bytes(next));
        assert_eq!(euros(&after, 1), expected, "{told} {next}");
    }
    // What a job sent before there were accounts is not booked later.
    let mut after = book(EVE, &[], Vec::new(), &[(3, 5 * GB)]);
    assert_eq!(after.note(job(3), &spec, bytes(5 * GB)), None);
    let row = after.note(job(3), &spec, bytes(6 * GB)).unwrap();
    assert_eq!(row.sums.traffic.bytes, GB);
}

#[test]
fn where_a_place_is_not_known_bytes_are_booked_without_a_price() {
    let pricing = pricing("cloud = \"acme\"");
    let spec = spec(&pricing, "t");
    let mut book = Book::recover(pricing, EVE, &[], Vec::new(), &BTreeMap::new());
    let row = book.note(job(1), &spec, bytes(GB)).unwrap();
    assert_eq!((row.sums.currency.as_str(), row.sums.micros), ("", 0));
    let why = "the prices have none for what goes from acme/here to local/here";
    assert_eq!(euros(&book, 1), why);
}

#[test]
fn what_is_ahead_has_requests_in_proportion_to_its_bytes() {
    let requests = CopyRequests { source: 10, target: 21 };
    for (total, done, expected) in
        [(100, 0, (100, 10, 21)), (100, 50, (50, 5, 11)), (100, 100, (0, 0, 0)), (0, 0, (0, 0, 0))]
    {
        let progress = Progress { bytes_total: total, bytes_done: done, ..Progress::default() };
        let ahead = ahead(&progress, requests);
        let found = (ahead.bytes, ahead.source_reads, ahead.target_writes);
        assert_eq!(found, expected, "{total} {done}");
        assert_eq!((ahead.source_requests(), ahead.target_requests()), (found.1, found.2));
    }
}
