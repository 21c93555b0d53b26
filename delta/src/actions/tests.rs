//! Actions survive reading and writing.

use super::*;

fn round_trip(text: &str) -> String {
    LogAction::from_json(text).unwrap().to_json()
}

#[test]
fn actions_in_the_stable_order_survive_to_the_byte() {
    let cases = [
        "{\"add\":{\"path\":\"a%20b\",\"partitionValues\":{\"p\":null,\"q\":\"x\"},\"size\":90\
            07199254740993,\"modificationTime\":-1,\"dataChange\":true,\"stats\":\"{\\\"numRec\
            ords\\\":1}\",\"tags\":{\"k\":\"v\",\"n\":null},\"deletionVector\":{\"storageType\
            \":\"u\",\"pathOrInlineDv\":\"ab\",\"offset\":0,\"sizeInBytes\":3,\"cardinality\":\
            4,\"maxRowIndex\":9},\"baseRowId\":5,\"defaultRowCommitVersion\":6,\"clusteringPro\
            vider\":\"liquid\",\"zebra\":{\"n\":1.00000000000000000001}}}",
        "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":0,\"modificationTime\":0,\"d\
            ataChange\":false,\"deletionVector\":{\"storageType\":\"i\",\"pathOrInlineDv\":\"\
            \\\\\\\"\",\"sizeInBytes\":3,\"cardinality\":4}}}",
        "{\"remove\":{\"path\":\"a\",\"deletionTimestamp\":3,\"dataChange\":true,\"extendedFil\
            eMetadata\":true,\"partitionValues\":{},\"size\":1,\"stats\":\"{}\",\"tags\":{},\"\
            baseRowId\":1,\"defaultRowCommitVersion\":2,\"future\":[1e400]}}",
        "{\"metaData\":{\"id\":\"i\",\"name\":\"n\",\"description\":\"d\\u0001é\\n\",\"format\
            \":{\"provider\":\"parquet\",\"options\":{},\"x\":1.0},\"schemaString\":\"{}\",\"p\
            artitionColumns\":[\"a\",\"b\"],\"configuration\":{\"a\":\"b\"},\"createdTime\":7,\
            \"later\":[]}}",
        "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[],\"\
            writerFeatures\":[\"x\"]}}",
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
        r#"{"txn":{"appId":"a","version":-1,"lastUpdated":2}}"#,
        r#"{"txn":{"appId":" \"\\\n\r\t\u001f","version":1}}"#,
        r#"{"domainMetadata":{"domain":"d","configuration":"{\"a\":1}","removed":true}}"#,
        r#"{"commitInfo":{"inCommitTimestamp":1, "x":1.50}}"#,
        r#"{"cdc":{"path":"_change_data/x","size":1}}"#,
        r#"{"novelty":[1,2.0]}"#,
    ];
    for text in cases {
        assert_eq!(round_trip(text), text);
    }
}

#[test]
fn nulls_are_absent_and_absent_is_not_zero() {
    let text = "{\"txn\":null,\"add\":{\"path\":\"a\",\"partitionValues\":null,\"size\":1,\"mo\
        dificationTime\":2,\"dataChange\":true,\"stats\":null,\"tags\":null,\"deletionVector\"\
        :null,\"new\":null}}";
    assert_eq!(
        round_trip(text),
        "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,\"modificationTime\":2,\"d\
            ataChange\":true}}"
    );
    let LogAction::Remove(remove) = LogAction::from_json(r#"{"remove":{"path":"a"}}"#).unwrap()
    else {
        panic!("not a remove");
    };
    assert!(remove.data_change && remove.size.is_none() && remove.deletion_timestamp.is_none());
}

#[test]
fn what_nobody_knows_beside_an_action_is_ignored() {
    assert_eq!(
        round_trip(r#"{"new":{"a":1},"txn":{"appId":"a","version":1},"newer":2}"#),
        r#"{"txn":{"appId":"a","version":1}}"#
    );
    assert!(LogAction::from_json(r#"{"new":1,"add":{},"remove":{}}"#).is_err());
}

#[test]
fn escaped_names_are_the_same_names() {
    assert_eq!(
        round_trip(r#"{"t\u0078n":{"app\u0049d":"\ud83d\ude00","version":1}}"#),
        r#"{"txn":{"appId":"😀","version":1}}"#
    );
}

#[test]
fn broken_actions_name_the_field() {
    let cases = [
        ("[]", "expected an object"),
        ("{}", "without an action"),
        (r#"{"add":null}"#, "without an action"),
        (r#"{"add":{},"remove":{}}"#, "several actions"),
        (r#"{"add":{}}"#, "add.path is missing"),
        (r#"{"add":{"path":"a","size":-1}}"#, "add.size"),
        (r#"{"add":{"path":"a","path":"b"}}"#, "add.path is there twice"),
        (r#"{"add":{"path":"a","size":1.5}}"#, "add.size"),
        (r#"{"remove":{"path":"a","deletionVector":{}}}"#, "remove.deletionVector.storageType"),
        (r#"{"protocol":{"minReaderVersion":1}}"#, "protocol.minWriterVersion is missing"),
        (r#"{"commitInfo":3}"#, "commitInfo"),
        (r#"{"cdc":3}"#, "cdc"),
    ];
    for (text, wanted) in cases {
        let error = LogAction::from_json(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn a_commit_is_a_stream_of_values() {
    let pretty = "{\n \"txn\": {\n \"appId\": \"a\",\n \"version\": 1 }\n}\n\n  {\"txn\":\
                  {\"appId\":\"b\",\"version\":2}}{\"x\":{\n}}  \r\n";
    let actions = parse_commit(pretty.as_bytes()).unwrap().actions;
    let lines: Vec<String> = actions.iter().map(LogAction::to_json).collect();
    assert_eq!(
        lines,
        [
            r#"{"txn":{"appId":"a","version":1}}"#,
            r#"{"txn":{"appId":"b","version":2}}"#,
            r#"{"x":{}}"#
        ]
    );
    let cut = parse_commit(b"{\"txn\":{\"appId\":\"a\",\"ver").unwrap_err().to_string();
    assert!(cut.contains("EOF"), "{cut}");
    let second = parse_commit(b"{\"x\":1}\n{\"txn\":{}}").unwrap_err().to_string();
    assert!(second.starts_with("action 2: txn.appId"), "{second}");
    // Behind the values that one part of a long commit has.
    let late = format!("{}{{\"txn\":{{}}}}", "{\"x\":1}\n".repeat(2_000));
    let late = parse_commit(late.as_bytes()).unwrap_err().to_string();
    assert!(late.starts_with("action 2001: txn.appId"), "{late}");
    assert!(parse_commit(b"{\"x\":\"\xff\"}").is_err());
    assert!(parse_commit(b"").unwrap().actions.is_empty());
}

#[test]
fn what_changes_nothing_is_passed_over_and_told() {
    for (text, actions, oddity) in [
        ("{}", 0, Some(Oddity::NoAction)),
        (r#"{"add":null}"#, 0, Some(Oddity::NoAction)),
        (r#"{"new":1,"newer":2}"#, 1, Some(Oddity::UnknownActions)),
        (r#"{"commitInfo":{"a":1,"b":2,"a":{}}}"#, 1, Some(Oddity::RepeatedKey)),
        (r#"{"commitInfo":{"a":{"b":1,"b":2}}}"#, 1, None),
        (r#"{"new":1,"txn":{"appId":"a","version":1}}"#, 1, None),
        (r#"{"sidecar":{"path":"x"},"newer":2}"#, 1, None),
    ] {
        let parsed = parse_commit(text.as_bytes()).unwrap();
        assert_eq!(parsed.actions.len(), actions, "{text}");
        assert_eq!(parsed.oddities.into_iter().next(), oddity, "{text}");
    }
}
