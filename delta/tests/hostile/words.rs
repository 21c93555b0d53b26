//! Words of a table that would move a cursor, end a line or turn a text around: no message shows
//! them as they are.

use serde_json::json;

use crate::support::{FIRST, METADATA, PROTOCOL, commit, read};

const WORDS: [&str; 8] = [
    "a\u{1b}[2Jb",
    "a\u{9b}2Jb",
    "a\nb",
    "a\r\nb",
    "a\u{202e}b",
    "a\u{2028}b",
    "a\u{0}b",
    "a\u{200b}b",
];

#[tokio::test]
async fn no_message_holds_what_cannot_be_seen() {
    for word in WORDS {
        let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": [word], "writerFeatures": [word]}});
        let add = |path: &str| {
            let flags = json!({"size": 1, "modificationTime": 1, "dataChange": true});
            let mut add = flags.as_object().cloned().unwrap();
            add.insert("path".to_owned(), path.into());
            json!({ "add": add })
        };
        let vector = |kind: &str, path: &str| {
            json!({"add": {"path": "x", "size": 1, "modificationTime": 1, "dataChange": true,
                "deletionVector": {"storageType": kind, "pathOrInlineDv": path, "sizeInBytes": 1,
                    "cardinality": 1}}})
        };
        let twice = format!(r#"{{"add":{{{0}:1,{0}:1}}}}"#, json!(word));
        let several = format!(r#"{{"add":{{{}:1}},"remove":{{}}}}"#, json!(word));
        let schema = json!({"metaData": {"id": "a", "format": {"provider": "parquet"},
            "schemaString": word, "partitionColumns": [word], "configuration": {}}});
        let mut refused = 0;
        for (what, text) in [
            ("feature", format!("{protocol}\n{METADATA}")),
            ("path", commit(&[&add(&format!("../{word}")).to_string()])),
            ("host", commit(&[&add(&format!("s3://{word}/x")).to_string()])),
            ("kind of a vector", commit(&[&vector(word, "x").to_string()])),
            ("vector", commit(&[&vector("p", &format!("s3://{word}/x")).to_string()])),
            ("key", commit(&[&twice])),
            ("actions", commit(&[&several])),
            ("schema", format!("{PROTOCOL}\n{schema}")),
            ("no JSON", commit(&[word])),
        ] {
            let found = read(&[(FIRST, text.as_bytes())]).await;
            refused += usize::from(found.is_err());
            // A feature and a schema are judged when a sync is planned.
            let is_later = ["feature", "schema"].contains(&what);
            assert!(found.is_err() || is_later, "{what} {word:?}");
        }
        assert!(refused >= 7, "{word:?}");
    }
}
