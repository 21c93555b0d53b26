//! The features that a protocol supports: versions, lists, and lists with one side missing.
//!
//! Some writers list a feature that readers must know in one of the two lists only. It counts as
//! supported, as in Spark and the kernel, because data was written with it. A list that the
//! versions do not allow is ignored.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features>

use std::collections::BTreeSet;

use super::features::{COLUMN_MAPPING, implied_by, is_carried, is_reader_writer};
use crate::actions::Protocol;

/// The reader version that needs `readerFeatures`.
pub(crate) const READER_LISTS: u32 = 3;
/// The writer version that needs `writerFeatures`.
pub(crate) const WRITER_LISTS: u32 = 7;

/// Features by who must know them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeatureSet {
    pub(crate) writer: BTreeSet<String>,
    pub(crate) reader: BTreeSet<String>,
}

/// Lists every feature that a protocol supports. A feature for readers is one for writers too.
pub(crate) fn supported(protocol: &Protocol) -> FeatureSet {
    let mut features = listed(protocol);
    features.writer.extend(features.reader.iter().cloned());
    let for_readers = features.writer.iter().filter(|name| is_reader_writer(name)).cloned();
    features.reader.extend(for_readers);
    features.reader.retain(|name| is_reader_writer(name) || !is_carried(name));
    features
}

/// Returns whether a protocol supports one of `names`.
pub(crate) fn supports_any(protocol: &Protocol, names: &[&str]) -> bool {
    let supported = supported(protocol).writer;
    names.iter().any(|name| supported.contains(*name))
}

/// Lists the features exactly as the protocol does, with legacy versions expanded.
pub(crate) fn listed(protocol: &Protocol) -> FeatureSet {
    let maps = protocol.min_reader_version == 2;
    let names = |list: &Option<Vec<String>>| list.iter().flatten().cloned().collect();
    let writer = match protocol.min_writer_version {
        version if version >= WRITER_LISTS => names(&protocol.writer_features),
        version => implied_by(version)
            .filter(|name| *name != COLUMN_MAPPING || maps)
            .map(str::to_owned)
            .collect(),
    };
    let reader = match protocol.min_reader_version {
        version if version >= READER_LISTS => names(&protocol.reader_features),
        _ if maps => BTreeSet::from([COLUMN_MAPPING.to_owned()]),
        _ => BTreeSet::new(),
    };
    FeatureSet { writer, reader }
}

/// Drops the lists that the protocol's versions do not allow.
pub(crate) fn without_stray_lists(protocol: &Protocol) -> Protocol {
    let mut protocol = protocol.clone();
    if protocol.min_reader_version < READER_LISTS {
        protocol.reader_features = None;
    }
    if protocol.min_writer_version < WRITER_LISTS {
        protocol.writer_features = None;
    }
    protocol
}

/// Lists the features that are in one list and belong in both, or are in the readers' and belong in
/// the writers' alone. Empty for legacy protocols, where a reader version without its writer
/// version, such as (2,3), is valid for readers.
pub(crate) fn misplaced(protocol: &Protocol) -> BTreeSet<String> {
    if protocol.min_writer_version < WRITER_LISTS {
        return BTreeSet::new();
    }
    let (listed, supported) = (listed(protocol), supported(protocol));
    let writer = listed.writer.symmetric_difference(&supported.writer);
    let reader = listed.reader.symmetric_difference(&supported.reader);
    writer.chain(reader).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(reader: u32, writer: u32, readers: &[&str], writers: &[&str]) -> Protocol {
        let names = |list: &[&str]| Some(list.iter().map(|name| (*name).to_owned()).collect());
        Protocol {
            min_reader_version: reader,
            min_writer_version: writer,
            reader_features: names(readers),
            writer_features: names(writers),
            unknown: Default::default(),
        }
    }

    fn shown(names: &BTreeSet<String>) -> String {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn versions_and_lists_tell_what_is_supported() {
        let (map, dv) = ("columnMapping", "deletionVectors");
        for (protocol, readers, writers, wrong) in [
            (protocol(1, 1, &[], &[]), "", "", ""),
            (protocol(1, 2, &[dv], &[dv]), "", "appendOnly invariants", ""),
            (
                protocol(2, 5, &[], &[]),
                map,
                "appendOnly changeDataFeed checkConstraints columnMapping generatedColumns \
                 invariants",
                "",
            ),
            // Readers of version 2 map the columns, whatever the writers must do.
            (protocol(2, 2, &[], &[]), map, "appendOnly columnMapping invariants", ""),
            (
                protocol(1, 5, &[], &[]),
                "",
                "appendOnly changeDataFeed checkConstraints generatedColumns invariants",
                "",
            ),
            (protocol(2, 7, &[], &[map]), map, map, ""),
            (protocol(2, 7, &[], &["invariants"]), map, "columnMapping invariants", map),
            (protocol(1, 7, &[dv], &[dv]), dv, dv, dv),
            (protocol(3, 7, &[dv], &[dv]), dv, dv, ""),
            (protocol(3, 7, &[], &[map]), map, map, map),
            (protocol(3, 7, &[map], &[]), map, map, map),
            (protocol(3, 7, &["appendOnly"], &["appendOnly"]), "", "appendOnly", "appendOnly"),
            // An unknown one is for readers if they list it, and always for writers.
            (protocol(3, 7, &["zork"], &["y"]), "zork", "y zork", "zork"),
        ] {
            let features = supported(&protocol);
            assert_eq!(shown(&features.reader), readers, "{protocol:?}");
            assert_eq!(shown(&features.writer), writers, "{protocol:?}");
            assert_eq!(shown(&misplaced(&protocol)), wrong, "{protocol:?}");
        }
    }
}
