//! Each rule broken once.

use bytes::Bytes;

use super::*;
use crate::actions;

const PROTOCOL: &str = concat!(
    r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"#,
    r#""readerFeatures":["deletionVectors"],"#,
    r#""writerFeatures":["deletionVectors","domainMetadata","inCommitTimestamp","rowTracking"]}}"#
);
const METADATA: &str = concat!(
    r#"{"metaData":{"id":"i","format":{"provider":"parquet","options":{}},"#,
    r#""schemaString":"{}","partitionColumns":[],"configuration":{}}}"#
);
const ADD: &str =
    r#"{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#;
const REMOVE: &str = r#"{"remove":{"path":"a","deletionTimestamp":1,"dataChange":true}}"#;
const ADD_VECTOR: &str = concat!(
    r#"{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,"#,
    r#""deletionVector":{"storageType":"i","pathOrInlineDv":"x","sizeInBytes":1,"cardinality":1}}}"#
);

fn commit(version: u64, lines: &[&str]) -> Commit {
    let bytes = Bytes::from(lines.join("\n"));
    let actions::Parsed { actions, oddities } = actions::parse_commit(&bytes).unwrap();
    Commit { version, bytes, actions, oddities, sha256: [0; 32], modified_ms: 0 }
}

fn with_property(key: &str) -> String {
    METADATA.replace(r#""configuration":{}"#, &format!(r#""configuration":{{"{key}":"true"}}"#))
}

#[test]
fn a_sound_log_has_no_violations() {
    let commits = [
        commit(0, &[PROTOCOL, METADATA, ADD]),
        commit(1, &[REMOVE, ADD_VECTOR]),
        commit(2, &[ADD_VECTOR]),
    ];
    assert_eq!(validate_log("s3://b/t", &commits), Vec::<String>::new());
}

#[test]
fn every_broken_rule_is_named() {
    let ict = with_property("delta.enableInCommitTimestamps");
    let feed = with_property("delta.enableChangeDataFeed");
    let rows = with_property("delta.enableRowTracking");
    let narrower = PROTOCOL.replace(r#","rowTracking""#, "");
    let one_side =
        PROTOCOL.replace(r#""readerFeatures":["deletionVectors"]"#, r#""readerFeatures":[]"#);
    let txn = r#"{"txn":{"appId":"x","version":1}}"#;
    let bare = r#"{"domainMetadata":{"domain":"d","configuration":"","removed":true}}"#;
    let mark = |mark: u32| {
        let configuration = format!(r#"{{\"rowIdHighWaterMark\":{mark}}}"#);
        bare.replace(r#""d""#, r#""delta.rowTracking""#)
            .replace(r#""""#, &format!(r#""{configuration}""#))
            .replace("true", "false")
    };
    let (nine, eight) = (mark(9), mark(8));
    let time = |ms: u32| format!(r#"{{"commitInfo":{{"inCommitTimestamp":{ms}}}}}"#);
    let (five, six) = (time(5), time(6));
    let cases: &[(&[&str], &[&str], &str)] = &[
        (&[ADD], &[ADD, REMOVE], "add and remove of a"),
        (&[ADD], &[ADD, ADD], "two add of a"),
        (&[], &[REMOVE], "remove of a, which is not live"),
        (&[ADD], &[ADD_VECTOR], "while the path is live with another deletion vector"),
        (&[], &[PROTOCOL, PROTOCOL], "2 actions protocol"),
        (&[], &[METADATA, METADATA], "2 actions metaData"),
        (&[], &[txn, txn], "two actions txn x"),
        (&[], &[bare], "has no configuration"),
        (&[], &[&feed], "the feature changeDataFeed is active but not listed"),
        (&[], &[&one_side], "the feature deletionVectors is not listed where it must be"),
        (&[], &[&narrower], "the protocol loses the feature rowTracking"),
        (&[], &[&ict], "commitInfo is not the first action"),
        (&[], &[r#"{"commitInfo":{}}"#, &ict], "the in-commit timestamp is missing"),
        (&[&six, &ict], &[&five], "the in-commit timestamp 5 is not above 6"),
        (&[&nine], &[&eight], "the row id mark goes down from 9 to 8"),
        (&[], &[&rows, ADD], "has no first row id"),
    ];
    for (before, after, expect) in cases {
        let mut first = before.to_vec();
        first.extend([PROTOCOL, METADATA].iter().filter(|line| {
            let name = line.split('"').nth(1).unwrap();
            !before.iter().any(|other| other.contains(&format!("{{\"{name}\"")))
        }));
        let violations = validate_log("s3://b/t", &[commit(0, &first), commit(1, after)]);
        assert!(
            violations.iter().any(|violation| {
                violation.starts_with("version 1: ") && violation.contains(expect)
            }),
            "{expect}: {violations:?}"
        );
    }
}
