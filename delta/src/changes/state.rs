//! Changes of domains and transactions.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;

use super::equality::canonical;
use crate::actions::{DomainMetadata, Txn};
use crate::replica::is_ours;
use crate::row_ids::{ROW_TRACKING_DOMAIN, row_id_mark};

/// Lists the domains to set and to remove, so that the replica has the source's. Only for a replica
/// that lists `domainMetadata`.
pub(super) fn domains(
    source: &BTreeMap<String, DomainMetadata>,
    replica: &BTreeMap<String, DomainMetadata>,
) -> Result<Vec<DomainMetadata>, Failure> {
    let mut changes = Vec::new();
    for (name, domain) in source {
        let known = replica.get(name);
        let wanted = match known {
            Some(known) if name == ROW_TRACKING_DOMAIN => higher_mark(domain, known)?,
            _ => domain.clone(),
        };
        if known.is_none_or(|known| !same_domain(known, &wanted)) {
            changes.push(wanted);
        }
    }
    // Row ids that were assigned stay reserved, so that domain is never removed.
    let gone = replica
        .values()
        .filter(|domain| !source.contains_key(&domain.domain))
        .filter(|domain| domain.domain != ROW_TRACKING_DOMAIN);
    changes.extend(gone.map(|domain| DomainMetadata { removed: true, ..domain.clone() }));
    Ok(changes)
}

/// Lists the source's transactions that the replica lacks, except the markers of a sync into the
/// source.
pub(super) fn transactions(
    source: &BTreeMap<String, Txn>,
    replica: &BTreeMap<String, Txn>,
) -> Vec<Txn> {
    source
        .values()
        .filter(|txn| !is_ours(&txn.app_id))
        .filter(|txn| {
            replica.get(&txn.app_id).is_none_or(|known| {
                known.version != txn.version || known.last_updated != txn.last_updated
            })
        })
        .cloned()
        .collect()
}

fn higher_mark(
    source: &DomainMetadata,
    replica: &DomainMetadata,
) -> Result<DomainMetadata, Failure> {
    let higher = row_id_mark(source)? >= row_id_mark(replica)?;
    Ok(if higher { source.clone() } else { replica.clone() })
}

fn same_domain(left: &DomainMetadata, right: &DomainMetadata) -> bool {
    left.configuration == right.configuration
        || canonical(&left.configuration)
            .is_some_and(|c| Some(c) == canonical(&right.configuration))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::LogAction;

    fn named(all: &[(&str, &str)]) -> BTreeMap<String, DomainMetadata> {
        let domain = |(name, configuration): &(&str, &str)| {
            let domain = DomainMetadata {
                domain: (*name).to_owned(),
                configuration: (*configuration).to_owned(),
                removed: false,
                unknown: Default::default(),
            };
            ((*name).to_owned(), domain)
        };
        all.iter().map(domain).collect()
    }

    #[test]
    fn domains_follow_the_source_and_the_mark_of_row_ids_never_falls() {
        let marks = |mark: u32| format!("{{\"rowIdHighWaterMark\":{mark}}}");
        let (low, high) = (marks(5), marks(9));
        let (low, high) =
            ((ROW_TRACKING_DOMAIN, low.as_str()), (ROW_TRACKING_DOMAIN, high.as_str()));
        let spaced = (ROW_TRACKING_DOMAIN, r#"{ "rowIdHighWaterMark": 9 }"#);
        for (source, replica, changes) in [
            (vec![], vec![], vec![]),
            (vec![("d", "x")], vec![], vec!["d=x"]),
            (vec![("d", "x")], vec![("d", "x")], vec![]),
            (vec![("d", "x")], vec![("d", "y")], vec!["d=x"]),
            (vec![("d", "{\"a\":1}")], vec![("d", "{ \"a\": 1.0 }")], vec![]),
            (vec![], vec![("d", "x")], vec!["-d=x"]),
            (vec![high], vec![low], vec!["delta.rowTracking={\"rowIdHighWaterMark\":9}"]),
            (vec![low], vec![high], vec![]),
            (vec![high], vec![spaced], vec![]),
            (vec![], vec![high], vec![]),
        ] {
            let found = domains(&named(&source), &named(&replica)).unwrap();
            let shown = |domain: &DomainMetadata| {
                let sign = if domain.removed { "-" } else { "" };
                format!("{sign}{}={}", domain.domain, domain.configuration)
            };
            let found: Vec<String> = found.iter().map(shown).collect();
            assert_eq!(found, changes, "{source:?} {replica:?}");
        }
    }

    #[test]
    fn transactions_that_differ_are_carried() {
        let txn = |app: &str, version: i64, updated: Option<i64>| {
            let text = json!({"txn": {"appId": app, "version": version, "lastUpdated": updated}});
            let LogAction::Txn(txn) = LogAction::from_json(&text.to_string()).unwrap() else {
                unreachable!()
            };
            BTreeMap::from([(app.to_owned(), txn)])
        };
        for (source, replica, is_carried) in [
            (txn("a", 1, None), BTreeMap::new(), true),
            (txn("a", 1, None), txn("b", 1, None), true),
            (txn("a", 1, Some(2)), txn("a", 1, Some(2)), false),
            (txn("a", 2, Some(2)), txn("a", 1, Some(2)), true),
            (txn("a", 1, Some(3)), txn("a", 1, Some(2)), true),
            (txn("deepclone:x:y", 1, None), BTreeMap::new(), false),
        ] {
            let found = transactions(&source, &replica);
            assert_eq!(found.len(), usize::from(is_carried), "{source:?} {replica:?}");
        }
    }
}
