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
    Commit { version, bytes, actions, oddities, sha256: [0; 32], modified_ms: 0, etag: None }
}

fn with_property(key: &str) -> String {
    METADATA.replace(r#""configuration":{}"#, &format!(r#""configuration":{{"{key}":"true"}}"#))
}

/// The high-water mark of row ids.
fn mark(mark: u32) -> String {
    let mark = format!(r#"{{\"rowIdHighWaterMark\":{mark}}}"#);
    domain("delta.rowTracking", &mark, "false")
}

fn domain(name: &str, configuration: &str, removed: &str) -> String {
    let fields = format!(r#""domain":"{name}","configuration":"{configuration}","#);
    format!(r#"{{"domainMetadata":{{{fields}"removed":{removed}}}}}"#)
}

fn with_row_id(first: u32) -> String {
    ADD.replace(r#""size""#, &format!(r#""baseRowId":{first},"size""#))
}

#[test]
fn a_sound_log_has_no_violations() {
    let commits = [
        commit(0, &[PROTOCOL, METADATA, ADD]),
        commit(1, &[REMOVE, ADD_VECTOR]),
        commit(2, &[ADD_VECTOR]),
    ];
    assert_eq!(validate_log("s3://b/t", &commits), Vec::<String>::new());
    let (rows, nine) = (with_property("delta.enableRowTracking"), mark(9));
    let commits = [commit(0, &[PROTOCOL, &rows, &nine, &with_row_id(9)]), commit(1, &[&nine])];
    assert_eq!(validate_log("s3://b/t", &commits), Vec::<String>::new());
}

#[test]
fn a_table_needs_a_protocol_and_a_metadata() {
    for half in [PROTOCOL, METADATA] {
        let violations = validate_log("s3://b/t", &[commit(0, &[half])]);
        assert_eq!(violations, ["version 0: the table has no protocol or no metadata"]);
    }
}

/// The actions of a commit, those of the next one, and a violation of the next one.
type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a str);

fn assert_named(cases: &[Case<'_>]) {
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

#[test]
fn every_broken_rule_of_files_and_times_is_named() {
    let ict = with_property("delta.enableInCommitTimestamps");
    let rows = with_property("delta.enableRowTracking");
    let absolute = ADD.replace(r#""path":"a""#, r#""path":"s3://b/t/a""#);
    let txn = r#"{"txn":{"appId":"x","version":1}}"#;
    let (nine, eight) = (mark(9), mark(8));
    let (row_zero, row_ten) = (with_row_id(0), with_row_id(10));
    let time = |ms: u32| format!(r#"{{"commitInfo":{{"inCommitTimestamp":{ms}}}}}"#);
    let (five, six) = (time(5), time(6));
    assert_named(&[
        (&[ADD], &[ADD, REMOVE], "add and remove of a"),
        (&[ADD], &[ADD, ADD], "two add of a"),
        (&[], &[REMOVE], "remove of a, which is not live"),
        (&[ADD], &[ADD_VECTOR], "while the path is live with another deletion vector"),
        (&[], &[&absolute], "the path s3://b/t/a is absolute"),
        (&[], &[txn, txn], "two actions txn x"),
        (&[], &[&ict], "commitInfo is not the first action"),
        (&[], &[r#"{"commitInfo":{}}"#, &ict], "the in-commit timestamp is missing"),
        (&[&six, &ict], &[&five], "the in-commit timestamp 5 is not above 6"),
        (&[&nine], &[&eight], "the row id mark goes down from 9 to 8"),
        (&[], &[&rows, ADD], "has no first row id"),
        (&[], &[&rows, &row_zero], "the first row id of a is above the mark"),
        (&[&nine], &[&rows, &row_ten], "the first row id of a is above the mark"),
    ]);
}

#[test]
fn every_broken_rule_of_the_table_is_named() {
    let feed = with_property("delta.enableChangeDataFeed");
    let narrower = PROTOCOL.replace(r#","rowTracking""#, "");
    let one_side =
        PROTOCOL.replace(r#""readerFeatures":["deletionVectors"]"#, r#""readerFeatures":[]"#);
    let protocol = |versions: [u32; 2], lists: &str| {
        let [reader, writer] = versions;
        let versions = format!(r#""minReaderVersion":{reader},"minWriterVersion":{writer}"#);
        format!(r#"{{"protocol":{{{versions},{lists}}}}}"#)
    };
    let reader_list = protocol([1, 7], r#""readerFeatures":[],"writerFeatures":[]"#);
    let writer_list = protocol([1, 2], r#""writerFeatures":[]"#);
    let low_writer = protocol([3, 5], r#""readerFeatures":[]"#);
    let (bare, whole) = (domain("d", "", "true"), domain("d", "{}", "false"));
    assert_named(&[
        (&[], &[PROTOCOL, PROTOCOL], "2 actions protocol"),
        (&[], &[METADATA, METADATA], "2 actions metaData"),
        (&[], &[&feed], "the feature changeDataFeed is active but not listed"),
        (&[], &[&one_side], "the feature deletionVectors is not listed where it must be"),
        (&[], &[&narrower], "the protocol loses the feature rowTracking"),
        (&[], &[&reader_list], "the protocol's lists do not fit its versions"),
        (&[], &[&writer_list], "the protocol's lists do not fit its versions"),
        (&[], &[&low_writer], "the protocol's lists do not fit its versions"),
        (&[], &[&whole, &whole], "two actions domainMetadata d"),
        (&[], &[&bare], "has no configuration"),
        (&[], &[&bare], "the domain d was not there to remove"),
    ]);
}
