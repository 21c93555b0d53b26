//! The six figures of a clone, and their form in a commit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The six figures of a clone, under Databricks' names. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloneMetrics {
    /// Bytes of the source's live data files (those that the filter keeps).
    pub source_table_size: u64,
    /// The source's live logical files (those that the filter keeps).
    pub source_num_of_files: u64,
    /// Logical files that leave the replica.
    pub num_removed_files: u64,
    /// Logical files that join the replica.
    pub num_copied_files: u64,
    /// Bytes of the data files of the logical files that leave.
    pub removed_files_size: u64,
    /// Bytes of the data files of the logical files that join.
    pub copied_files_size: u64,
}

/// Formats the figures under the names that Spark's CLONE uses: all values are texts.
pub(crate) fn texts(metrics: &CloneMetrics) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("sourceTableSize", metrics.source_table_size.to_string()),
        ("sourceNumOfFiles", metrics.source_num_of_files.to_string()),
        ("numRemovedFiles", metrics.num_removed_files.to_string()),
        ("numCopiedFiles", metrics.num_copied_files.to_string()),
        ("removedFilesSize", metrics.removed_files_size.to_string()),
        ("copiedFilesSize", metrics.copied_files_size.to_string()),
    ])
}

/// Reads the figures back; `None` when one is missing.
pub(super) fn parse(texts: &BTreeMap<String, serde_json::Value>) -> Option<CloneMetrics> {
    let figure = |name: &str| texts.get(name)?.as_str()?.parse::<u64>().ok();
    Some(CloneMetrics {
        source_table_size: figure("sourceTableSize")?,
        source_num_of_files: figure("sourceNumOfFiles")?,
        num_removed_files: figure("numRemovedFiles")?,
        num_copied_files: figure("numCopiedFiles")?,
        removed_files_size: figure("removedFilesSize")?,
        copied_files_size: figure("copiedFilesSize")?,
    })
}
