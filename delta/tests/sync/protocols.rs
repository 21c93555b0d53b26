//! Protocols and properties as real writers leave them, and what the replica's protocol says.

use deepclone_core::spec::CloneSpec;
use deepclone_delta::actions::Protocol;
use deepclone_delta::verify::{Depth, verify};
use serde_json::{Value, json};

use crate::support::*;

/// A protocol with lists wherever they are given, fitting or not.
fn listed(reader: u32, writer: u32, readers: Option<&[&str]>, writers: Option<&[&str]>) -> Value {
    let mut fields = json!({"minReaderVersion": reader, "minWriterVersion": writer});
    for (name, list) in [("readerFeatures", readers), ("writerFeatures", writers)] {
        if let Some(list) = list {
            fields[name] = json!(list);
        }
    }
    json!({ "protocol": fields })
}

/// `3,7 [a b] [a b c]`; `-` where there is no list.
fn shown(protocol: &Protocol) -> String {
    let list = |names: &Option<Vec<String>>| match names {
        Some(names) => format!("[{}]", names.join(" ")),
        None => "-".to_owned(),
    };
    format!(
        "{},{} {} {}",
        protocol.min_reader_version,
        protocol.min_writer_version,
        list(&protocol.reader_features),
        list(&protocol.writer_features)
    )
}

/// The schema of these tests with physical names, as column mapping wants it.
fn mapped_schema() -> String {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (number, field) in schema["fields"].as_array_mut().unwrap().iter_mut().enumerate() {
        field["metadata"] = json!({"delta.columnMapping.id": number + 1,
            "delta.columnMapping.physicalName": field["name"].clone()});
    }
    schema.to_string()
}

fn described(configuration: Value, schema: &str) -> Value {
    let mut action = metadata("source-id", configuration);
    action["metaData"]["schemaString"] = json!(schema);
    action
}

/// The replica of a source whose one commit holds these and a file.
async fn cloned(actions: &[Value]) -> (Table, Table, Did) {
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    source.commit(&[actions, &[add("a1")]].concat()).await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)), "{actions:?}");
    (source, target, did)
}

#[tokio::test]
async fn a_feature_of_readers_and_writers_in_one_list_is_listed_in_both() {
    let cases: &[(Value, &str)] = &[
        (listed(3, 7, Some(&[]), Some(&["columnMapping"])), "3,7 [columnMapping] [columnMapping]"),
        (listed(3, 7, Some(&["columnMapping"]), Some(&[])), "3,7 [columnMapping] [columnMapping]"),
        (
            listed(3, 7, Some(&[]), Some(&["appendOnly", "deletionVectors"])),
            "3,7 [deletionVectors] [appendOnly deletionVectors]",
        ),
        (
            listed(3, 7, Some(&["deletionVectors"]), Some(&["appendOnly"])),
            "3,7 [deletionVectors] [appendOnly deletionVectors]",
        ),
        // Reader versions 1 and 2 have no list.
        (listed(1, 7, None, Some(&["deletionVectors"])), "3,7 [deletionVectors] [deletionVectors]"),
        (listed(2, 7, None, Some(&[])), "3,7 [columnMapping] [columnMapping]"),
        (listed(2, 7, None, Some(&["columnMapping"])), "2,7 - [columnMapping]"),
        // Readers would refuse a writer's feature in their list.
        (listed(3, 7, Some(&["appendOnly"]), Some(&["appendOnly"])), "3,7 [] [appendOnly]"),
        (listed(3, 7, Some(&["appendOnly"]), Some(&[])), "3,7 [] [appendOnly]"),
    ];
    for (protocol, expect) in cases {
        let (_, target, _) = cloned(&[protocol.clone(), metadata("source-id", json!({}))]).await;
        assert_eq!(shown(&target.snapshot().await.protocol), *expect, "{protocol}");
    }
    for name in [
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
        "variantShredding",
        "variantShredding-preview",
        "variantType",
        "variantType-preview",
    ] {
        for (readers, writers) in [(&[name][..], &[][..]), (&[], &[name])] {
            let protocol = listed(3, 7, Some(readers), Some(writers));
            let (_, target, did) = cloned(&[protocol, metadata("source-id", json!({}))]).await;
            let found = shown(&target.snapshot().await.protocol);
            assert_eq!(found, format!("3,7 [{name}] [{name}]"));
            assert_notice(&did, name);
        }
    }
}

/// The features that the page on compatibility lists as carried after these words.
fn on_the_page(words: &str) -> Vec<&'static str> {
    let (_, list) = include_str!("../../../docs/compatibility.md").split_once(words).unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty() && !line.starts_with('*'));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[tokio::test]
async fn every_feature_that_is_carried_stands_in_the_replicas_lists() {
    let both = on_the_page("* for readers and writers:");
    let writers = on_the_page("* for writers alone:");
    assert!(both.contains(&"deletionVectors") && writers.contains(&"appendOnly"));
    let both = both.into_iter().map(|name| (name, true));
    for (name, is_for_readers) in both.chain(writers.into_iter().map(|name| (name, false))) {
        for name in [name.to_owned(), format!("{name}-preview")] {
            // Clustering and row tracking need domain metadata in any case.
            let writers = ["domainMetadata", &name];
            let readers: &[&str] = if is_for_readers { &[&name] } else { &[] };
            let protocol = features(readers, &writers);
            let (source, target, did) = cloned(&[protocol, metadata("source-id", json!({}))]).await;
            assert_eq!(notices(&did), [] as [String; 0], "{name}");
            let (source, target) = (source.snapshot().await, target.snapshot().await);
            assert_eq!(shown(&target.protocol), shown(&source.protocol), "{name}");
        }
    }
}

#[tokio::test]
async fn a_mapped_table_stays_mapped_when_readers_do_not_list_it() {
    let mode = json!({"delta.columnMapping.mode": "name"});
    let protocol = listed(3, 7, Some(&[]), Some(&["columnMapping"]));
    let (mut source, target, _) = cloned(&[protocol, described(mode, &mapped_schema())]).await;
    let snapshot = target.snapshot().await;
    assert_eq!(shown(&snapshot.protocol), "3,7 [columnMapping] [columnMapping]");
    assert_eq!(snapshot.metadata.configuration["delta.columnMapping.mode"], "name");
    // The source corrects its protocol: only the record changes.
    source.commit(&[listed(3, 7, Some(&["columnMapping"]), Some(&["columnMapping"]))]).await;
    let Did::Published { change_set, version, .. } = sync_equal(&source, &target, &spec()).await
    else {
        unreachable!()
    };
    assert_eq!(change_set.notices, Vec::<String>::new());
    assert!(!action_names(&target.read(version).await).contains("protocol"));
}

#[tokio::test]
async fn lists_that_the_versions_do_not_allow_are_left_out() {
    let some: &[&str] = &["appendOnly"];
    let cases: &[(Value, &str)] = &[
        (listed(1, 2, Some(&[]), Some(&[])), "1,2 - -"),
        (listed(1, 2, Some(&[]), None), "1,2 - -"),
        (listed(1, 2, None, Some(&[])), "1,2 - -"),
        (listed(1, 2, None, Some(some)), "1,2 - -"),
        (listed(1, 2, Some(some), Some(some)), "1,2 - -"),
        (listed(1, 1, Some(&[]), Some(&[])), "1,1 - -"),
        (listed(2, 5, Some(&[]), Some(&["columnMapping"])), "2,5 - -"),
        (listed(1, 7, Some(&[]), Some(some)), "1,7 - [appendOnly]"),
        (listed(2, 7, Some(&["columnMapping"]), Some(&["columnMapping"])), "2,7 - [columnMapping]"),
    ];
    for (protocol, expect) in cases {
        let described = metadata("source-id", json!({}));
        let (mut source, target, _) = cloned(&[protocol.clone(), described]).await;
        assert_eq!(shown(&target.snapshot().await.protocol), *expect, "{protocol}");
        // Again as an action of its own, and beside features that the replica keeps.
        source.commit(&[features(&["deletionVectors"], &["deletionVectors"])]).await;
        sync_equal(&source, &target, &spec()).await;
        source.commit(std::slice::from_ref(protocol)).await;
        sync_equal(&source, &target, &spec()).await;
    }
}

/// Every property that activates a feature, with its feature.
const SWITCHES: &[(&str, &str, &str)] = &[
    ("delta.appendOnly", "true", "appendOnly"),
    ("delta.checkpointPolicy", "v2", "v2Checkpoint"),
    ("delta.columnMapping.mode", "name", "columnMapping"),
    ("delta.columnMapping.mode", "id", "columnMapping"),
    ("delta.constraints.c", "id > 0", "checkConstraints"),
    ("delta.enableChangeDataFeed", "true", "changeDataFeed"),
    ("delta.enableDeletionVectors", "true", "deletionVectors"),
    ("delta.enableIcebergCompatV1", "true", "icebergCompatV1"),
    ("delta.enableIcebergCompatV2", "true", "icebergCompatV2"),
    ("delta.enableIcebergCompatV3", "true", "icebergCompatV3"),
    ("delta.enableIcebergWriterCompatV1", "true", "icebergWriterCompatV1"),
    ("delta.enableInCommitTimestamps", "true", "inCommitTimestamp"),
    ("delta.enableMaterializePartitionColumnsFeature", "true", "materializePartitionColumns"),
    ("delta.enableRowTracking", "true", "rowTracking"),
    ("delta.enableTypeWidening", "true", "typeWidening"),
    ("delta.enableVariantShredding", "true", "variantShredding"),
];

/// Those that Spark applies in a legacy protocol, too, and then refuses the table.
const REFUSED_ALONE: &[&str] = &[
    "delta.columnMapping.mode",
    "delta.enableInCommitTimestamps",
    "delta.enableRowTracking",
    "delta.enableTypeWidening",
];

#[tokio::test]
async fn a_property_activates_no_feature_that_the_protocol_does_not_support() {
    for (key, value, feature) in SWITCHES {
        let set = json!({*key: *value});
        // A legacy protocol: the property stays as it is, unless Spark refuses to read it.
        let (mut source, target, did) =
            cloned(&[protocol(1, 1), metadata("source-id", set.clone())]).await;
        let snapshot = target.snapshot().await;
        assert_eq!(shown(&snapshot.protocol), "1,1 - -", "{key}");
        assert!(snapshot.ict.is_none());
        let kept = snapshot.metadata.configuration.contains_key(*key);
        assert_eq!(kept, !REFUSED_ALONE.contains(key), "{key}");
        assert_eq!(notices(&did).len(), usize::from(!kept), "{:?}", notices(&did));
        assert_eq!(
            verify(&source.store, &target.store, Depth::Sizes).await.unwrap().differences,
            []
        );
        // The source comes to support the feature, and now the property means something.
        let reader: &[&str] = if is_for_readers(feature) { &[feature] } else { &[] };
        let both = features(reader, &[feature, "domainMetadata"]);
        source.commit(&[info_at(9), both, mark(3), add_with("a1", row_id())]).await;
        sync_equal(&source, &target, &spec()).await;
        let snapshot = target.snapshot().await;
        assert_eq!(snapshot.metadata.configuration[*key], *value);
        assert!(snapshot.protocol.writer_features.unwrap().contains(&(*feature).to_owned()));
        // With lists Spark refuses to read a property without its feature: it is left out.
        let unlisted = features(&[], &["invariants"]);
        let (source, target, did) = cloned(&[unlisted, metadata("source-id", set)]).await;
        let snapshot = target.snapshot().await;
        assert_eq!(shown(&snapshot.protocol), "3,7 [] [invariants]", "{key}");
        assert!(!snapshot.metadata.configuration.contains_key(*key), "{key}");
        assert_notice(&did, key);
        assert_eq!(
            verify(&source.store, &target.store, Depth::Sizes).await.unwrap().differences,
            []
        );
    }
}

fn is_for_readers(feature: &str) -> bool {
    ["columnMapping", "deletionVectors", "typeWidening", "v2Checkpoint", "variantShredding"]
        .contains(&feature)
}

fn info_at(ms: i64) -> Value {
    json!({"commitInfo": {"operation": "UPGRADE", "inCommitTimestamp": ms}})
}

fn mark(mark: i64) -> Value {
    json!({"domainMetadata": {"domain": "delta.rowTracking",
        "configuration": format!("{{\"rowIdHighWaterMark\":{mark}}}"), "removed": false}})
}

fn row_id() -> Value {
    json!({"baseRowId": 0, "defaultRowCommitVersion": 1, "dataChange": false})
}

#[tokio::test]
async fn a_property_stays_without_effect_where_the_replica_supports_what_the_source_does_not() {
    // The replica never loses a feature, so the old property would take effect there.
    let (mut source, target, _) = cloned(&[
        features(&["columnMapping"], &["columnMapping", "inCommitTimestamp", "rowTracking"]),
        metadata("source-id", json!({})),
    ])
    .await;
    let all = json!({"delta.columnMapping.mode": "name", "delta.enableRowTracking": "true",
        "delta.enableInCommitTimestamps": "true", "delta.logRetentionDuration": "interval 9 days"});
    source.commit(&[protocol(1, 2), metadata("source-id", all)]).await;
    let did = sync_equal(&source, &target, &spec()).await;
    let snapshot = target.snapshot().await;
    let left: Vec<&str> = snapshot.metadata.configuration.keys().map(String::as_str).collect();
    assert_eq!(left, ["delta.logRetentionDuration", "delta.rowTrackingSuspended"]);
    assert!(snapshot.protocol.reader_features.unwrap().contains(&"columnMapping".to_owned()));
    assert_eq!(notices(&did).len(), 3, "{:?}", notices(&did));
    assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
}

#[tokio::test]
async fn what_stands_in_the_schema_activates_nothing_either() {
    let annotated = |key: &str, value: Value| {
        let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
        schema["fields"][0]["metadata"] = json!({ key: value });
        schema.to_string()
    };
    let change = json!([{"fromType": "integer", "toType": "long", "tableVersion": 1}]);
    // Spark reads these out of the schema and refuses a list without them; the last two it does
    // not.
    for (key, value, with_lists) in [
        ("delta.generationExpression", json!("1"), "1,7 - [appendOnly generatedColumns]"),
        ("delta.identity.start", json!(1), "1,7 - [appendOnly identityColumns]"),
        ("delta.invariants", json!("{}"), "1,7 - [appendOnly invariants]"),
        ("CURRENT_DEFAULT", json!("7"), "1,7 - [appendOnly]"),
        ("delta.typeChanges", change, "1,7 - [appendOnly]"),
    ] {
        let schema = annotated(key, value);
        for (protocol, expect) in
            [(protocol(1, 1), "1,1 - -"), (listed(1, 7, None, Some(&["appendOnly"])), with_lists)]
        {
            let (_, target, _) = cloned(&[protocol, described(json!({}), &schema)]).await;
            let snapshot = target.snapshot().await;
            assert_eq!(shown(&snapshot.protocol), expect, "{key}");
            assert_eq!(snapshot.metadata.schema_string, schema);
        }
    }
}

#[tokio::test]
async fn a_filter_knows_a_column_by_the_name_that_readers_use() {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    schema["fields"][1]["metadata"] = json!({"delta.columnMapping.id": 2,
        "delta.columnMapping.physicalName": "col-2"});
    let named = described(json!({"delta.columnMapping.mode": "name"}), &schema.to_string());
    // Spark maps a table with ids in its schema in any protocol: it reads both sides so.
    let only_a = CloneSpec { partition_filter: Some("p = 'a'".into()), ..spec() };
    let physical = |name: &str| add_with(name, json!({"partitionValues": {"col-2": &name[..1]}}));
    let both = listed(3, 7, Some(&[]), Some(&["columnMapping"]));
    for (actions, expect) in [
        ([protocol(1, 2), named.clone(), add("a1"), add("b1")], "p=a/a1.parquet"),
        ([both, named, physical("a1"), physical("b1")], "p=a/a1.parquet"),
    ] {
        let (mut source, target) = (Table::new("source"), Table::new("target"));
        source.commit(&actions).await;
        let did = sync(&source, &target, &only_a).await.unwrap();
        assert_eq!(did.objects(), [expect]);
        let configuration = target.snapshot().await.metadata.configuration;
        assert_eq!(configuration["delta.columnMapping.mode"], "name");
    }
}
