//! Which objects of a replica are not what they should be: for what mends them.

use std::collections::BTreeMap;

use deepclone_common::store::table::TableStore;

use super::report::DifferenceKind;
use super::{compare, deep};
use crate::error::DeltaError;
use crate::snapshot::Snapshot;

/// An object of a replica's live files that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Its key at the target.
    pub(crate) key: String,
    pub(crate) kind: DamageKind,
}

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DamageKind {
    Missing,
    /// Its length or its bytes; the text says which.
    Wrong(String),
    /// Nothing tells what its bytes should be.
    Unproven(String),
}

/// Finds the damaged objects of `replica` by a listing of the target, and with `reads_bytes` by the
/// digests of all bytes of the objects that `wanted` has, too.
///
/// # Errors
/// A store does not answer; a ledger cannot be read.
pub(crate) async fn damage(
    (source, target, sources): (&TableStore, &TableStore, &BTreeMap<String, String>),
    wanted: &Snapshot,
    replica: &Snapshot,
    reads_bytes: bool,
) -> Result<Vec<Damage>, DeltaError> {
    let mut found = Vec::new();
    compare::objects(target, replica, &mut found).await?;
    if reads_bytes {
        let sides = deep::Sides::new(source, target, sources);
        sides.compare_all(wanted, replica, &mut found).await?;
    }
    let mut damaged = BTreeMap::new();
    for difference in found {
        let kind = match difference.kind {
            DifferenceKind::ObjectMissing => DamageKind::Missing,
            DifferenceKind::ObjectSize | DifferenceKind::ObjectBytes => {
                DamageKind::Wrong(difference.detail)
            }
            DifferenceKind::ObjectUnproven => DamageKind::Unproven(difference.detail),
            _ => continue,
        };
        // The listing was first: it tells the length, which is the plainer reason.
        damaged.entry(difference.subject).or_insert(kind);
    }
    Ok(damaged.into_iter().map(|(key, kind)| Damage { key, kind }).collect())
}
