//! Tables that break naive implementations: whatever version was synced first and whatever
//! version comes next, the replica has the source's files under a log without violations.

use deepclone_core::reason::Reason;
use serde_json::{Value, json};

use crate::support::*;

/// Syncs at every version, then at every later one, each pair from nothing.
async fn every_pair(commits: &[Vec<Value>]) {
    for first in 0..commits.len() {
        for next in first + 1..commits.len() {
            let (mut source, target) = (Table::new("source"), Table::new("target"));
            for actions in &commits[..=first] {
                source.commit(actions).await;
            }
            sync_equal(&source, &target, &spec()).await;
            for actions in &commits[first + 1..=next] {
                source.commit(actions).await;
            }
            sync_equal(&source, &target, &spec()).await;
            let did = sync(&source, &target, &spec()).await.unwrap();
            assert!(matches!(did, Did::UpToDate), "{first} then {next}");
        }
    }
}

#[tokio::test]
async fn a_replaced_table_under_another_id_and_partitioning() {
    let mut replaced = metadata("other-id", json!({}));
    replaced["metaData"]["partitionColumns"] = json!([]);
    let flat = add_with("z1", json!({"path": "z1.parquet", "partitionValues": {}}));
    let old = metadata("source-id", json!({}));
    every_pair(&[
        vec![protocol(1, 2), old.clone(), add("a1"), add("b1")],
        vec![replaced, remove("a1"), remove("b1"), flat],
        vec![old, gone("z1.parquet"), add("a1"), add("b1")],
        vec![add("c1")],
    ])
    .await;
}

#[tokio::test]
async fn one_path_that_comes_goes_and_comes_back_with_other_statistics() {
    let poorer = json!({"stats": "{\"numRecords\":3}", "tags": {"t": "1"}});
    every_pair(&[
        vec![protocol(1, 2), metadata("source-id", json!({})), add("a1")],
        vec![remove("a1")],
        vec![add("a1")],
        vec![add_with("a1", poorer)],
        vec![remove("a1"), add("a2")],
        vec![add("a1"), remove("a2")],
    ])
    .await;
}

#[tokio::test]
async fn deletion_vectors_of_one_object_and_none_at_all() {
    let with = |offset| json!({"deletionVector": vector(offset)});
    every_pair(&[
        vec![
            features(&["deletionVectors"], &["deletionVectors"]),
            metadata("source-id", json!({"delta.enableDeletionVectors": "true"})),
            add("a1"),
        ],
        vec![remove("a1"), add_with("a1", with(1))],
        // Born and marked between two syncs; offset 0 and no offset are two vectors.
        vec![add("b1")],
        vec![remove("b1"), add_with("b1", with(0))],
        vec![remove_with("a1", with(1)), add_with("a1", with(42))],
        vec![remove_with("a1", with(42)), add("a1"), remove_with("b1", with(0))],
    ])
    .await;
}

fn row_tracking(enabled: &str) -> Value {
    metadata("source-id", json!({"delta.enableRowTracking": enabled}))
}

fn mark(mark: i64, removed: bool) -> Value {
    json!({"domainMetadata": {"domain": "delta.rowTracking",
        "configuration": format!("{{\"rowIdHighWaterMark\":{mark}}}"), "removed": removed}})
}

#[tokio::test]
async fn row_ids_that_are_filled_in_turned_on_and_dropped() {
    let quiet =
        |first: i64| json!({"dataChange": false, "baseRowId": first, "defaultRowCommitVersion": 2});
    let bare = json!({"dataChange": false});
    let commits = [
        vec![protocol(1, 2), row_tracking("false"), add("a1"), add("b1")],
        vec![features(&[], &["appendOnly", "invariants", "domainMetadata", "rowTracking"])],
        vec![mark(5, false), add_with("a1", quiet(0)), add_with("b1", quiet(3))],
        vec![row_tracking("true")],
        vec![mark(8, false), add_with("c1", json!({"baseRowId": 6, "defaultRowCommitVersion": 4}))],
        vec![
            row_tracking("false"),
            features(&[], &["appendOnly", "invariants", "domainMetadata"]),
            mark(8, true),
            add_with("a1", bare.clone()),
            add_with("b1", bare.clone()),
            add_with("c1", bare),
        ],
        vec![add("d1")],
    ];
    every_pair(&commits).await;

    let (mut source, target) = (Table::new("source"), Table::new("target"));
    source.commit(&commits[0]).await;
    sync_equal(&source, &target, &spec()).await;
    for actions in &commits[1..=3] {
        source.commit(actions).await;
    }
    let did = sync_equal(&source, &target, &spec()).await;
    assert!(did.objects().is_empty(), "row ids move no object");
    let (adds, removes) = file_actions(&target.read(1).await);
    assert!(removes.is_empty() && adds.iter().all(|add| !add.data_change), "{adds:?}");
}

#[tokio::test]
async fn a_protocol_that_grows_and_shrinks() {
    let generated = SCHEMA.replacen(
        "\"metadata\":{}",
        "\"metadata\":{\"delta.generationExpression\":\"1\"}",
        1,
    );
    let described = |configuration: Value| {
        let mut action = metadata("source-id", configuration);
        action["metaData"]["schemaString"] = json!(generated);
        action
    };
    let dv = || json!({"deletionVector": vector(1)});
    let both = ["columnMapping", "deletionVectors"];
    let legacy = ["appendOnly", "checkConstraints", "changeDataFeed", "generatedColumns"];
    let writers: Vec<&str> = legacy.iter().chain(&["invariants"]).chain(&both).copied().collect();
    let mapped = [&["columnMapping", "invariants"], &legacy[..]].concat();
    every_pair(&[
        vec![protocol(1, 4), described(json!({})), add("a1")],
        vec![
            features(
                &["deletionVectors"],
                &[&["deletionVectors", "invariants"], &legacy[..]].concat(),
            ),
            described(json!({"delta.enableDeletionVectors": "true"})),
        ],
        vec![remove("a1"), add_with("a1", dv())],
        vec![remove_with("a1", dv()), add("a2")],
        // DROP FEATURE, back to the legacy protocol.
        vec![protocol(1, 4), described(json!({}))],
        vec![
            json!({"protocol": {"minReaderVersion": 2, "minWriterVersion": 7,
                "writerFeatures": mapped}}),
            described(json!({"delta.columnMapping.mode": "name"})),
        ],
        vec![features(&both, &writers), add("b1")],
    ])
    .await;
}

fn spelled(path: &str) -> Value {
    add_with("a1", json!({"path": path}))
}

fn gone(path: &str) -> Value {
    json!({"remove": {"path": path, "deletionTimestamp": 9, "dataChange": true}})
}

#[tokio::test]
async fn one_path_in_many_spellings() {
    every_pair(&[
        vec![
            protocol(1, 2),
            metadata("source-id", json!({})),
            spelled("p=a%3ab/1.parquet"),
            spelled("p=Acme Inc./%C3%BC.parquet"),
            spelled("special%20p@%23h/test%25file%25prefix.parquet"),
        ],
        vec![gone("p=a%3Ab/1.parquet"), gone("p=Acme%20Inc./ü.parquet")],
        vec![spelled("p=a%3Ab/2.parquet")],
        vec![gone("p=a%3ab/2.parquet"), spelled("p=a%3ab/3.parquet")],
    ])
    .await;
}

#[tokio::test]
async fn an_absolute_path_inside_the_source_is_one_inside_the_replica() {
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    let absolute = "s3a://source/source/p=a%3Ab/1.parquet";
    source.commit(&[protocol(1, 2), metadata("source-id", json!({})), spelled(absolute)]).await;
    let live = |snapshot: deepclone_delta::snapshot::Snapshot| -> Vec<String> {
        snapshot.files.into_values().map(|add| add.path).collect()
    };
    let did = sync(&source, &target, &spec()).await.unwrap();
    assert_eq!(did.objects(), ["p=a:b/1.parquet"]);
    assert_eq!(live(target.snapshot().await), ["p=a%3Ab/1.parquet"]);
    // The same object under another spelling is no other object.
    source.commit(&[gone(absolute), spelled("p=a%3ab/1.parquet")]).await;
    assert!(sync(&source, &target, &spec()).await.unwrap().objects().is_empty());
    assert_eq!(live(target.snapshot().await), ["p=a%3Ab/1.parquet"]);
    source.commit(&[gone("p=a%3ab/1.parquet")]).await;
    sync(&source, &target, &spec()).await.unwrap();
    assert!(live(target.snapshot().await).is_empty());
}

#[tokio::test]
async fn paths_that_cannot_be_followed_are_refused_before_anything_is_written() {
    let outside = json!({"storageType": "u", "pathOrInlineDv": "../ab^-aqEH.-t@S}K{vb[*k^",
        "offset": 1, "sizeInBytes": 30, "cardinality": 2});
    for more in [
        json!({"path": "a//"}),
        json!({"path": "..%2Fx.parquet"}),
        json!({"path": "%2e%2e/x.parquet"}),
        json!({"path": "_delta_log/x.parquet"}),
        json!({"path": "s3://elsewhere/x.parquet"}),
        json!({"path": "/elsewhere/x.parquet"}),
        json!({"path": "a%00.parquet"}),
        json!({"deletionVector": outside}),
    ] {
        let source = Table::new("source");
        let actions = [
            features(&["deletionVectors"], &["deletionVectors"]),
            metadata("source-id", json!({})),
            add_with("a1", more.clone()),
        ];
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        let name = "_delta_log/00000000000000000000.json";
        source.put(name, lines.join("\n").into_bytes()).await;
        let target = Table::new("target");
        let reason = sync(&source, &target, &spec()).await.unwrap_err();
        assert_eq!(reason, Reason::UnsupportedFeature, "{more}");
        assert!(target.get(name).await.is_none(), "{more}");
    }
}

#[tokio::test]
async fn a_chain_of_replicas_keeps_its_markers_apart() {
    let mut first = Table::new("first");
    let txn = |app: &str, more: Value| {
        let mut txn = json!({"appId": app, "version": 4});
        txn.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "txn": txn })
    };
    let retention = json!({"delta.setTransactionRetentionDuration": "interval 1 hour",
        "delta.checkpointInterval": "1"});
    let timed = txn("timed", json!({"lastUpdated": 5}));
    first.commit(&[protocol(1, 2), metadata("id", retention), timed, txn("bare", json!({}))]).await;
    let (middle, last) = (Table::new("source"), Table::new("target"));
    for round in 0..4 {
        first.commit(&[add(&format!("a{round}"))]).await;
        sync_equal(&first, &middle, &spec()).await;
        sync_equal(&middle, &last, &spec()).await;
        assert!(matches!(sync(&middle, &last, &spec()).await, Ok(Did::UpToDate)));
    }
    // Our markers outlive the retention of transactions, in the log and in its checkpoints.
    for version in 0..3 {
        middle.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    let apps: Vec<String> = middle.snapshot().await.txns.into_keys().collect();
    assert_eq!(apps.iter().filter(|app| app.starts_with("deepclone")).count(), 2, "{apps:?}");
    assert!(apps.contains(&"bare".to_owned()) && !apps.contains(&"timed".to_owned()), "{apps:?}");
}
