//! Tables that are read, and what is said of those that are not.

use deepclone_core::price::{RegionPair, Traffic, estimate};

use super::*;

const HEAD: &str = "name = \"ours\"\nvalid_from = \"2026-11-01\"\ncurrency = \"EUR\"\n";

const WHOLE: &str = r#"
name = "contract of 2026"
valid_from = "2026-11-01"
currency = "EUR"

[[area]]
cloud = "aws"
area = "eu"
prefixes = ["eu-"]

[[rule]]
name = "out"
route = "area-to-internet"
cloud = "aws"
source = "eu"
tiers = [{ up_to = "10 TB", per_gb = "0.08" }, { per_gb = "0.07" }]

[[rule]]
name = "our line"
route = "regions"
source = "aws/eu-central-1"
target = "local/berlin"
tiers = [{ per_gb = "0.02" }]

[[rule]]
name = "within aws"
route = "area-to-cloud"
cloud = "aws"
source = "eu"
tiers = [{ per_gb = "0.01" }]

[[rule]]
name = "within europe"
route = "areas"
cloud = "aws"
source = "eu"
target = "eu"
tiers = [{ per_gb = "0.005" }]

[[rule]]
name = "same region"
route = "same-region"
cloud = "aws"
tiers = [{ per_gb = "0" }]

[[rule]]
name = "from us"
route = "cloud-to-internet"
cloud = "local"
tiers = [{ per_gb = "0.000001" }]

[[requests]]
cloud = "aws"
read_per_1000 = "0.0004"
list_per_1000 = "0.006"
write_per_1000 = "0.005"

[[requests]]
cloud = "local"
read_per_1000 = "0"
write_per_1000 = "0.003"
"#;

#[test]
fn every_kind_of_rule_is_read_and_prices_its_routes() {
    let table = parse(WHOLE).unwrap();
    assert_eq!((table.name.as_str(), table.currency), ("contract of 2026", Currency::EUR));
    let lists: Vec<i64> = table.requests.iter().map(|prices| prices.list_micros_per_1000).collect();
    assert_eq!(lists, [6_000, 3_000], "a list costs as much as a write unless the file says it");
    let gb = Traffic { bytes: 1_000_000_000, ..Traffic::default() };
    for (source, target, rule, cost) in [
        ("aws/eu-central-1", "gcp/europe-west3", None, ""),
        ("aws/eu-central-1", "local/berlin", Some("our line"), "0.02 EUR"),
        ("aws/eu-west-1", "local/berlin", Some("out"), "0.08 EUR"),
        ("aws/eu-west-1", "aws/us-east-1", Some("within aws"), "0.01 EUR"),
        ("aws/eu-west-1", "aws/eu-west-2", Some("within europe"), "0.005 EUR"),
        ("aws/eu-west-1", "aws/eu-west-1", Some("same region"), "0.00 EUR"),
        ("local/berlin", "aws/eu-west-1", Some("from us"), "0.000001 EUR"),
    ] {
        let region = |text: &str| Some(text.parse().unwrap());
        let pair = RegionPair { source: region(source), target: region(target) };
        let found = estimate(&table, &pair, Traffic::default(), gb).ok();
        let found = found.map(|found| (found.rule, found.money.to_string()));
        let expected = rule.map(|rule| (rule.to_owned(), cost.to_owned()));
        assert_eq!(found, expected, "{source} to {target}");
    }
}

#[test]
fn every_mistake_is_named() {
    let rule = |rest: &str| format!("{HEAD}[[rule]]\nname = \"out\"\n{rest}");
    let with = |keys: &str| rule(&format!("{keys}\ntiers = [{{ per_gb = \"0.09\" }}]"));
    let tiers = |tiers: &str| {
        rule(&format!("route = \"cloud-to-internet\"\ncloud = \"aws\"\ntiers = [{tiers}]"))
    };
    let cases = [
        (String::new(), "line 1: missing field `name`"),
        ("name = \"a\"\nvalid_from = 5".to_owned(), "line 2"),
        (format!("{HEAD}vat = \"19\""), "line 4: unknown field `vat`"),
        (HEAD.replace("ours", " "), "name: it is empty"),
        (HEAD.replace("2026-11-01", "November"), "valid_from: \"November\" is not a day"),
        (HEAD.replace("EUR", "euro"), "currency: \"euro\" is not a currency"),
        (with("route = \"pigeon\""), "line 6: unknown variant `pigeon`"),
        (with("route = \"regions\"\nsource = \"aws/a\""), "rule \"out\": target is missing"),
        (
            with("route = \"regions\"\nsource = \"aws\"\ntarget = \"aws/a\""),
            "rule \"out\": source: \"aws\" is not a region",
        ),
        (with("route = \"areas\"\ncloud = \"aws\"\nsource = \"eu\""), "target is missing"),
        (with("route = \"same-region\""), "rule \"out\": cloud is missing"),
        (with("route = \"same-region\"\ncloud = \"aws\"\nsource = \"eu\""), "source: this route"),
        (
            with("route = \"area-to-cloud\"\ncloud = \"aws\"\nsource = \"eu\""),
            "rule \"out\" is for area \"eu\" of \"aws\", which has no prefix",
        ),
        (tiers(""), "rule \"out\" has no tiers"),
        (tiers("{ per_gb = \"-1\" }"), "rule \"out\": per_gb: \"-1\" is not an amount"),
        (tiers("{ per_gb = \"0.0000001\" }"), "six decimals at most"),
        (tiers("{ per_gb = 0.09 }"), "line 8"),
        (tiers("{ up_to = \"10TB\", per_gb = \"1\" }"), "up_to: \"10TB\" is not a size"),
        (tiers("{ up_to = \"10 TB\", per_gb = \"1\" }"), "the last tier is not open"),
        (
            format!(
                "{HEAD}[[requests]]\ncloud = \"aws\"\nread_per_1000 = \"x\"\nwrite_per_1000 = \"0\""
            ),
            "requests of \"aws\": read_per_1000: \"x\" is not an amount",
        ),
    ];
    for (text, part) in cases {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(part), "{text}\n{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_is_looked_for_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deepclone.toml");
    std::fs::write(&path, "[prices]\nfile = \"ours.toml\"").unwrap();
    let prices = crate::config::Config::load(Some(&path)).unwrap().prices;
    let failure = prices.table().unwrap_err();
    assert!(failure.message.starts_with("prices.file "), "{failure}");
    assert!(failure.message.contains("ours.toml: cannot read it"), "{failure}");
    std::fs::write(folder.path().join("ours.toml"), WHOLE).unwrap();
    assert_eq!(prices.table().unwrap().name, "contract of 2026");
    std::fs::write(folder.path().join("ours.toml"), HEAD.replace("EUR", "?")).unwrap();
    assert!(prices.table().unwrap_err().message.contains("ours.toml: currency: "));
    assert_eq!(PriceSettings::default().table(), Ok(list_prices()));
}
