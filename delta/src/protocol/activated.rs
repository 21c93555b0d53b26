//! What activates a feature: properties, the schema's types, and annotations of its fields.
//!
//! A property or an annotation has an effect only where the protocol supports its feature: other
//! writers leave them behind, and the protocol does not change for them. A type always needs its
//! feature: readers refuse its columns without.

use std::collections::BTreeSet;

use super::supported::supports_any;
use crate::actions::{Configuration, Protocol};
use crate::properties::{self, CheckpointPolicy};
use crate::schema::{self, SchemaName};

/// The names of one feature, the preferred one first.
pub(crate) type Family = &'static [&'static str];

/// A property with a value that activates a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Switch {
    pub(crate) property: String,
    pub(crate) family: Family,
}

/// Properties that activate their feature if they are true.
const SWITCHES: &[(&str, Family)] = &[
    ("delta.appendOnly", &["appendOnly"]),
    ("delta.enableChangeDataFeed", FEED_FAMILY),
    ("delta.enableDeletionVectors", &["deletionVectors"]),
    ("delta.enableIcebergCompatV1", &["icebergCompatV1"]),
    ("delta.enableIcebergCompatV2", &["icebergCompatV2"]),
    ("delta.enableIcebergCompatV3", &["icebergCompatV3"]),
    ("delta.enableIcebergWriterCompatV1", &["icebergWriterCompatV1"]),
    (IN_COMMIT, IN_COMMIT_FAMILY),
    ("delta.enableInCommitTimestamps-preview", IN_COMMIT_FAMILY),
    ("delta.enableMaterializePartitionColumnsFeature", &["materializePartitionColumns"]),
    (ROW_TRACKING, ROW_TRACKING_FAMILY),
    ("delta.enableTypeWidening", TYPE_WIDENING_FAMILY),
    ("delta.enableVariantShredding", &["variantShredding", "variantShredding-preview"]),
];

const FEED_FAMILY: Family = &["changeDataFeed"];
const IN_COMMIT: &str = "delta.enableInCommitTimestamps";
const IN_COMMIT_FAMILY: Family = &["inCommitTimestamp", "inCommitTimestamp-preview"];
const ROW_TRACKING: &str = "delta.enableRowTracking";
const ROW_TRACKING_FAMILY: Family = &["rowTracking"];
const TYPE_WIDENING_FAMILY: Family = &["typeWidening", "typeWidening-preview"];
const MAPPING_FAMILY: Family = &["columnMapping"];

/// Annotations of fields that need a feature for writers. Spark refuses a list of features without
/// them, but accepts defaults and type changes.
const ANNOTATIONS: &[(&str, Family)] = &[
    ("delta.generationExpression", &["generatedColumns"]),
    ("delta.identity.start", &["identityColumns"]),
    ("delta.invariants", &["invariants"]),
];

/// Lists the properties that activate a feature if the protocol supports it.
pub(crate) fn switched_on(configuration: &Configuration) -> Vec<Switch> {
    let switch = |(property, value): (&String, &String)| {
        let family = family(property, value)?;
        Some(Switch { property: property.clone(), family })
    };
    configuration.iter().filter_map(switch).collect()
}

fn family(property: &str, value: &str) -> Option<Family> {
    if property == properties::COLUMN_MAPPING_MODE {
        return properties::maps_columns(value).then_some(MAPPING_FAMILY);
    }
    if property == properties::CHECKPOINT_POLICY {
        let is_v2 = properties::checkpoint_policy(value) == Some(CheckpointPolicy::V2);
        return is_v2.then_some(&["v2Checkpoint"]);
    }
    if property.starts_with("delta.constraints.") {
        return Some(&["checkConstraints"]);
    }
    let (_, family) = SWITCHES.iter().find(|(name, _)| *name == property)?;
    (properties::boolean(value) == Some(true)).then_some(family)
}

/// Returns whether Spark refuses to read a table that has the property without its feature: it
/// applies some properties without checking a legacy protocol.
pub(crate) fn is_refused_alone(switch: &Switch, schema: &str) -> bool {
    match switch.family {
        IN_COMMIT_FAMILY | ROW_TRACKING_FAMILY | TYPE_WIDENING_FAMILY => true,
        MAPPING_FAMILY => !has_column_ids(schema),
        _ => false,
    }
}

fn has_column_ids(schema: &str) -> bool {
    let mut found = false;
    schema::walk(schema, |name| {
        found |= matches!(name, SchemaName::Annotation("delta.columnMapping.id"));
    });
    found
}

/// Returns whether commits carry in-commit timestamps.
pub(crate) fn has_in_commit_timestamps(protocol: &Protocol, configuration: &Configuration) -> bool {
    is_active(protocol, configuration, IN_COMMIT_FAMILY)
}

/// Returns whether every file has row ids.
pub(crate) fn has_row_tracking(protocol: &Protocol, configuration: &Configuration) -> bool {
    is_active(protocol, configuration, ROW_TRACKING_FAMILY)
}

/// Returns whether readers may ask for the change data feed.
pub(crate) fn has_change_data_feed(protocol: &Protocol, configuration: &Configuration) -> bool {
    is_active(protocol, configuration, FEED_FAMILY)
}

/// Returns whether readers know columns by their physical names.
pub(crate) fn has_column_mapping(protocol: &Protocol, configuration: &Configuration) -> bool {
    is_active(protocol, configuration, MAPPING_FAMILY)
}

fn is_active(protocol: &Protocol, configuration: &Configuration, family: Family) -> bool {
    let is_on = switched_on(configuration).iter().any(|switch| switch.family == family);
    is_on && supports_any(protocol, family)
}

/// Lists the features without which readers refuse the schema's types.
pub(crate) fn required_by_types(schema: &str) -> BTreeSet<Family> {
    families(schema, |found| match found {
        SchemaName::Type("timestamp_ntz") => Some(&["timestampNtz"]),
        SchemaName::Type("variant") => Some(&["variantType", "variantType-preview"]),
        _ => None,
    })
}

/// Lists the features for writers that the schema's annotations need.
pub(crate) fn annotated(schema: &str) -> BTreeSet<Family> {
    families(schema, |found| match found {
        SchemaName::Annotation(name) => {
            ANNOTATIONS.iter().find(|(key, _)| *key == name).map(|(_, family)| *family)
        }
        SchemaName::Type(_) => None,
    })
}

fn families(schema: &str, family: impl Fn(SchemaName<'_>) -> Option<Family>) -> BTreeSet<Family> {
    let mut families = BTreeSet::new();
    schema::walk(schema, |found| families.extend(family(found)));
    families
}
