//! The replica's protocol: the source's verbatim when the replica needs nothing more, else a
//! union that never goes below what the replica has.
//!
//! Rules: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features>. A feature
//! that is lost, or listed on one side only, makes readers return nulls or refuse. No property
//! adds a feature: what the source's protocol does not support has no effect there.

use super::activated::{Family, annotated, required_by_types};
use super::features::{DROPPED, is_reader_writer, legacy_version};
use super::supported::{
    FeatureSet, READER_LISTS, WRITER_LISTS, listed, misplaced, supported, without_stray_lists,
};
use crate::actions::Protocol;

/// Builds the protocol of a replica with this schema.
pub(crate) fn merge(source: &Protocol, replica: Option<&Protocol>, schema: &str) -> Protocol {
    let source = &without_stray_lists(source);
    let source_has = supported(source);
    let replica_has = replica.map(supported).unwrap_or_default();
    let mut wanted = source_has.clone();
    wanted.writer.remove(DROPPED);
    let is_dropped = wanted != source_has;
    wanted.writer.extend(replica_has.writer.iter().cloned());
    wanted.reader.extend(replica_has.reader.iter().cloned());
    for family in required_by_types(schema) {
        add_one(&mut wanted, family);
    }
    if wanted.writer.contains("rowTracking") || wanted.writer.contains("clustering") {
        wanted.writer.insert("domainMetadata".to_owned());
    }
    if needs_lists(&wanted, source) {
        // Spark refuses to read a list without the features that it finds in the schema.
        annotated(schema).into_iter().for_each(|family| add_one(&mut wanted, family));
    }
    if !is_dropped && wanted == source_has && !below(source, replica) && is_sound(source) {
        return source.clone();
    }
    match replica {
        Some(replica) if wanted == replica_has && is_sound(replica) => without_stray_lists(replica),
        _ => build(wanted, source),
    }
}

/// Returns whether the two are equal but for the order of their lists.
pub(crate) fn same(left: &Protocol, right: &Protocol) -> bool {
    let lists = |protocol: &Protocol| {
        (protocol.reader_features.is_some(), protocol.writer_features.is_some())
    };
    left.min_reader_version == right.min_reader_version
        && left.min_writer_version == right.min_writer_version
        && lists(left) == lists(right)
        && listed(left) == listed(right)
}

/// Returns the notice about features that the source's protocol lists in the wrong place.
pub(crate) fn notice(source: &Protocol) -> Option<String> {
    let names = misplaced(source);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "the source's protocol does not list {} where its versions want it: the replica's \
             does",
            names.join(", ")
        )
    })
}

fn add_one(features: &mut FeatureSet, family: Family) {
    let Some(first) = family.first() else { return };
    if family.iter().any(|name| features.writer.contains(*name)) {
        return;
    }
    features.writer.insert((*first).to_owned());
    if is_reader_writer(first) {
        features.reader.insert((*first).to_owned());
    }
}

/// Returns whether each feature is in the lists where readers and writers expect it.
fn is_sound(protocol: &Protocol) -> bool {
    misplaced(protocol).is_empty()
}

fn below(source: &Protocol, replica: Option<&Protocol>) -> bool {
    replica.is_some_and(|replica| {
        source.min_reader_version < replica.min_reader_version
            || source.min_writer_version < replica.min_writer_version
    })
}

/// Returns whether no legacy protocol can express the features.
fn needs_lists(wanted: &FeatureSet, source: &Protocol) -> bool {
    source.min_reader_version >= READER_LISTS
        || source.min_writer_version >= WRITER_LISTS
        || wanted.writer.iter().any(|name| legacy_version(name).is_none())
}

/// Builds the smallest protocol that supports `wanted`: a legacy one if possible.
fn build(wanted: FeatureSet, source: &Protocol) -> Protocol {
    let unknown = source.unknown.clone();
    if needs_lists(&wanted, source) {
        let has_readers = !wanted.reader.is_empty() || source.min_reader_version >= READER_LISTS;
        return Protocol {
            min_reader_version: if has_readers { READER_LISTS } else { 1 },
            min_writer_version: WRITER_LISTS,
            reader_features: has_readers.then(|| wanted.reader.into_iter().collect()),
            writer_features: Some(wanted.writer.into_iter().collect()),
            unknown,
        };
    }
    let floor = if wanted.reader.is_empty() { 1 } else { 2 };
    let newest = wanted.writer.iter().filter_map(|name| legacy_version(name)).max();
    Protocol {
        min_reader_version: source.min_reader_version.max(floor),
        min_writer_version: source.min_writer_version.max(newest.unwrap_or(1)),
        reader_features: None,
        writer_features: None,
        unknown,
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

    /// The source's protocol, the replica's, its schema, and what is made of them.
    type Case = (Protocol, Option<Protocol>, &'static str, &'static str);

    #[test]
    fn the_protocol_is_the_sources_or_a_union_that_never_goes_below() {
        let dv = ["deletionVectors"];
        let none = "{}";
        assert_merged(&[
            (legacy(1, 2), None, none, "1,2 - -"),
            (legacy(1, 2), Some(legacy(1, 2)), none, "1,2 - -"),
            (lists(&dv, &dv), None, none, "3,7 [deletionVectors] [deletionVectors]"),
            // The source dropped a feature: the replica keeps it.
            (
                legacy(1, 2),
                Some(lists(&dv, &["appendOnly", "deletionVectors", "invariants"])),
                none,
                "3,7 [deletionVectors] [appendOnly deletionVectors invariants]",
            ),
            // Legacy meets lists: the implied features are spelled out.
            (
                lists(&dv, &dv),
                Some(legacy(1, 3)),
                none,
                "3,7 [deletionVectors] [appendOnly checkConstraints deletionVectors invariants]",
            ),
            (
                legacy(2, 5),
                Some(lists(&dv, &dv)),
                none,
                "3,7 [columnMapping deletionVectors] [appendOnly changeDataFeed checkConstraints \
                 columnMapping deletionVectors generatedColumns invariants]",
            ),
        ]);
    }

    #[test]
    fn what_is_active_is_listed_where_it_must_be() {
        let none = "{}";
        let generated = concat!(
            r#"{"type":"struct","fields":[{"name":"a","type":"long","#,
            r#""metadata":{"delta.generationExpression":"1"}}]}"#
        );
        let ntz = r#"{"type":"struct","fields":[{"name":"a","type":"timestamp_ntz"}]}"#;
        let variant = r#"{"type":"struct","fields":[{"name":"a","type":"variant"}]}"#;
        assert_merged(&[
            // Listed on one side only.
            (lists(&[], &["columnMapping"]), None, none, "3,7 [columnMapping] [columnMapping]"),
            (
                lists(&["deletionVectors"], &[]),
                None,
                none,
                "3,7 [deletionVectors] [deletionVectors]",
            ),
            (
                lists(&[], &["rowTracking"]),
                None,
                ntz,
                "3,7 [timestampNtz] [domainMetadata rowTracking timestampNtz]",
            ),
            // A legacy protocol stays as it is, also one that no writer should make.
            (legacy(2, 2), None, none, "2,2 - -"),
            (legacy(1, 2), None, generated, "1,2 - -"),
            (
                legacy(1, 2),
                Some(lists(&[], &["deletionVectors"])),
                generated,
                "3,7 [deletionVectors] [appendOnly deletionVectors generatedColumns invariants]",
            ),
            (legacy(2, 2), Some(legacy(1, 3)), none, "2,5 - -"),
            (legacy(1, 2), Some(legacy(2, 2)), none, "2,2 - -"),
            // The replica's versions are higher, its features the same.
            (legacy(1, 4), Some(legacy(1, 5)), none, "1,5 - -"),
            (
                Protocol { min_reader_version: 1, reader_features: None, ..lists(&[], &["x"]) },
                Some(lists(&[], &["x"])),
                none,
                "3,7 [] [x]",
            ),
            // Lists that the versions do not allow, on either side.
            (Protocol { reader_features: Some(vec![]), ..legacy(1, 2) }, None, none, "1,2 - -"),
            (
                legacy(1, 2),
                Some(Protocol { writer_features: Some(vec![]), ..legacy(1, 3) }),
                none,
                "1,3 - -",
            ),
            (legacy(1, 2), None, ntz, "3,7 [timestampNtz] [appendOnly invariants timestampNtz]"),
            (
                lists(&[], &["variantType-preview"]),
                None,
                variant,
                "3,7 [variantType-preview] [variantType-preview]",
            ),
            (legacy(1, 1), None, variant, "3,7 [variantType] [variantType]"),
            // The barrier is a version of the source's log.
            (
                lists(&[], &["appendOnly", "checkpointProtection"]),
                None,
                none,
                "3,7 [] [appendOnly]",
            ),
        ]);
    }

    #[test]
    fn the_sources_lists_stay_in_its_order() {
        let source = lists(&["b", "a"], &["invariants", "appendOnly", "b", "a"]);
        for replica in [None, Some(lists(&[], &["appendOnly"])), Some(legacy(1, 7))] {
            let merged = merge(&source, replica.as_ref(), "{}");
            assert_eq!(shown(&merged), "3,7 [b a] [invariants appendOnly b a]", "{replica:?}");
        }
    }

    #[test]
    fn two_protocols_are_the_same_by_versions_and_lists() {
        for (left, right, expect) in [
            (lists(&["a", "b"], &["c", "d"]), lists(&["b", "a"], &["d", "c"]), true),
            (lists(&["a"], &["a"]), lists(&[], &["a"]), false),
            (lists(&[], &["a"]), lists(&[], &[]), false),
            // Both versions imply the same features.
            (legacy(1, 4), legacy(1, 5), false),
            (legacy(0, 4), legacy(1, 4), false),
            (Protocol { reader_features: None, ..lists(&[], &[]) }, lists(&[], &[]), false),
        ] {
            assert_eq!(same(&left, &right), expect, "{} {}", shown(&left), shown(&right));
        }
    }

    #[track_caller]
    fn assert_merged(cases: &[Case]) {
        for (source, replica, schema, expect) in cases {
            let merged = merge(source, replica.as_ref(), schema);
            assert_eq!(shown(&merged), *expect, "{} {replica:?}", shown(source));
            // A second time there is nothing more to do.
            let again = merge(source, Some(&merged), schema);
            assert!(same(&again, &merged), "{} {}", shown(&again), shown(&merged));
        }
    }
}
