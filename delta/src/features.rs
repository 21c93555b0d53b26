//! Table features: which tables can be carried, by name.
//!
//! A copier need not understand a constraint to carry it; it refuses what puts data or commits
//! elsewhere, and what it has never heard of (it may bring a new kind of file).
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features>

use std::collections::BTreeSet;

use crate::actions::{Metadata, Protocol};
use crate::error::DeltaError;
use crate::schema;

mod active;
mod support;

pub(crate) use active::{
    Family, annotated, has_change_data_feed, has_column_mapping, has_in_commit_timestamps,
    has_row_tracking, is_refused_alone, required_by_types, switched_on,
};
pub(crate) use support::{
    Features, READER_LISTS, WRITER_LISTS, legacy_version, listed, misplaced, supported,
    supports_any, without_stray_lists,
};

/// Features that need nothing but verbatim carrying, with or without `-preview`.
const CARRIED: &[&str] = &[
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "checkpointProtection",
    "clustering",
    "collations",
    "columnMapping",
    "columnMappingUsageTracking",
    "deletionVectors",
    "domainMetadata",
    "generatedColumns",
    "geospatial",
    "icebergCompatV1",
    "icebergCompatV2",
    "icebergCompatV3",
    "icebergWriterCompatV1",
    "identityColumns",
    "inCommitTimestamp",
    "invariants",
    // The first name of `clustering` on Databricks.
    "liquid",
    "materializePartitionColumns",
    "rowTracking",
    "timestampNtz",
    "typeWidening",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "variantShredding",
    "variantType",
];

/// Features that readers must know too: listed for readers and writers, or for neither.
const READER_WRITER: &[&str] = &[
    "columnMapping",
    "deletionVectors",
    "geospatial",
    "timestampNtz",
    "typeWidening",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "variantShredding",
    "variantType",
];

/// The newest commits, or the data, are not in the table's folder: never carried, never allowed.
const ELSEWHERE: &[&str] = &[
    "adaptiveMetadata",
    "catalogManaged",
    "catalogOwned",
    "coordinatedCommits",
    "managedCommit",
    "redirect",
];

/// Properties that show a table to be elsewhere even where the protocol is silent.
const ELSEWHERE_PROPERTIES: &[&str] = &[
    "delta.coordinatedCommits.",
    "delta.feature.adaptiveMetadata",
    "delta.feature.catalogManaged",
    "delta.feature.catalogOwned",
    "delta.feature.coordinatedCommits",
    "delta.feature.redirect",
    "delta.redirect",
];

/// Whether a table with this protocol and metadata can be carried.
///
/// # Errors
/// Names every feature that is unsupported, or unknown and not in `allowed`; or the protocol's
/// impossible shape.
pub fn check(
    protocol: &Protocol,
    metadata: &Metadata,
    allowed: &[String],
) -> Result<(), DeltaError> {
    let mut refused = BTreeSet::new();
    let mut unknown = false;
    for (side, version, newest) in
        [("reader", protocol.min_reader_version, 3), ("writer", protocol.min_writer_version, 7)]
    {
        if version > newest {
            refused.insert(format!("{side} version {version}"));
        }
    }
    let lists = [&protocol.reader_features, &protocol.writer_features];
    for name in lists.into_iter().flatten().flatten() {
        if is_elsewhere(name) {
            refused.insert(name.clone());
        } else if !is_carried(name) && !allowed.contains(name) {
            refused.insert(name.clone());
            unknown = true;
        }
    }
    for name in metadata.configuration.keys() {
        if is_elsewhere_property(name) {
            refused.insert(format!("the property {name}"));
        }
    }
    if !refused.is_empty() {
        let hint = match unknown {
            true => ": an unknown feature can be carried unseen with --allow-feature",
            false => "",
        };
        return Err(DeltaError::Unsupported { features: refused.into_iter().collect(), hint });
    }
    schema::check_depth(&metadata.schema_string)
        .map_err(|problem| DeltaError::damaged(schema::PLACE, problem))?;
    check_shape(protocol).map_err(|problem| DeltaError::damaged("protocol action", problem))
}

/// Whether `name` must be listed for readers as well as for writers.
#[must_use]
pub(crate) fn is_reader_writer(name: &str) -> bool {
    READER_WRITER.contains(&name.strip_suffix("-preview").unwrap_or(name))
}

fn is_carried(name: &str) -> bool {
    CARRIED.contains(&name.strip_suffix("-preview").unwrap_or(name))
}

fn is_elsewhere(name: &str) -> bool {
    ELSEWHERE.iter().any(|prefix| starts_with_ignoring_case(name, prefix))
}

fn is_elsewhere_property(name: &str) -> bool {
    ELSEWHERE_PROPERTIES.iter().any(|prefix| starts_with_ignoring_case(name, prefix))
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Versions that no reader takes. Lists that do not fit the versions or each other are mended
/// where the replica's protocol is made.
fn check_shape(protocol: &Protocol) -> Result<(), String> {
    let Protocol { min_reader_version: reader, min_writer_version: writer, .. } = protocol;
    if *reader == 0 || *writer == 0 {
        return Err(format!("versions ({reader},{writer}) do not exist"));
    }
    if *reader == READER_LISTS && *writer < WRITER_LISTS {
        return Err(format!("reader version 3 needs writer version 7, not {writer}"));
    }
    for (side, version, newest, list) in [
        ("reader", *reader, READER_LISTS, &protocol.reader_features),
        ("writer", *writer, WRITER_LISTS, &protocol.writer_features),
    ] {
        if version == newest && list.is_none() {
            return Err(format!("{side} version {version} without {side}Features"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
