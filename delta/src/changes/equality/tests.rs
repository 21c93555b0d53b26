//! Which fields count, and how numbers, texts and statistics are compared.

use serde_json::{Value, json};

use super::*;
use crate::actions::LogAction;

fn add(more: &Value) -> Add {
    let vector = json!({"storageType": "u", "pathOrInlineDv": "x", "sizeInBytes": 1,
        "cardinality": 2, "future": 3});
    let mut fields = json!({"path": "a", "partitionValues": {"p": "1"}, "size": 1,
        "modificationTime": 1, "dataChange": true, "stats": "{\"numRecords\":1}",
        "deletionVector": vector, "baseRowId": 1, "defaultRowCommitVersion": 1,
        "clusteringProvider": "c", "tags": {"a": "b"}, "future": {"x": 1.0}});
    for (key, value) in more.as_object().unwrap() {
        match (&mut fields[key], value) {
            (Value::Object(known), Value::Object(more)) => known.extend(more.clone()),
            (known, value) => *known = value.clone(),
        }
    }
    let text = json!({ "add": fields }).to_string();
    let LogAction::Add(add) = LogAction::from_json(&text).unwrap() else { unreachable!() };
    add
}

#[test]
fn a_change_of_any_field_is_noticed() {
    for (more, same) in [
        (json!({}), true),
        (json!({"dataChange": false}), true),
        (json!({"future": {"x": 1}}), true),
        (json!({"size": 2}), false),
        (json!({"modificationTime": 2}), false),
        (json!({"baseRowId": 2}), false),
        (json!({"defaultRowCommitVersion": 2}), false),
        (json!({"clusteringProvider": "d"}), false),
        (json!({"partitionValues": {"p": "2"}}), false),
        (json!({"tags": {"a": "c"}}), false),
        (json!({"tags": null}), false),
        (json!({"deletionVector": null}), false),
        (json!({"deletionVector": {"sizeInBytes": 2}}), false),
        (json!({"deletionVector": {"cardinality": 3}}), false),
        (json!({"deletionVector": {"future": 4}}), false),
        (json!({"deletionVector": {"farther": 4}}), false),
        (json!({"future": {"x": 2}}), false),
        (json!({"farther": 1}), false),
        (json!({"stats": "{\"numRecords\":2}"}), false),
    ] {
        let (known, changed) = (add(&json!({})), add(&more));
        assert_eq!(same_fields(&known, &changed), same, "{more}");
        assert_eq!(same_fields(&changed, &known), same, "{more}");
    }
    // No tags are written in two ways, and a field is known by its name.
    let (none, empty) = (
        add(&json!({"tags": null})),
        Add { tags: Some(<_>::default()), ..add(&json!({"tags": null})) },
    );
    assert!(same_fields(&none, &empty) && same_fields(&empty, &none));
    let mut other_name = add(&json!({}));
    let field = other_name.unknown.remove("future").unwrap();
    other_name.unknown.insert("farther".into(), field);
    assert!(!same_fields(&add(&json!({})), &other_name));
}

#[test]
fn numbers_keep_every_digit_in_one_spelling() {
    for (text, expect) in [
        ("0", "0"),
        ("-0.00", "0"),
        ("12.50", "125e-1"),
        ("1.25E1", "125e-1"),
        ("9007199254740993", "9007199254740993e0"),
        ("100", "1e2"),
        ("-1e-3", "-1e-3"),
        ("0.001", "1e-3"),
    ] {
        assert_eq!(exact_number(text).as_deref(), Some(expect), "{text}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let nested = |depth: usize| format!("{}1.0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(canonical(&nested(DEPTH_MAX - 1)).is_some());
    assert_eq!(canonical(&nested(100_000)), None);
    assert!(same_json(&nested(100_000), &nested(100_000)));
}

#[test]
fn statistics_tell_of_a_replaced_file_only_where_they_contradict() {
    let full = r#"{"numRecords":3,"minValues":{"a":1,"s":{"b":5}},"nullCount":{"a":0}}"#;
    let wide = r#"{"numRecords":3,"minValues":{"a":0},"tightBounds":false}"#;
    for (replica, source, contradict) in [
        (Some(full), Some(full), false),
        (Some(full), None, false),
        (None, Some(full), false),
        (Some(full), Some(r#"{"numRecords":3.0,"minValues":{"c":7}}"#), false),
        (Some(full), Some(r#"{"numRecords":4}"#), true),
        (Some(full), Some(r#"{"minValues":{"a":2}}"#), true),
        (Some(full), Some(r#"{"minValues":{"s":{"b":6}}}"#), true),
        (Some(full), Some(r#"{"nullCount":{"a":1}}"#), true),
        (Some(full), Some(wide), false),
        (Some(r#"{"minValues":{"a":"x"}}"#), Some(r#"{"minValues":{"a":"xy"}}"#), false),
        (Some(r#"{"minValues":{"a":"x"}}"#), Some(r#"{"minValues":{"a":"y"}}"#), true),
        (
            Some(r#"{"minValues":{"t":"2024-01-01T00:00:00.000Z"}}"#),
            Some(r#"{"minValues":{"t":"2024-01-01 00:00:00"}}"#),
            false,
        ),
        (
            Some(r#"{"minValues":{"t":"2024-01-01"}}"#),
            Some(r#"{"minValues":{"t":"2024-01-02"}}"#),
            true,
        ),
        (Some(r#"{"maxValues":{"a":"abd"}}"#), Some(r#"{"maxValues":{"a":"abczz"}}"#), false),
        (Some(r#"{"maxValues":{"a":"abd"}}"#), Some(r#"{"maxValues":{"a":"axczz"}}"#), true),
        (Some("no JSON"), Some(full), false),
    ] {
        assert_eq!(stats_contradict(replica, source), contradict, "{replica:?} {source:?}");
    }
}

#[test]
fn statistics_are_compared_by_value() {
    let full = r#"{"numRecords":3,"minValues":{"a":1.50,"b":"x"},"maxValues":{"a":2}}"#;
    for (replica, source, same) in [
        (Some(full), Some(full), true),
        (
            Some(full),
            Some(r#"{"maxValues":{"a":2.0}, "minValues":{"b":"\u0078","a":1.5},"numRecords":3}"#),
            true,
        ),
        (Some(r#"{"x":[1.0,{"b":2}]}"#), Some(r#"{"x": [1, {"b":2.0}]}"#), true),
        (Some(r#"{"x":[1,2]}"#), Some(r#"{"x": [2,1]}"#), false),
        (Some(full), Some(r#"{"numRecords":3}"#), false),
        (Some(full), Some(r#"{"numRecords":4}"#), false),
        (Some(full), None, true),
        (None, Some(full), false),
        (Some(r#"{"numRecords":3}"#), Some(full), false),
        (
            Some(r#"{"maxValues":{"a":9007199254740993},"numRecords":1}"#),
            Some(r#"{"maxValues":{"a":9007199254740992},"numRecords":1}"#),
            false,
        ),
    ] {
        assert_eq!(same_stats(replica, source), same, "{replica:?} {source:?}");
    }
}
