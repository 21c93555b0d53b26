//! Budgets of several replications.

use deepclone_core::replication::{BudgetScope, SharedBudgetSpec};

use super::*;

const GOOD: &str = r#"version = 1
[defaults]
time_zone = "Europe/Berlin"
[[replication]]
name = "a"
owner = "finance"
source = "prod"
target = "dr"
include = ["sales/**"]
schedule = { every = "15m" }
"#;

#[test]
fn budgets_stand_beside_the_replications_in_both_forms() {
    let toml = format!(
        "{GOOD}[[budget]]\nowner = \"finance\"\nmoney = \"300 EUR\"\n[[budget]]\n\
         source = \"prod\"\ntarget = \"dr\"\nbytes = \"5 GB\"\nat_limit = \"alert_only\"\n\
         time_zone = \"UTC\"\n"
    );
    let budget = |bytes, money, at_limit| BudgetSpec { bytes, money, at_limit };
    let expected = [
        SharedBudgetSpec {
            scope: BudgetScope::Owner("finance".to_owned()),
            budget: budget(None, Some("300 EUR".parse().unwrap()), AtLimit::Hold),
            time_zone: "Europe/Berlin".to_owned(),
        },
        SharedBudgetSpec {
            scope: BudgetScope::Pair { source: "prod".to_owned(), target: "dr".to_owned() },
            budget: budget(Some(5_000_000_000), None, AtLimit::AlertOnly),
            time_zone: "UTC".to_owned(),
        },
    ];
    assert_eq!(read(&toml).budgets, expected);
    let yaml = "version: 1\n\
                replication:\n  - {name: a, source: prod, target: dr, include: [s], \
                schedule: {every: 1h}}\n\
                budget:\n  - {owner: finance, bytes: 5 GB}\n";
    let yaml = ReplicationFile::read("r.yaml", yaml, FileForm::Yaml, NOW).unwrap();
    assert_eq!(yaml.budgets[0].scope, expected[0].scope);
    assert_eq!(yaml.budgets[0].time_zone, "UTC");
}

#[test]
fn a_wrong_budget_has_its_line() {
    for (text, expected) in [
        ("bytes = \"1 GB\"", "r.toml:11: budget[0].source: it is missing"),
        ("owner = \"a\"\ntarget = \"b\"\nbytes = \"1 GB\"", "write owner, or source and target"),
        ("owner = \"a\"", "r.toml:11: budget[0]: it has no limit: write bytes or money"),
        ("owner = \"a\"\nmoney = \"3\"", "r.toml:13: budget[0].money: \"3\" is not an amount"),
        ("owner = \"a\"\nbytes = \"1 GB\"\nper = 1", "r.toml:14: budget[0].per: there is no such"),
        ("owner = \"\"\nbytes = \"1 GB\"", "r.toml:12: budget[0].owner: it is empty"),
        (
            "owner = \"a\"\nbytes = \"1 GB\"\n[[budget]]\nowner = \"a\"\nbytes = \"2 GB\"",
            "r.toml:15: budget[1].owner: there is another one",
        ),
    ] {
        let text = format!("{GOOD}[[budget]]\n{text}\n");
        let errors = ReplicationFile::read("r.toml", &text, FileForm::Toml, NOW).unwrap_err();
        assert!(errors.to_string().contains(expected), "{text}\n{errors}");
    }
}

#[test]
fn what_a_coordinator_finds_in_a_budget_has_its_line() {
    let text = format!("{GOOD}[[budget]]\nowner = \"finance\"\nmoney = \"300 EUR\"\n");
    let error = SpecError::new("budget[0].money", "the prices are in USD");
    let located = read(&text).located(&SetError { index: None, error }).to_string();
    assert_eq!(located, "r.toml:13: budget[0].money: the prices are in USD");
}
