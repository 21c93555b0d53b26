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
