//! Which tables may go where: folders of sources have classifications, connections have labels, and
//! rules say which labels the target of a classified table must have.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::Deserialize;

use super::error::ConnectionError;
use super::location::Location;

/// The folder that stands for the root of a connection.
const ROOT: &str = ".";

/// A rule `[[rules]]` of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRule {
    /// The rule's name, for the message of a refusal.
    pub name: String,
    /// Which tables it is for.
    pub classification: String,
    /// Labels that the connection of their target must have, with these values.
    pub targets: BTreeMap<String, String>,
}

/// Checks rules by themselves: a rule that can never apply is a mistake in a word.
///
/// # Errors
/// The rule at fault.
pub(super) fn check<'a>(
    rules: &[FlowRule],
    classifications: impl Iterator<Item = &'a String>,
) -> Result<(), ConnectionError> {
    let known: BTreeSet<&String> = classifications.collect();
    let mut names = BTreeSet::new();
    for rule in rules {
        let refused =
            |why: &str| ConnectionError::BadRule { name: rule.name.clone(), why: why.to_owned() };
        if rule.name.is_empty() || !names.insert(&rule.name) {
            return Err(refused("each rule has a name of its own"));
        }
        if rule.targets.is_empty() {
            return Err(refused("targets names no label"));
        }
        if !known.contains(&rule.classification) {
            return Err(refused("no connection classifies anything so"));
        }
    }
    Ok(())
}

/// Returns what a table is classified as, by all connections that it lies below, each with its root
/// and its folders: a second way to a table is no way around.
pub(super) fn classifications<'a>(
    table: &Location,
    connections: impl Iterator<Item = (&'a Location, &'a BTreeMap<String, String>)>,
) -> BTreeSet<&'a str> {
    let of = |(root, classified): (&'a Location, &'a BTreeMap<String, String>)| {
        let path = root.path_below(table)?;
        let is_above = |folder: &str| {
            let rest = path.strip_prefix(folder);
            folder == ROOT || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let length = |folder: &str| if folder == ROOT { 0 } else { folder.len() };
        let above = classified.iter().filter(|(folder, _)| is_above(folder));
        above.max_by_key(|(folder, _)| length(folder)).map(|(_, said)| said.as_str())
    };
    connections.filter_map(of).collect()
}

/// Refuses what a rule forbids.
///
/// # Errors
/// `ACCESS_DENIED` with the rule, the table, its classification and the label that is missing.
pub(super) fn refuse(
    rules: &[FlowRule],
    (source, classified): (&str, &BTreeSet<&str>),
    (target, labels): (&str, &BTreeMap<String, String>),
) -> Result<(), Failure> {
    for rule in rules.iter().filter(|rule| classified.contains(rule.classification.as_str())) {
        for (label, wanted) in &rule.targets {
            let has = match labels.get(label) {
                Some(value) if value == wanted => continue,
                Some(value) => format!("has {label} = {value:?}"),
                None => format!("has no label {label}"),
            };
            let message = format!(
                "the rule {:?} forbids it: {source} is classified as {:?}, which asks for {label} \
                 = {wanted:?}, and the connection {target:?} {has}",
                rule.name, rule.classification
            );
            return Err(
                Failure::new(Reason::AccessDenied, message).with("rule", rule.name.as_str())
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use deepclone_core::spec::TableRef;

    use super::super::{Connections, Side};
    use super::*;
    use crate::config::Config;

    const FILE: &str = r#"
[connections.lake]
url = "s3://lake/tables"
roles = ["source"]
classified = { "." = "internal", hr = "personal", "hr/public" = "open" }

[connections.hr]
url = "s3://lake/tables/hr"
roles = ["source"]

[connections.eu]
url = "s3://eu"
roles = ["target"]
labels = { region = "eu", team = "dr" }

[connections.us]
url = "s3://us"
roles = ["target"]
labels = { region = "us" }

[connections.bare]
url = "file:///bare"
roles = ["target"]

[[rules]]
name = "personal data stays in the EU"
classification = "personal"
targets = { region = "eu" }

[[rules]]
name = "not beyond the house"
classification = "internal"
targets = { region = "eu", team = "dr" }
"#;

    fn connections(text: &str) -> Result<Connections, ConnectionError> {
        Connections::from_config(&Config::parse(text).unwrap())
    }

    #[test]
    fn a_classified_table_goes_where_its_rules_let_it() {
        let connections = connections(FILE).unwrap();
        let resolve = |uri: &str, connection: Option<&str>, side| {
            let connection = connection.map(ToOwned::to_owned);
            connections.resolve(&TableRef { uri: uri.to_owned(), connection }, side).unwrap()
        };
        for (source, by, target, refused) in [
            ("s3://lake/tables/hr/pay", "lake", "s3://eu/pay", None),
            ("s3://lake/tables/hr/pay", "lake", "s3://us/pay", Some("has region = \"us\"")),
            ("s3://lake/tables/hr/pay", "lake", "file:///bare/pay", Some("has no label region")),
            // The other way to the table is none around the rule.
            ("s3://lake/tables/hr/pay", "hr", "s3://us/pay", Some("personal data stays")),
            ("s3://lake/tables/hr", "lake", "s3://us/hr", Some("\"personal\"")),
            ("s3://lake/tables/hr/public/t", "lake", "s3://us/t", None),
            ("s3://lake/tables/hrx", "lake", "s3://us/hrx", Some("not beyond the house")),
            ("s3://lake/tables/hrx", "lake", "s3://eu/hrx", None),
        ] {
            let from = resolve(source, Some(by), Side::Source);
            let to = resolve(target, None, Side::Target);
            match (connections.refuse_pair(&from, &to), refused) {
                (Ok(()), None) => {}
                (Err(failure), Some(piece)) => {
                    assert_eq!(failure.reason, Reason::AccessDenied);
                    assert!(failure.message.contains(piece), "{source} {target}: {failure}");
                }
                (found, _) => panic!("{source} → {target}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_rule_that_cannot_apply_is_a_mistake() {
        for (from, to, why) in [
            ("\"personal\"\ntargets = { region", "\"personl\"\ntargets = { region", "so"),
            ("not beyond the house", "personal data stays in the EU", "a name of its own"),
            ("targets = { region = \"eu\" }", "targets = {}", "names no label"),
        ] {
            let text = FILE.replacen(from, to, 1);
            assert_ne!(text, FILE);
            let error = connections(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn rules_that_change_count_from_the_next_look_on() {
        let connections = connections(FILE).unwrap();
        let without = FILE.split("[[rules]]").next().unwrap();
        connections.replace(&Config::parse(without).unwrap()).unwrap();
        let table = |uri: &str, side| {
            let table = TableRef { uri: uri.to_owned(), connection: None };
            connections.resolve(&table, side).unwrap()
        };
        let from = table("s3://lake/tables/hr/pay", Side::Source);
        let to = table("s3://us/pay", Side::Target);
        assert!(connections.refuse_pair(&from, &to).is_ok());
        connections.replace(&Config::parse(FILE).unwrap()).unwrap();
        assert!(connections.refuse_pair(&from, &to).is_err());
    }
}
