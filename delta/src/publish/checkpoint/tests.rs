//! What a checkpoint keeps, drops and refuses.

use serde_json::json;

use super::*;
use crate::actions::Action;

fn parsed(action: serde_json::Value) -> Action {
    Action::from_json(&action.to_string()).unwrap()
}

fn metadata(configuration: serde_json::Value) -> Metadata {
    let action = parsed(json!({"metaData": {"id": "i", "schemaString": "{}",
        "format": {"provider": "parquet", "options": {}}, "partitionColumns": ["p"],
        "configuration": configuration}}));
    let Action::Metadata(metadata) = action else { unreachable!() };
    metadata
}

fn add(more: serde_json::Value) -> Add {
    let mut fields = json!({"path": "p=1/a", "partitionValues": {"p": "1", "q": null}, "size": 9,
        "modificationTime": 1, "dataChange": true, "stats": "{\"numRecords\":1}"});
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    let Action::Add(add) = parsed(json!({ "add": fields })) else { unreachable!() };
    add
}

fn state(adds: Vec<Add>) -> State {
    let protocol = parsed(json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": [], "writerFeatures": ["appendOnly"]}}));
    let Action::Protocol(protocol) = protocol else { unreachable!() };
    let metadata = metadata(json!({}));
    State { protocol, metadata, txns: vec![], domains: vec![], removes: vec![], adds }
}

#[test]
fn durations_are_those_that_spark_writes() {
    for (text, expect) in [
        ("interval 7 days", Some(7 * DAY_MS)),
        ("INTERVAL 1 week 2 hours", Some(7 * DAY_MS + 2 * 60 * 60 * 1000)),
        ("30 seconds", Some(30_000)),
        ("interval", None),
        ("7", None),
        ("interval 1 month", None),
    ] {
        assert_eq!(duration_ms(text), expect, "{text}");
    }
}

#[test]
fn what_is_expired_is_dropped() {
    let policy = Policy::of(&metadata(json!({
        "delta.deletedFileRetentionDuration": "interval 1 day",
        "delta.setTransactionRetentionDuration": "interval 1 hour",
        "delta.checkpointInterval": "3"})));
    assert_eq!(policy.interval, 3);
    let now_ms = 10 * DAY_MS;
    let remove = |at: Option<i64>| {
        let action = parsed(json!({"remove": {"path": "a", "deletionTimestamp": at,
            "dataChange": true}}));
        let Action::Remove(remove) = action else { unreachable!() };
        remove
    };
    assert!(policy.keeps_remove(&remove(Some(now_ms - DAY_MS + 1)), now_ms));
    assert!(!policy.keeps_remove(&remove(Some(now_ms - DAY_MS)), now_ms));
    assert!(!policy.keeps_remove(&remove(None), now_ms));
    let txn = |last_updated: Option<i64>| Txn {
        app_id: "x".into(),
        version: 1,
        last_updated,
        unknown: Default::default(),
    };
    assert!(policy.keeps_txn(&txn(None), now_ms));
    assert!(policy.keeps_txn(&txn(Some(253_402_300_799_000)), now_ms));
    assert!(!policy.keeps_txn(&txn(Some(now_ms - DAY_MS)), now_ms));
    assert_eq!(Policy::of(&metadata(json!({"delta.checkpointInterval": "0"}))).interval, 10);
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
