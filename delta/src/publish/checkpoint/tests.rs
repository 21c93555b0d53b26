//! What a checkpoint keeps, drops and refuses.

use std::borrow::Cow;

use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::store::counted::{StoreCounts, counted};
use deepclone_common::store::table::TableStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::*;
use crate::actions::{Add, LogAction, Metadata};
use crate::log::checkpoint::{count_files, read_named};
use crate::log::{CheckpointFiles, LogEntry, Names};

fn parsed(action: serde_json::Value) -> LogAction {
    LogAction::from_json(&action.to_string()).unwrap()
}

fn metadata(configuration: serde_json::Value) -> Metadata {
    let action = parsed(json!({"metaData": {"id": "i", "schemaString": "{}",
        "format": {"provider": "parquet", "options": {}}, "partitionColumns": ["p"],
        "configuration": configuration}}));
    let LogAction::Metadata(metadata) = action else { unreachable!() };
    metadata
}

fn add(more: serde_json::Value) -> Add {
    let mut fields = json!({"path": "p=1/a", "partitionValues": {"p": "1", "q": null}, "size": 9,
        "modificationTime": 1, "dataChange": true, "stats": "{\"numRecords\":1}"});
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    let LogAction::Add(add) = parsed(json!({ "add": fields })) else { unreachable!() };
    add
}

fn state(adds: Vec<Add>) -> CheckpointState<'static> {
    let protocol = parsed(json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": [], "writerFeatures": ["appendOnly"]}}));
    let LogAction::Protocol(protocol) = protocol else { unreachable!() };
    let metadata = metadata(json!({}));
    CheckpointState {
        protocol,
        metadata,
        txns: vec![],
        domains: vec![],
        removes: vec![],
        adds: Cow::Owned(adds.into()),
    }
}

#[test]
fn a_field_that_has_no_column_forbids_the_checkpoint() {
    let vector = json!({"storageType": "i", "pathOrInlineDv": "x", "sizeInBytes": 1,
        "cardinality": 1, "future": 1});
    for more in [json!({"future": {"a": 1}}), json!({"deletionVector": vector})] {
        assert!(encode(&state(vec![add(more)])).unwrap().is_none());
    }
    let mut odd = state(vec![]);
    odd.metadata.format =
        serde_json::value::RawValue::from_string(r#"{"provider":"p","x":1}"#.into()).unwrap();
    assert!(encode(&odd).unwrap().is_none());
    let encoded = encode(&state(vec![add(json!({}))])).unwrap().unwrap();
    assert_eq!((encoded.actions, encoded.adds), (3, 1));
    assert_eq!(&written(&encoded)[..4], b"PAR1");
}

#[test]
fn the_hint_counts_every_row() {
    let parsed = |(name, fields): (&str, serde_json::Value)| parsed(json!({ name: fields }));
    let LogAction::Txn(txn) = parsed(("txn", json!({"appId": "a", "version": 1}))) else {
        unreachable!()
    };
    let domain = json!({"domain": "d", "configuration": "{}", "removed": false});
    let LogAction::DomainMetadata(domain) = parsed(("domainMetadata", domain)) else {
        unreachable!()
    };
    let remove = json!({"path": "b", "deletionTimestamp": 1, "dataChange": true});
    let LogAction::Remove(remove) = parsed(("remove", remove)) else { unreachable!() };
    let mut state = state(vec![add(json!({}))]);
    state.txns = vec![txn; 3];
    state.domains = vec![domain; 5];
    state.removes = vec![remove; 7];
    let encoded = encode(&state).unwrap().unwrap();
    let written = ParquetRecordBatchReaderBuilder::try_new(written(&encoded)).unwrap();
    assert_eq!((encoded.actions, encoded.adds), (18, 1));
    assert_eq!(written.metadata().file_metadata().num_rows(), 18);
}

fn written(encoded: &Encoded) -> Bytes {
    let file = &encoded.file;
    file.read(0, usize::try_from(file.bytes()).unwrap()).unwrap().into()
}

/// Files of the partition `p=1` with the numbers `0..count`, in the order of their keys.
fn numbered(count: u32, path: impl Fn(u32) -> String) -> Vec<Add> {
    let unlike = |n: u32| format!("{:016x}", u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let file = |n| add(json!({"path": path(n), "stats": unlike(n)}));
    (0..count).map(file).collect()
}

/// A table with a checkpoint of these files, and what was read of its store.
async fn stored(adds: Vec<Add>) -> (TableStore, CheckpointFiles, Arc<StoreCounts>) {
    let encoded = encode(&state(adds)).unwrap().unwrap();
    let size = encoded.file.bytes();
    let name = "00000000000000000003.checkpoint.parquet".to_owned();
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    store.put(&Path::from(format!("t/_delta_log/{name}")), written(&encoded).into()).await.unwrap();
    let table =
        TableStore { store, root: Path::from("t"), uri: "memory:///t".to_owned(), large: None };
    let counts = Arc::new(StoreCounts::default());
    let files = vec![LogEntry { name, size, modified_ms: 0, etag: None }];
    (counted(table, Arc::clone(&counts)), CheckpointFiles { version: 3, files }, counts)
}

#[tokio::test]
async fn files_are_found_by_their_objects_without_reading_the_others() {
    let few: fn(u32) -> String = |n| format!("p=1/{n:06}.parquet");
    let encoded: fn(u32) -> String = |n| format!("p%3D1/{n:06}.parquet");
    for (path, is_sought) in [(few, true), (encoded, false)] {
        let (table, checkpoint, counts) = stored(numbered(70_000, path)).await;
        let size = checkpoint.files[0].size;
        assert_eq!(count_files(&table, &checkpoint).await.unwrap(), Some(70_000));
        let counted = counts.bytes_read();
        assert!(counted < size / 20, "{counted} of {size}");
        let key = |n: u32| format!("p=1/{n:06}.parquet");
        let absent = ["p=1/1234567.parquet", "p=0/a", "p=2/a"].map(str::to_owned);
        let data = [7, 30_000, 69_999].map(key).into_iter().chain(absent).collect();
        let names = Arc::new(Names { data, ..Names::default() });
        let (mut found, known) = read_named(&table, &checkpoint, &names).await.unwrap();
        assert_eq!((known.files, known.is_ours), (Some(70_000), true));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let expected = numbered(70_000, path);
        let line = |add: &Add| LogAction::Add(Add { data_change: false, ..add.clone() }).to_json();
        let expected = [7, 30_000, 69_999].map(|n: usize| line(&expected[n]));
        assert_eq!(found.iter().map(line).collect::<Vec<_>>(), expected);
        let read = counts.bytes_read() - counted;
        assert_eq!(read < size / 5, is_sought, "{read} of {size}");
    }
}

#[tokio::test]
async fn files_are_found_by_the_object_of_their_deletion_vector() {
    let id = "ab^-aqEH.-t@S}K{vb[*k^";
    let vector = |offset: u32| {
        json!({"storageType": "u", "pathOrInlineDv": id, "offset": offset, "sizeInBytes": 30,
            "cardinality": 2})
    };
    let mut adds = numbered(10, |n| format!("p=1/{n}"));
    for (n, offset) in [(2_usize, 1), (5, 40)] {
        let path = adds[n].path.clone();
        adds[n] = add(json!({"path": path, "deletionVector": vector(offset)}));
    }
    let (table, checkpoint, _) = stored(adds).await;
    let object = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    let names = Names { data: ["p=1/7".to_owned()].into(), vectors: [object.to_owned()].into() };
    let (found, _) = read_named(&table, &checkpoint, &Arc::new(names)).await.unwrap();
    let mut paths: Vec<_> = found.iter().map(|add| add.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["p=1/2", "p=1/5", "p=1/7"]);
}

#[tokio::test]
async fn a_checkpoint_that_is_damaged_or_gone_is_named() {
    let (table, mut checkpoint, _) = stored(numbered(10, |n| format!("p=1/{n}"))).await;
    let names = Arc::new(Names { data: ["p=1/7".to_owned()].into(), ..Names::default() });
    checkpoint.files[0].size -= 1;
    let error = read_named(&table, &checkpoint, &names).await.unwrap_err().to_string();
    assert!(error.contains("00000000000000000003.checkpoint.parquet"), "{error}");
    checkpoint.files[0].name = "00000000000000000004.checkpoint.parquet".to_owned();
    let error = count_files(&table, &checkpoint).await.unwrap_err().to_string();
    assert!(error.contains("00000000000000000004.checkpoint.parquet"), "{error}");
    assert!(error.contains("it is missing"), "{error}");
}
