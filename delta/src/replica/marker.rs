//! Markers: two `txn` actions in each CLONE commit. `deepclone:<lineage>:<scope>` holds the
//! source's version, `deepclone.at:<lineage>:<scope>` the replica's version. They survive
//! checkpoints and foreign commits. A version of −1 reads as no marker.

use std::collections::BTreeMap;

use crate::actions::{Txn, Unknown};

/// A marker in the replica's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) lineage: String,
    pub(crate) scope: String,
    /// The source's version that was synced.
    pub(crate) source_version: u64,
    /// The replica's version of that sync.
    pub(crate) at: u64,
}

const SOURCE_PREFIX: &str = "deepclone:";
const AT_PREFIX: &str = "deepclone.at:";

/// A time so far in the future that no retention rule drops the marker: Spark drops markers without
/// a time, delta-rs and the kernel drop old ones.
const LAST_UPDATED_MS: i64 = 253_402_300_799_000;

/// Returns true for markers of ours, whatever their lineage. They are never carried from a source.
pub(crate) fn is_ours(app_id: &str) -> bool {
    app_id.starts_with(SOURCE_PREFIX) || app_id.starts_with(AT_PREFIX)
}

/// Returns the live marker of the newest sync; `None` when there is none or it is incomplete.
pub(crate) fn live_marker(txns: &BTreeMap<String, Txn>) -> Option<Marker> {
    let markers = txns.values().filter_map(|txn| {
        let name = txn.app_id.strip_prefix(SOURCE_PREFIX)?;
        let (lineage, scope) = name.rsplit_once(':')?;
        let at = txns.get(&format!("{AT_PREFIX}{name}"))?;
        Some(Marker {
            lineage: lineage.to_owned(),
            scope: scope.to_owned(),
            source_version: u64::try_from(txn.version).ok()?,
            at: u64::try_from(at.version).ok()?,
        })
    });
    markers.max_by_key(|marker| marker.at)
}

/// Builds the markers of a commit: the sync's own, and every other live one set to −1.
pub(crate) fn marker_txns(marker: &Marker, replica: &BTreeMap<String, Txn>) -> Vec<Txn> {
    let name = format!("{}:{}", marker.lineage, marker.scope);
    let ours = [
        (format!("{SOURCE_PREFIX}{name}"), marker.source_version),
        (format!("{AT_PREFIX}{name}"), marker.at),
    ];
    let retired = replica
        .values()
        .filter(|txn| is_ours(&txn.app_id) && txn.version >= 0)
        .filter(|txn| ours.iter().all(|(app_id, _)| *app_id != txn.app_id))
        .map(|txn| (txn.app_id.clone(), -1));
    let live = ours
        .iter()
        .map(|(app_id, version)| (app_id.clone(), i64::try_from(*version).unwrap_or(i64::MAX)));
    live.chain(retired)
        .map(|(app_id, version)| Txn {
            app_id,
            version,
            last_updated: Some(LAST_UPDATED_MS),
            unknown: Unknown::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_needs_both_halves_and_minus_one_is_none() {
        let txn = |app_id: &str, version: i64| {
            let last_updated = Some(LAST_UPDATED_MS);
            let txn =
                Txn { app_id: app_id.to_owned(), version, last_updated, unknown: Unknown::new() };
            (app_id.to_owned(), txn)
        };
        let whole = BTreeMap::from([txn("deepclone:l:s", 7), txn("deepclone.at:l:s", 3)]);
        let marker = live_marker(&whole).unwrap();
        assert_eq!((marker.source_version, marker.at), (7, 3));
        let retired = BTreeMap::from([txn("deepclone:l:s", -1), txn("deepclone.at:l:s", -1)]);
        assert_eq!(live_marker(&retired), None);
        assert_eq!(live_marker(&BTreeMap::from([txn("deepclone:l:s", 7)])), None);
        let next = Marker { scope: "t".into(), at: 4, ..marker };
        let versions: Vec<(String, i64)> =
            marker_txns(&next, &whole).into_iter().map(|t| (t.app_id, t.version)).collect();
        assert_eq!(
            versions,
            [
                ("deepclone:l:t".to_owned(), 7),
                ("deepclone.at:l:t".to_owned(), 4),
                ("deepclone.at:l:s".to_owned(), -1),
                ("deepclone:l:s".to_owned(), -1),
            ]
        );
    }
}
