//! The one table of features: who must know each, which legacy version brings it, and which are
//! never carried.
//!
//! A copier need not understand a constraint to carry it; it refuses what puts data or commits
//! elsewhere, and what it has never heard of (it may bring a new kind of file).
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features>

/// The one feature that a reader version below 3 can bring: version 2.
pub(super) const COLUMN_MAPPING: &str = "columnMapping";

/// Never carried: it protects checkpoints below a version of the source's log.
pub(super) const DROPPED: &str = "checkpointProtection";

/// A feature that is carried by copying everything verbatim, with or without `-preview`.
struct Feature {
    name: &'static str,
    /// True when it must be listed for readers as well as for writers.
    for_readers: bool,
    /// The writer version below 7 that implies it.
    since: Option<u32>,
}

const CARRIED: &[Feature] = &[
    writers("allowColumnDefaults"),
    legacy("appendOnly", 2),
    legacy("changeDataFeed", 4),
    legacy("checkConstraints", 3),
    writers(DROPPED),
    writers("clustering"),
    writers("collations"),
    Feature { name: COLUMN_MAPPING, for_readers: true, since: Some(5) },
    writers("columnMappingUsageTracking"),
    readers("deletionVectors"),
    writers("domainMetadata"),
    legacy("generatedColumns", 4),
    readers("geospatial"),
    writers("icebergCompatV1"),
    writers("icebergCompatV2"),
    writers("icebergCompatV3"),
    writers("icebergWriterCompatV1"),
    legacy("identityColumns", 6),
    writers("inCommitTimestamp"),
    legacy("invariants", 2),
    // The first name of `clustering` on Databricks.
    writers("liquid"),
    writers("materializePartitionColumns"),
    writers("rowTracking"),
    readers("timestampNtz"),
    readers("typeWidening"),
    readers("v2Checkpoint"),
    readers("vacuumProtocolCheck"),
    readers("variantShredding"),
    readers("variantType"),
];

/// Features that keep the newest commits, or data, outside the table's folder: always refused.
const ELSEWHERE: &[&str] = &[
    "adaptiveMetadata",
    "catalogManaged",
    "catalogOwned",
    "coordinatedCommits",
    "managedCommit",
    "redirect",
];

/// Properties of such tables, which are refused even if the protocol lists no feature.
const ELSEWHERE_PROPERTIES: &[&str] = &[
    "delta.coordinatedCommits.",
    "delta.feature.adaptiveMetadata",
    "delta.feature.catalogManaged",
    "delta.feature.catalogOwned",
    "delta.feature.coordinatedCommits",
    "delta.feature.redirect",
    "delta.redirect",
];

const fn writers(name: &'static str) -> Feature {
    Feature { name, for_readers: false, since: None }
}

const fn readers(name: &'static str) -> Feature {
    Feature { name, for_readers: true, since: None }
}

const fn legacy(name: &'static str, since: u32) -> Feature {
    Feature { name, for_readers: false, since: Some(since) }
}

/// Returns whether a table with the feature can be carried.
pub(super) fn is_carried(name: &str) -> bool {
    carried(name).is_some()
}

/// Returns whether the feature must be listed for readers as well as for writers.
pub(super) fn is_reader_writer(name: &str) -> bool {
    carried(name).is_some_and(|feature| feature.for_readers)
}

/// Returns whether the replica goes without the feature, whatever the source says.
pub(crate) fn is_dropped(name: &str) -> bool {
    name == DROPPED
}

/// Returns the writer version below 7 that implies the feature.
pub(super) fn legacy_version(name: &str) -> Option<u32> {
    CARRIED.iter().find(|feature| feature.name == name)?.since
}

/// Lists the features that the legacy writer version `version` implies.
pub(super) fn implied_by(version: u32) -> impl Iterator<Item = &'static str> {
    let is_implied = move |feature: &&Feature| feature.since.is_some_and(|since| since <= version);
    CARRIED.iter().filter(is_implied).map(|feature| feature.name)
}

/// Returns whether the feature keeps commits or data outside the table's folder.
pub(super) fn is_elsewhere(name: &str) -> bool {
    starts_with_any(name, ELSEWHERE)
}

/// Returns whether the property is set only on tables with commits or data outside their folder.
pub(super) fn is_elsewhere_property(name: &str) -> bool {
    starts_with_any(name, ELSEWHERE_PROPERTIES)
}

fn carried(name: &str) -> Option<&'static Feature> {
    let name = name.strip_suffix("-preview").unwrap_or(name);
    CARRIED.iter().find(|feature| feature.name == name)
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| {
        text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Returns the names in back-ticks that follow these words on the page on compatibility.
    fn on_the_page(words: &str) -> BTreeSet<&'static str> {
        let (_, list) = include_str!("../../../docs/compatibility.md").split_once(words).unwrap();
        let lines = list.lines().take_while(|line| !line.is_empty() && !line.starts_with('*'));
        lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }

    #[test]
    fn the_page_on_compatibility_lists_every_feature() {
        let named = |for_readers: bool| -> BTreeSet<&str> {
            let shown = CARRIED.iter().filter(|feature| !is_dropped(feature.name));
            shown.filter(|f| f.for_readers == for_readers).map(|feature| feature.name).collect()
        };
        assert_eq!(named(true), on_the_page("* for readers and writers:"));
        assert_eq!(named(false), on_the_page("* for writers alone:"));
        let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().copied().collect();
        assert_eq!(elsewhere, on_the_page("Refused, whatever is allowed,"));
    }

    #[test]
    fn the_preview_of_a_feature_is_the_feature_but_no_legacy_version_brings_it() {
        assert!(is_carried("typeWidening-preview") && is_reader_writer("typeWidening-preview"));
        assert!(!is_carried("typeWidening-other") && !is_carried("zork"));
        assert_eq!(legacy_version("columnMapping"), Some(5));
        assert_eq!(legacy_version("columnMapping-preview"), None);
    }
}
