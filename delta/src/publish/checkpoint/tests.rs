//! What a checkpoint keeps, drops and refuses.

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::*;
use crate::actions::{Add, LogAction, Metadata};

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

fn state(adds: Vec<Add>) -> CheckpointState {
    let protocol = parsed(json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": [], "writerFeatures": ["appendOnly"]}}));
    let LogAction::Protocol(protocol) = protocol else { unreachable!() };
    let metadata = metadata(json!({}));
    CheckpointState { protocol, metadata, txns: vec![], domains: vec![], removes: vec![], adds }
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
    assert_eq!(&encoded.bytes[..4], b"PAR1");
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
    let written = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(encoded.bytes)).unwrap();
    assert_eq!((encoded.actions, encoded.adds), (18, 1));
    assert_eq!(written.metadata().file_metadata().num_rows(), 18);
}
