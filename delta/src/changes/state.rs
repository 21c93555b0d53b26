//! Domains and transactions: what of them changes.

use std::collections::BTreeMap;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use serde::{Deserialize, Serialize};

use super::equality::canonical;
use super::identity::is_ours;
use crate::actions::{DomainMetadata, Txn};

/// The domain that holds the highest row id handed out.
pub(crate) const ROW_TRACKING_DOMAIN: &str = "delta.rowTracking";

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

/// The highest row id that the domain's configuration tells.
pub(crate) fn row_id_mark(domain: &DomainMetadata) -> Result<i64, Failure> {
    let mark: RowIdMark = serde_json::from_str(&domain.configuration).map_err(|error| {
        Failure::new(
            Reason::DamagedLog,
            format!("the configuration of the domain {ROW_TRACKING_DOMAIN} is damaged: {error}"),
        )
    })?;
    Ok(mark.row_id_high_water_mark)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowIdMark {
    row_id_high_water_mark: i64,
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
