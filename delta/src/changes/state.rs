//! Domains and transactions: what of them changes.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;

use super::equality::canonical;
use crate::actions::{DomainMetadata, Txn};
use crate::replica::is_ours;
use crate::row_ids::{ROW_TRACKING_DOMAIN, row_id_mark};

/// Domains to set and to remove, so that the replica has the source's: only called when the
/// replica lists `domainMetadata`.
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
    // A row id that was handed out stays so: that domain is never removed.
    let gone = replica
        .values()
        .filter(|domain| !source.contains_key(&domain.domain))
        .filter(|domain| domain.domain != ROW_TRACKING_DOMAIN);
    changes.extend(gone.map(|domain| DomainMetadata { removed: true, ..domain.clone() }));
    Ok(changes)
}

/// The source's transactions that the replica does not have; a sync's markers stay at home.
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
