//! Protocols and properties as real writers leave them: Spark and every other reader read the
//! replica, and see the source's rows.

use std::fs;
use std::path::Path;

use deepclone_tests::readers::{self, Seen};
use deepclone_tests::writers::{spark_read, write};
use serde_json::{Value, json};

use crate::place::Place;
use crate::replica;
use crate::sync;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_reads_a_replica_whose_source_has_an_odd_protocol() {
    let listed = |reader: u32, writer: u32, readers: &[&str], writers: &[&str]| {
        json!({"minReaderVersion": reader, "minWriterVersion": writer,
            "readerFeatures": readers, "writerFeatures": writers})
    };
    let map = "columnMapping";
    let none = json!({});
    let mapped =
        json!({"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "5"});
    let everything = json!({"delta.columnMapping.mode": "name", "delta.appendOnly": "true",
        "delta.checkpointPolicy": "v2", "delta.enableChangeDataFeed": "true",
        "delta.enableDeletionVectors": "true", "delta.enableIcebergCompatV2": "true",
        "delta.enableInCommitTimestamps": "true", "delta.enableRowTracking": "true",
        "delta.enableTypeWidening": "true", "delta.enableVariantShredding": "true"});
    let plain = json!({"minReaderVersion": 1, "minWriterVersion": 2});
    for (protocol, properties) in [
        (listed(3, 7, &[], &[map]), &mapped),
        (listed(3, 7, &[map], &[]), &mapped),
        (listed(1, 2, &[], &[]), &none),
        (listed(1, 2, &["appendOnly"], &["appendOnly"]), &none),
        (plain, &everything),
        (listed(3, 7, &[], &["invariants"]), &everything),
    ] {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let source = Place::Local(folder.path().join("source"));
        let target = Place::Local(folder.path().join("replica"));
        write("append", &source.uri(), json!({"start": 0, "count": 40}));
        let whole = readers::read(&source.uri(), None);
        bend(&folder.path().join("source"), &protocol, properties);
        sync::embedded(&source, &target, &[]).await.succeeded();
        replica::assert_equal(&source, &target).await;
        // Also where a reader refuses the source, the replica has its rows.
        let seen = readers::read(&target.uri(), None);
        assert_eq!(seen["duckdb"], whole["duckdb"], "{protocol} {properties}");
        assert_eq!(rows(&spark_read(&target.uri(), None)), 40, "{protocol} {properties}");
    }
}

fn rows(seen: &Seen) -> u64 {
    match seen {
        Seen::Rows { rows, .. } => *rows,
        other => panic!("{other:?}"),
    }
}

/// Rewrites the first commit with another protocol and properties. Only where the protocol names
/// column mapping are the columns described as it wants them, by the names that they have in the
/// files.
fn bend(table: &Path, protocol: &Value, properties: &Value) {
    let path = table.join("_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&path).expect("the first commit");
    let lines = text.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).expect("an action");
        if action.get("protocol").is_some() {
            action["protocol"] = protocol.clone();
        }
        if let Some(metadata) = action.get_mut("metaData") {
            metadata["configuration"] = properties.clone();
            if protocol.to_string().contains("columnMapping") {
                metadata["schemaString"] = json!(mapped(&metadata["schemaString"]));
            }
        }
        action.to_string()
    });
    let lines: Vec<String> = lines.collect();
    fs::write(path, lines.join("\n")).expect("the first commit");
}

fn mapped(schema: &Value) -> String {
    let text = schema.as_str().expect("a schema");
    let mut schema: Value = serde_json::from_str(text).expect("a schema");
    for (number, field) in schema["fields"].as_array_mut().into_iter().flatten().enumerate() {
        field["metadata"] = json!({"delta.columnMapping.id": number + 1,
            "delta.columnMapping.physicalName": field["name"].clone()});
    }
    schema.to_string()
}
