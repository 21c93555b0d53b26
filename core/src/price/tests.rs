//! Rules that are found, costs at the bounds of tiers, sums, and tables with a fault.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::money::{Currency, Money};

const GB: u64 = 1_000_000_000;
const TB: u64 = 1_000 * GB;

/// An empty text is a region that is not known.
fn pair(source: &str, target: &str) -> RegionPair {
    let region = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    RegionPair { source: region(source), target: region(target) }
}

fn bytes(bytes: u64) -> Traffic {
    Traffic { bytes, ..Traffic::default() }
}

fn usd(text: &str) -> Money {
    format!("{text} USD").parse().unwrap()
}

#[test]
fn the_list_prices_are_a_table_without_fault() {
    assert_eq!(check(&list_prices()), Ok(()));
}

#[test]
fn the_most_exact_rule_counts() {
    let cases = [
        // Exact pairs, in both directions.
        ("aws/us-east-1", "aws/us-east-2", Some(("aws us-east-1 to us-east-2", "0.01"))),
        ("aws/us-east-2", "aws/us-east-1", Some(("aws us-east-2 to us-east-1", "0.01"))),
        ("aws/eu-central-1", "aws/eu-central-1", Some(("aws same region", "0"))),
        ("azure/brazilsouth", "azure/brazilsouth", Some(("azure same region", "0"))),
        ("local/here", "local/here", Some(("local same region", "0"))),
        // Between regions of one cloud.
        ("aws/us-east-1", "aws/us-west-2", Some(("aws na to aws", "0.02"))),
        ("aws/eu-central-1", "aws/ap-southeast-2", Some(("aws eu to aws", "0.02"))),
        ("azure/eastus2", "azure/westus", Some(("azure na to na", "0.02"))),
        ("azure/westeurope", "azure/swedencentral", Some(("azure eu to eu", "0.02"))),
        ("azure/southeastasia", "azure/japaneast", Some(("azure asia to asia", "0.08"))),
        ("azure/westeurope", "azure/eastus", Some(("azure eu to azure", "0.05"))),
        ("azure/japaneast", "azure/eastus", Some(("azure asia to azure", "0.08"))),
        ("gcp/us-central1", "gcp/northamerica-northeast1", Some(("gcp na to na", "0.02"))),
        ("gcp/asia-east1", "gcp/asia-south1", Some(("gcp asia to asia", "0.05"))),
        ("gcp/europe-west3", "gcp/us-east1", Some(("gcp eu to na", "0.08"))),
        // To another continent of the same cloud without a price of its own.
        ("gcp/europe-west3", "gcp/southamerica-east1", Some(("gcp eu to internet", "0.12"))),
        // To another cloud, and to a place of one's own.
        ("aws/eu-central-1", "azure/westeurope", Some(("aws eu to internet", "0.09"))),
        ("aws/us-west-2", "gcp/asia-east1", Some(("aws na to internet", "0.09"))),
        ("azure/ukwest", "aws/eu-west-2", Some(("azure eu to internet", "0.087"))),
        ("gcp/asia-east1", "aws/ap-east-1", Some(("gcp asia to internet", "0.12"))),
        ("aws/eu-central-1", "local/berlin", Some(("aws eu to internet", "0.09"))),
        // Not known: a region, a region without a price, what a line of one's own costs.
        ("", "aws/eu-central-1", None),
        ("aws/eu-central-1", "", None),
        ("aws/ap-southeast-2", "aws/us-east-1", None),
        ("aws/us-gov-west-1", "aws/us-east-1", None),
        ("aws/cn-north-1", "azure/westeurope", None),
        ("azure/japaneast", "aws/us-east-1", None),
        ("local/berlin", "aws/eu-central-1", None),
        // A rule, but no price of requests.
        ("aws/eu-central-1", "oracle/eu-frankfurt-1", None),
    ];
    let table = list_prices();
    for (source, target, expected) in cases {
        let pair = pair(source, target);
        let found = estimate(&table, &pair, Traffic::default(), bytes(GB)).ok();
        let found = found.map(|found| (found.rule, found.money));
        let expected = expected.map(|(rule, money)| (rule.to_owned(), usd(money)));
        assert_eq!(found, expected, "{source} to {target}");
    }
}

#[test]
fn what_keeps_a_price_from_being_known_is_told() {
    for (source, target, why) in [
        ("", "aws/eu-central-1", "the region of the source is not known"),
        ("aws/eu-central-1", "", "the region of the target is not known"),
        (
            "local/berlin",
            "aws/eu-central-1",
            "the prices have none for what goes from local/berlin to aws/eu-central-1",
        ),
        (
            "aws/eu-central-1",
            "oracle/eu-frankfurt-1",
            "the prices have none for the requests of oracle",
        ),
    ] {
        let nothing = Traffic::default();
        let error = estimate(&list_prices(), &pair(source, target), nothing, nothing).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
}

#[test]
fn a_rule_for_a_whole_cloud_is_the_last_one_asked() {
    let mut table = list_prices();
    table.rules.push(PriceRule {
        name: "any of mine".to_owned(),
        route: PriceRoute::CloudToInternet { cloud: "local".to_owned() },
        tiers: vec![PriceTier { up_to_bytes: None, micros_per_gb: 3_000 }],
    });
    assert_eq!(check(&table), Ok(()));
    let rule = rule_of(&table, &pair("local/berlin", "aws/eu-central-1")).unwrap();
    assert_eq!(rule.name, "any of mine");
}

#[test]
fn a_tier_prices_the_bytes_within_its_bounds() {
    // (TB of the month before, bytes, dollars) from AWS to the internet.
    let cases = [
        (0, 0, "0"),
        (0, 1, "0.000001"),
        (0, 11_111, "0.000001"),
        (0, 11_112, "0.000002"),
        (0, GB, "0.09"),
        (0, 10 * TB, "900"),
        (10, GB, "0.085"),
        (9, 2 * TB, "175"),
        (0, 50 * TB, "4300"),
        (50, GB, "0.07"),
        (0, 150 * TB, "11300"),
        (150, GB, "0.05"),
        (149, 2 * TB, "120"),
        (0, 160 * TB, "11800"),
        (9, 150 * TB, "10940"),
        (1_000, 1_000 * TB, "50000"),
    ];
    let (table, pair) = (list_prices(), pair("aws/eu-central-1", "azure/westeurope"));
    for (before, sent, money) in cases {
        let found = estimate(&table, &pair, bytes(before * TB), bytes(sent)).unwrap();
        assert_eq!(found.money, usd(money), "{sent} bytes after {before} TB");
    }
}

#[test]
fn the_list_prices_to_the_internet_have_the_tiers_of_their_cloud() {
    let tiers = |ends: &[Option<u64>], prices: &[i64]| -> Vec<PriceTier> {
        let both = ends.iter().zip(prices);
        both.map(|(end, price)| PriceTier {
            up_to_bytes: end.map(|end| end * TB),
            micros_per_gb: *price,
        })
        .collect()
    };
    let steps = [Some(10), Some(50), Some(150), None];
    for (rule, expected) in [
        ("aws eu to internet", tiers(&steps, &[90_000, 85_000, 70_000, 50_000])),
        ("azure eu to internet", tiers(&steps, &[87_000, 83_000, 70_000, 50_000])),
        ("gcp eu to internet", tiers(&[Some(1), Some(10), None], &[120_000, 110_000, 80_000])),
    ] {
        let found = list_prices().rules.into_iter().find(|found| found.name == rule);
        assert_eq!(found.unwrap().tiers, expected, "{rule}");
    }
}

#[test]
fn requests_are_priced_at_each_side() {
    let copies = Traffic { source_reads: 1_000, target_writes: 1_000, ..Traffic::default() };
    let source_lists = Traffic { source_lists: 1_000, ..Traffic::default() };
    let target_lists = Traffic { target_lists: 1_000, ..Traffic::default() };
    // As after a copy that is read back: dear to write, cheap to read.
    let target_reads = Traffic { target_reads: 1_000, ..Traffic::default() };
    let cases = [
        ("aws/eu-central-1", "azure/westeurope", copies, "0.0059"),
        ("azure/westeurope", "aws/eu-central-1", copies, "0.00544"),
        ("aws/eu-central-1", "local/berlin", copies, "0.0004"),
        ("aws/eu-central-1", "azure/westeurope", source_lists, "0.005"),
        ("aws/eu-central-1", "azure/westeurope", target_lists, "0.0055"),
        ("aws/eu-central-1", "azure/westeurope", target_reads, "0.00044"),
        ("aws/eu-central-1", "local/berlin", target_lists + target_reads, "0"),
    ];
    for (source, target, traffic, money) in cases {
        let found =
            estimate(&list_prices(), &pair(source, target), Traffic::default(), traffic).ok();
        assert_eq!(found.unwrap().money, usd(money), "{source} to {target}: {traffic:?}");
    }
    let mut table = list_prices();
    table.requests[0].list_micros_per_1000 = 7_000;
    let pair = pair("aws/eu-central-1", "local/berlin");
    let lists = estimate(&table, &pair, Traffic::default(), source_lists).unwrap();
    assert_eq!(lists.money, usd("0.007"));
}

#[test]
fn the_largest_numbers_end_at_the_most_there_is() {
    let mut table = list_prices();
    for rule in &mut table.rules {
        rule.tiers = vec![PriceTier { up_to_bytes: None, micros_per_gb: i64::MAX }];
    }
    table.requests[0].read_micros_per_1000 = i64::MAX;
    let all = Traffic {
        bytes: u64::MAX,
        source_reads: u64::MAX,
        source_lists: u64::MAX,
        target_reads: u64::MAX,
        target_lists: u64::MAX,
        target_writes: u64::MAX,
    };
    assert_eq!((all.source_requests(), all.target_requests()), (u64::MAX, u64::MAX));
    let pair = pair("aws/eu-central-1", "aws/eu-west-1");
    let found = estimate(&table, &pair, Traffic::default(), all).unwrap();
    assert_eq!(found.money.micros, i64::MAX);
}

#[test]
fn a_fault_of_a_table_names_the_rule() {
    let tier = |up_to_bytes, micros_per_gb| PriceTier { up_to_bytes, micros_per_gb };
    let tiers = [
        (vec![], "has no tiers"),
        (vec![tier(Some(0), 1), tier(None, 1)], "tier 1 does not end above"),
        (vec![tier(Some(5), 1), tier(Some(5), 1), tier(None, 1)], "tier 2 does not end above"),
        (vec![tier(Some(5), 1), tier(None, -1)], "the price of tier 2 is negative"),
        (vec![tier(None, 1), tier(None, 1)], "tier 1 is open, but is not the last one"),
        (vec![tier(Some(5), 1)], "the last tier is not open"),
    ];
    let told = |change: &dyn Fn(&mut PriceTable)| {
        let mut table = list_prices();
        change(&mut table);
        check(&table).unwrap_err().to_string()
    };
    for (tiers, expected) in tiers {
        let error = told(&|table| table.rules[1].tiers.clone_from(&tiers));
        assert!(error.starts_with("rule \"azure same region\"") && error.contains(expected));
    }
    let twice = told(&|table| table.rules.push(table.rules[3].clone()));
    assert_eq!(twice, "two rules have the name \"aws us-east-1 to us-east-2\"");
    let route = told(&|table| table.rules[4].route = table.rules[3].route.clone());
    assert!(route.ends_with("is for the same regions as one before it"), "{route}");
    let area = told(&|table| table.areas.retain(|area| area.area != "asia"));
    assert!(area.contains("for area \"asia\" of \"azure\""), "{area}");
    let cloud = told(&|table| table.areas.retain(|area| area.cloud != "gcp"));
    assert!(cloud.contains("of \"gcp\""), "{cloud}");
    let spoil: [fn(&mut RequestPrices); 3] = [
        |prices| prices.read_micros_per_1000 = -1,
        |prices| prices.list_micros_per_1000 = -1,
        |prices| prices.write_micros_per_1000 = -1,
    ];
    for spoil in spoil {
        let negative = told(&|table| spoil(&mut table.requests[2]));
        assert_eq!(negative, "the requests of \"gcp\" have a negative price");
    }
    let requests = told(&|table| table.requests.push(table.requests[0].clone()));
    assert_eq!(requests, "the requests of \"aws\" are priced twice");
    let prefix = told(&|table| table.areas.push(table.areas[0].clone()));
    assert_eq!(prefix, "the prefix \"us-\" of \"aws\" is in two areas");
}

fn traffics() -> impl Strategy<Value = Traffic> {
    let requests = || 0..10_000_000_u64;
    let lists = || (requests(), requests());
    (0..200 * TB, requests(), lists(), requests(), requests()).prop_map(
        |(bytes, source_reads, (source_lists, target_lists), target_reads, target_writes)| {
            Traffic { bytes, source_reads, source_lists, target_reads, target_lists, target_writes }
        },
    )
}

/// A table of one rule with any tiers.
fn tables() -> impl Strategy<Value = PriceTable> {
    let tier = (1..100 * TB, 0..1_000_000_i64);
    let requests = || 0..100_000_i64;
    (proptest::collection::vec(tier, 0..5), 0..1_000_000_i64, requests(), requests()).prop_map(
        |(closed, open, read, write)| {
            let mut end = 0;
            let mut tiers = Vec::new();
            for (length, micros_per_gb) in closed {
                end += length;
                tiers.push(PriceTier { up_to_bytes: Some(end), micros_per_gb });
            }
            tiers.push(PriceTier { up_to_bytes: None, micros_per_gb: open });
            let route = PriceRoute::CloudToInternet { cloud: "a".to_owned() };
            PriceTable {
                name: "any".to_owned(),
                valid_from: date(2026, 1, 1),
                currency: Currency::EUR,
                areas: vec![],
                rules: vec![PriceRule { name: "all".to_owned(), route, tiers }],
                requests: vec![RequestPrices {
                    cloud: "a".to_owned(),
                    read_micros_per_1000: read,
                    list_micros_per_1000: read / 2 + write,
                    write_micros_per_1000: write,
                }],
            }
        },
    )
}

proptest! {
    #[test]
    fn estimates_that_follow_each_other_add_up(
        table in tables(),
        before in traffics(),
        parts in proptest::collection::vec(traffics(), 1..6),
    ) {
        prop_assert_eq!(check(&table), Ok(()));
        let pair = pair("a/1", "a/2");
        let cost = |before, traffic| estimate(&table, &pair, before, traffic).unwrap().money;
        let mut month = before;
        let mut sum = Money::zero(Currency::EUR);
        for part in &parts {
            let money = cost(month, *part);
            // More traffic never costs less.
            prop_assert!(money.micros >= 0);
            sum = sum.plus(money).unwrap();
            month = month + *part;
            prop_assert_eq!(sum, cost(before, month.beyond(before)));
        }
    }

    #[test]
    fn an_estimate_is_the_sum_over_its_bytes(
        table in tables(), before in 0..400 * TB, sent in 0..400 * TB,
    ) {
        // The price of a byte depends on its number in the month: by tiers, one after another.
        let mut parts = 0_i128;
        let mut start = 0;
        for tier in &table.rules[0].tiers {
            let end = tier.up_to_bytes.unwrap_or(u64::MAX);
            let from = before.max(start);
            let within = (before + sent).min(end).saturating_sub(from);
            parts += i128::from(within) * i128::from(tier.micros_per_gb);
            start = end;
        }
        let exact = parts / i128::from(GB);
        let found = estimate(&table, &pair("a/1", "a/2"), bytes(before), bytes(sent)).unwrap();
        let apart = i128::from(found.money.micros) - exact;
        // Rounded up once before and once after.
        prop_assert!((-1..=1).contains(&apart), "{} and {exact}", found.money.micros);
    }
}
