//! Tables of protocols and what becomes of them.

use super::*;
use crate::actions::LogAction;

fn protocol(json: &str) -> Protocol {
    match LogAction::from_json(&format!("{{\"protocol\":{json}}}")).unwrap() {
        LogAction::Protocol(protocol) => protocol,
        other => panic!("{other:?}"),
    }
}

fn metadata(configuration: &str) -> Metadata {
    let json = format!(
        "{{\"metaData\":{{\"id\":\"i\",\"format\":{{}},\"schemaString\":\"{{}}\",\
         \"configuration\":{{{configuration}}}}}}}"
    );
    match LogAction::from_json(&json).unwrap() {
        LogAction::Metadata(metadata) => metadata,
        other => panic!("{other:?}"),
    }
}

fn listed(reader: &[&str], writer: &[&str]) -> String {
    format!(
        "{{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":{reader:?},\"write\
            rFeatures\":{writer:?}}}"
    )
}

#[test]
fn protocols_are_carried_or_refused_by_name() {
    let dv = "deletionVectors";
    let cases = [
        (r#"{"minReaderVersion":1,"minWriterVersion":2}"#.to_owned(), ""),
        (r#"{"minReaderVersion":2,"minWriterVersion":6}"#.to_owned(), ""),
        (r#"{"minReaderVersion":1,"minWriterVersion":2,"readerFeatures":[]}"#.to_owned(), ""),
        (
            r#"{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking"]}"#
                .to_owned(),
            "",
        ),
        (
            r#"{"minReaderVersion":2,"minWriterVersion":7,"writerFeatures":["columnMapping"]}"#
                .to_owned(),
            "",
        ),
        (listed(&[dv], &[dv, "icebergCompatV2", "clustering", "invariants"]), ""),
        (listed(&["variantType-preview"], &["variantType-preview"]), ""),
        (listed(&[], &["blahabl", "zork"]), "uses blahabl, zork, which"),
        (listed(&[], &["blahabl"]), "--allow-feature"),
        (listed(&["catalogManaged"], &["catalogManaged"]), "catalogManaged"),
        (listed(&["catalogOwned-preview"], &["catalogOwned-preview"]), "catalogOwned-preview"),
        (listed(&[], &["coordinatedCommits-preview"]), "coordinatedCommits-preview"),
        (listed(&[], &["redirectWriterOnly-preview"]), "redirectWriterOnly-preview"),
        (listed(&[], &["managedCommit-preview"]), "managedCommit-preview"),
        (listed(&["adaptiveMetadata"], &["adaptiveMetadata"]), "adaptiveMetadata"),
        (
            r#"{"minReaderVersion":4,"minWriterVersion":7,"writerFeatures":[]}"#.to_owned(),
            "reader version 4",
        ),
        (r#"{"minReaderVersion":1,"minWriterVersion":8}"#.to_owned(), "writer version 8"),
        (r#"{"minReaderVersion":0,"minWriterVersion":2}"#.to_owned(), "do not exist"),
        (r#"{"minReaderVersion":3,"minWriterVersion":5}"#.to_owned(), "needs writer version 7"),
        (
            r#"{"minReaderVersion":3,"minWriterVersion":7,"writerFeatures":[]}"#.to_owned(),
            "without readerFeatures",
        ),
        (r#"{"minReaderVersion":1,"minWriterVersion":7}"#.to_owned(), "without writerFeatures"),
        // Lists that do not fit are mended, not refused.
        (
            r#"{"minReaderVersion":1,"minWriterVersion":2,"writerFeatures":["appendOnly"]}"#
                .to_owned(),
            "",
        ),
        (listed(&[dv], &[]), ""),
        (listed(&[], &[dv]), ""),
        // What is elsewhere is refused wherever it stands.
        (
            r#"{"minReaderVersion":1,"minWriterVersion":2,"readerFeatures":["catalogManaged"]}"#
                .to_owned(),
            "catalogManaged",
        ),
    ];
    for (json, wanted) in cases {
        match check(&protocol(&json), &metadata(""), &[]) {
            Ok(()) => assert_eq!(wanted, "", "{json}"),
            Err(error) => {
                let text = error.to_string();
                assert!(!wanted.is_empty() && text.contains(wanted), "{json}: {text}");
            }
        }
    }
}

#[test]
fn what_is_elsewhere_cannot_be_allowed_and_shows_in_properties() {
    let allowed = ["zork".to_owned(), "catalogManaged".to_owned()];
    assert!(check(&protocol(&listed(&[], &["zork"])), &metadata(""), &allowed).is_ok());
    let catalog = protocol(&listed(&["catalogManaged"], &["catalogManaged"]));
    assert!(check(&catalog, &metadata(""), &allowed).is_err());
    let plain = protocol(r#"{"minReaderVersion":1,"minWriterVersion":2}"#);
    for property in [
        "delta.coordinatedCommits.commitCoordinator-preview",
        "delta.redirectReaderWriter-preview",
        "delta.feature.catalogowned",
    ] {
        let error = check(&plain, &metadata(&format!("{property:?}:\"x\"")), &allowed).unwrap_err();
        assert!(error.to_string().contains(property), "{error}");
    }
    assert!(check(&plain, &metadata("\"delta.appendOnly\":\"true\""), &[]).is_ok());
}
