//! The replica's protocol: the source's verbatim when the replica needs nothing more, else a
//! union that never goes below what the replica has.
//!
//! Rules: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features>. A feature
//! that is lost, or listed on one side only, makes readers return nulls or refuse; a property
//! that activates a feature which is not listed makes Spark refuse to read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Configuration;
use crate::actions::Protocol;

/// Features that the writer versions 2 to 6 imply, with the version that brings each.
const LEGACY: &[(&str, u32)] = &[
    ("appendOnly", 2),
    ("invariants", 2),
    ("checkConstraints", 3),
    ("changeDataFeed", 4),
    ("generatedColumns", 4),
    ("columnMapping", 5),
    ("identityColumns", 6),
];

/// Features that both readers and writers must know.
const READER_WRITER: &[&str] = &[
    "adaptiveMetadata",
    "catalogManaged",
    "catalogOwned-preview",
    "columnMapping",
    "deletionVectors",
    "geospatial",
    "timestampNtz",
    "typeWidening",
    "typeWidening-preview",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "variantShredding",
    "variantShredding-preview",
    "variantType",
    "variantType-preview",
];

/// Never carried: the barrier that it guards is a version of the source's log.
const DROPPED: &str = "checkpointProtection";

/// The features that a protocol supports, and those of them that readers must know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    pub(crate) writer: BTreeSet<String>,
    pub(crate) reader: BTreeSet<String>,
}

/// The protocol that the replica shall have with this configuration and schema.
pub(super) fn merge(
    source: &Protocol,
    replica: Option<&Protocol>,
    configuration: &Configuration,
    schema: &str,
) -> Protocol {
    let source_has = supported(source);
    let replica_has = replica.map(supported).unwrap_or_default();
    let mut wanted = source_has.clone();
    wanted.writer.remove(DROPPED);
    wanted.reader.remove(DROPPED);
    let dropped = wanted != source_has;
    wanted.writer.extend(replica_has.writer.iter().cloned());
    wanted.reader.extend(replica_has.reader.iter().cloned());
    for family in activated(configuration, schema) {
        if !family.iter().any(|name| wanted.writer.contains(*name)) {
            wanted.writer.extend(family.first().map(|name| (*name).to_owned()));
        }
    }
    if wanted.writer.contains("rowTracking") || wanted.writer.contains("clustering") {
        wanted.writer.insert("domainMetadata".to_owned());
    }
    let both: Vec<String> = wanted.writer.union(&wanted.reader).cloned().collect();
    for name in both {
        if READER_WRITER.contains(&name.as_str()) || wanted.reader.contains(&name) {
            wanted.reader.insert(name.clone());
            wanted.writer.insert(name);
        }
    }
    if !dropped && wanted == source_has && !below(source, replica) {
        return source.clone();
    }
    match replica {
        Some(replica) if wanted == replica_has => replica.clone(),
        _ => build(wanted, source),
    }
}

/// True when the two say the same, whatever the order of their lists.
pub(super) fn same(left: &Protocol, right: &Protocol) -> bool {
    left.min_reader_version == right.min_reader_version
        && left.min_writer_version == right.min_writer_version
        && supported(left) == supported(right)
}

/// True for features of the source that no replica has.
pub(crate) fn is_dropped(name: &str) -> bool {
    name == DROPPED
}

/// True for features that readers and writers must both list.
pub(crate) fn is_reader_writer(name: &str) -> bool {
    READER_WRITER.contains(&name)
}

/// Every feature that a protocol supports: legacy versions expanded.
pub(crate) fn supported(protocol: &Protocol) -> Features {
    let mut features = Features::default();
    let maps = protocol.min_reader_version == 2;
    if protocol.min_writer_version >= 7 {
        features.writer.extend(protocol.writer_features.iter().flatten().cloned());
    } else {
        let implied = LEGACY.iter().filter(|(name, version)| {
            *version <= protocol.min_writer_version
                && (*name != "columnMapping" || protocol.min_reader_version >= 2)
        });
        features.writer.extend(implied.map(|(name, _)| (*name).to_owned()));
    }
    if protocol.min_reader_version >= 3 {
        features.reader.extend(protocol.reader_features.iter().flatten().cloned());
    } else if maps && features.writer.contains("columnMapping") {
        features.reader.insert("columnMapping".to_owned());
    }
    features
}

/// The features that configuration and schema activate: for each the names that satisfy it, the
/// one to add first.
pub(crate) fn activated(
    configuration: &Configuration,
    schema: &str,
) -> BTreeSet<&'static [&'static str]> {
    let on = |key: &str| {
        configuration.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    };
    let mut active: BTreeSet<&'static [&'static str]> =
        SWITCHES.iter().filter(|(property, _)| on(property)).map(|(_, family)| *family).collect();
    if let Some(mode) = configuration.get("delta.columnMapping.mode")
        && !mode.eq_ignore_ascii_case("none")
    {
        active.insert(&["columnMapping"]);
    }
    if configuration.get("delta.checkpointPolicy").is_some_and(|p| p.eq_ignore_ascii_case("v2")) {
        active.insert(&["v2Checkpoint"]);
    }
    if configuration.keys().any(|key| key.starts_with("delta.constraints.")) {
        active.insert(&["checkConstraints"]);
    }
    if let Ok(schema) = serde_json::from_str::<Value>(schema) {
        in_schema(&schema, &mut active);
    }
    active
}

const SWITCHES: &[(&str, &[&str])] = &[
    ("delta.appendOnly", &["appendOnly"]),
    ("delta.enableChangeDataFeed", &["changeDataFeed"]),
    ("delta.enableDeletionVectors", &["deletionVectors"]),
    ("delta.enableIcebergCompatV1", &["icebergCompatV1"]),
    ("delta.enableIcebergCompatV2", &["icebergCompatV2"]),
    ("delta.enableIcebergCompatV3", &["icebergCompatV3"]),
    ("delta.enableIcebergWriterCompatV1", &["icebergWriterCompatV1"]),
    ("delta.enableInCommitTimestamps", &["inCommitTimestamp"]),
    ("delta.enableRowTracking", &["rowTracking"]),
    ("delta.enableTypeWidening", &["typeWidening", "typeWidening-preview"]),
    ("delta.enableVariantShredding", &["variantShredding", "variantShredding-preview"]),
];

/// Types and field metadata that activate a feature, wherever they stand in the schema.
fn in_schema(node: &Value, active: &mut BTreeSet<&'static [&'static str]>) {
    match node {
        Value::String(name) => {
            if name == "timestamp_ntz" {
                active.insert(&["timestampNtz"]);
            } else if name == "variant" {
                active.insert(&["variantType", "variantType-preview"]);
            }
        }
        Value::Array(fields) => fields.iter().for_each(|field| in_schema(field, active)),
        Value::Object(object) => {
            for part in ["type", "fields", "elementType", "keyType", "valueType"] {
                if let Some(part) = object.get(part) {
                    in_schema(part, active);
                }
            }
            let Some(Value::Object(metadata)) = object.get("metadata") else { return };
            for name in metadata.keys() {
                if let Some((_, family)) = IN_FIELDS.iter().find(|(key, _)| key == name) {
                    active.insert(family);
                }
            }
        }
        _ => {}
    }
}

const IN_FIELDS: &[(&str, &[&str])] = &[
    ("CURRENT_DEFAULT", &["allowColumnDefaults"]),
    ("delta.generationExpression", &["generatedColumns"]),
    ("delta.identity.start", &["identityColumns"]),
    ("delta.invariants", &["invariants"]),
    ("delta.typeChanges", &["typeWidening", "typeWidening-preview"]),
];

fn below(source: &Protocol, replica: Option<&Protocol>) -> bool {
    replica.is_some_and(|replica| {
        source.min_reader_version < replica.min_reader_version
            || source.min_writer_version < replica.min_writer_version
    })
}

/// The smallest protocol that supports `wanted`: a legacy one where it can.
fn build(wanted: Features, source: &Protocol) -> Protocol {
    let version = |name: &String| LEGACY.iter().find(|(known, _)| known == name).map(|row| row.1);
    let legacy: Option<Vec<u32>> = wanted.writer.iter().map(version).collect();
    let unknown = source.unknown.clone();
    match legacy {
        Some(versions) if source.min_reader_version < 3 && source.min_writer_version < 7 => {
            let reader_floor = if wanted.reader.is_empty() { 1 } else { 2 };
            Protocol {
                min_reader_version: reader_floor.max(source.min_reader_version),
                min_writer_version: versions
                    .into_iter()
                    .max()
                    .unwrap_or(1)
                    .max(source.min_writer_version),
                reader_features: None,
                writer_features: None,
                unknown,
            }
        }
        _ => {
            let listed = !wanted.reader.is_empty() || source.min_reader_version >= 3;
            Protocol {
                min_reader_version: if listed { 3 } else { 1 },
                min_writer_version: 7,
                reader_features: listed.then(|| wanted.reader.into_iter().collect()),
                writer_features: Some(wanted.writer.into_iter().collect()),
                unknown,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legacy(reader: u32, writer: u32) -> Protocol {
        Protocol {
            min_reader_version: reader,
            min_writer_version: writer,
            reader_features: None,
            writer_features: None,
            unknown: Default::default(),
        }
    }

    fn lists(reader: &[&str], writer: &[&str]) -> Protocol {
        let texts = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        Protocol { reader_features: texts(reader), writer_features: texts(writer), ..legacy(3, 7) }
    }

    fn shown(protocol: &Protocol) -> String {
        let Protocol { min_reader_version: reader, min_writer_version: writer, .. } = protocol;
        let list = |names: &Option<Vec<String>>| match names {
            Some(names) => format!("[{}]", names.join(" ")),
            None => "-".to_owned(),
        };
        let (readers, writers) = (list(&protocol.reader_features), list(&protocol.writer_features));
        format!("{reader},{writer} {readers} {writers}")
    }

    /// The source's protocol, the replica's, its properties, its schema, and what is made of them.
    type Case = (Protocol, Option<Protocol>, &'static [Property], &'static str, &'static str);
    type Property = (&'static str, &'static str);

    #[test]
    fn the_protocol_is_the_sources_or_a_union_that_never_goes_below() {
        let dv = ["deletionVectors"];
        let none = "{}";
        assert_merged(&[
            (legacy(1, 2), None, &[], none, "1,2 - -"),
            (legacy(1, 2), Some(legacy(1, 2)), &[], none, "1,2 - -"),
            (lists(&dv, &dv), None, &[], none, "3,7 [deletionVectors] [deletionVectors]"),
            // The source dropped a feature: the replica keeps it.
            (
                legacy(1, 2),
                Some(lists(&dv, &["appendOnly", "deletionVectors", "invariants"])),
                &[],
                none,
                "3,7 [deletionVectors] [appendOnly deletionVectors invariants]",
            ),
            // Legacy meets lists: the implied features are spelled out.
            (
                lists(&dv, &dv),
                Some(legacy(1, 3)),
                &[],
                none,
                "3,7 [deletionVectors] [appendOnly checkConstraints deletionVectors invariants]",
            ),
            (
                legacy(2, 5),
                Some(lists(&dv, &dv)),
                &[],
                none,
                "3,7 [columnMapping deletionVectors] [appendOnly changeDataFeed checkConstraints \
                 columnMapping deletionVectors generatedColumns invariants]",
            ),
        ]);
    }

    #[test]
    fn what_is_active_is_listed_where_it_must_be() {
        let none = "{}";
        let ntz = r#"{"type":"struct","fields":[{"name":"a","type":"timestamp_ntz"}]}"#;
        assert_merged(&[
            // Listed on one side only.
            (
                lists(&[], &["columnMapping"]),
                None,
                &[],
                none,
                "3,7 [columnMapping] [columnMapping]",
            ),
            // Active, but not listed.
            (legacy(1, 2), None, &[("delta.enableChangeDataFeed", "true")], none, "1,4 - -"),
            (
                lists(&[], &[]),
                None,
                &[("delta.enableRowTracking", "true")],
                ntz,
                "3,7 [timestampNtz] [domainMetadata rowTracking timestampNtz]",
            ),
            (
                legacy(1, 2),
                None,
                &[],
                ntz,
                "3,7 [timestampNtz] [appendOnly invariants timestampNtz]",
            ),
            // The barrier is a version of the source's log.
            (
                lists(&[], &["appendOnly", "checkpointProtection"]),
                None,
                &[],
                none,
                "3,7 [] [appendOnly]",
            ),
        ]);
    }

    #[track_caller]
    fn assert_merged(cases: &[Case]) {
        for (source, replica, properties, schema, expect) in cases {
            let configuration: Configuration =
                properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
            let merged = merge(source, replica.as_ref(), &configuration, schema);
            assert_eq!(shown(&merged), *expect, "{} {replica:?}", shown(source));
            // A second time there is nothing more to do.
            let again = merge(source, Some(&merged), &configuration, schema);
            assert!(same(&again, &merged), "{} {}", shown(&again), shown(&merged));
        }
    }
}
