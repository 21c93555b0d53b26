//! The `commitInfo` of a CLONE commit: what `DESCRIBE HISTORY` shows, and our record.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::change_set::{ChangeSet, CommitTime};
use crate::replica::{RecordBody, metrics_texts};

/// The `engineInfo` of our commits.
const ENGINE: &str = concat!("Deepclone/", env!("CARGO_PKG_VERSION"));

/// Spark reads the values of both maps as texts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfo<'a> {
    timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_commit_timestamp: Option<i64>,
    operation: &'static str,
    operation_parameters: BTreeMap<&'static str, String>,
    operation_metrics: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_version: Option<u64>,
    isolation_level: &'static str,
    is_blind_append: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'static str, &'static str>,
    engine_info: &'static str,
    txn_id: String,
    deepclone: &'a RecordBody,
}

pub(super) fn commit_info(change_set: &ChangeSet, time_ms: i64) -> Box<RawValue> {
    let mut tags = BTreeMap::new();
    if change_set.row_tracking {
        tags.insert("delta.rowTracking.preserved", "true");
    }
    let info = CommitInfo {
        timestamp: time_ms,
        in_commit_timestamp: (change_set.commit_time != CommitTime::FileTime).then_some(time_ms),
        operation: "CLONE",
        operation_parameters: BTreeMap::from([
            ("source", change_set.source_uri.clone()),
            ("sourceVersion", change_set.source_version.to_string()),
            ("isShallow", "false".to_owned()),
        ]),
        operation_metrics: metrics_texts(&change_set.metrics),
        read_version: change_set.replica_version,
        isolation_level: "Serializable",
        is_blind_append: false,
        tags,
        engine_info: ENGINE,
        txn_id: change_set.sync().to_string(),
        deepclone: &change_set.record,
    };
    // Texts, numbers and maps with text keys: this cannot fail.
    serde_json::value::to_raw_value(&info).unwrap_or_default()
}
