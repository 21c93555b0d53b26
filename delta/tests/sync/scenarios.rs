//! What happens to a source between two syncs, and what the next one does.

use deepclone_core::reason::Reason;
use deepclone_core::spec::{CloneSpec, SourceReplacedPolicy};
use deepclone_delta::verify::{Depth, verify};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn the_first_sync_makes_a_whole_replica() {
    let source = small_source().await;
    let target = Table::new("target");
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects(), ["p=a/a1.parquet", "p=b/b1.parquet"]);
    let commit = target.read(0).await;
    let names: Vec<&str> = commit.actions.iter().map(|action| action.name()).collect();
    assert_eq!(names, ["commitInfo", "protocol", "metaData", "txn", "txn", "add", "add"]);
    let snapshot = target.snapshot().await;
    assert_ne!(snapshot.metadata.id, "source-id");
    assert_eq!(snapshot.metadata.name.as_deref(), Some("n"));
    assert_eq!(snapshot.metadata.description.as_deref(), Some("d"));
    assert_eq!(snapshot.metadata.created_time.map(|time| time >= NOW_MS), Some(true));
    assert_eq!(
        (snapshot.protocol.min_reader_version, snapshot.protocol.min_writer_version),
        (1, 2)
    );
    let (adds, _) = file_actions(&commit);
    assert!(adds.iter().all(|add| add.data_change));
}

#[tokio::test]
async fn the_commit_tells_where_it_comes_from() {
    let mut source = small_source().await;
    source.store.uri = "s3://user:secret@source/source".into();
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let text = String::from_utf8(target.read(0).await.bytes.to_vec()).unwrap();
    assert!(!text.contains("secret"));
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let info = &first["commitInfo"];
    assert_eq!(info["operation"], "CLONE");
    let parameters = json!({"source": "s3://source/source", "sourceVersion": "0",
        "isShallow": "false"});
    assert_eq!(info["operationParameters"], parameters);
    let metrics = json!({"sourceTableSize": "24", "sourceNumOfFiles": "2", "numRemovedFiles": "0",
        "numCopiedFiles": "2", "removedFilesSize": "0", "copiedFilesSize": "24"});
    assert_eq!(info["operationMetrics"], metrics);
    assert_eq!(info["isBlindAppend"], false);
    assert_eq!(info["deepclone"]["sourceId"], "source-id");
    assert_eq!(info["deepclone"]["sourceCommitSha256"].as_str().map(str::len), Some(64));
    // Replicas hold them, and the next release must find its own.
    assert_eq!(info["deepclone"]["scope"], "2985c4dd54856a0465e9f1fc7e077ac1");
    assert_eq!(info["deepclone"]["settings"], "531c32b13d353bbbc9c7557543af1998");
    let history = deepclone_delta::history::history(&target.store).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].source_uri, "s3://source/source");
    assert_eq!(history[0].metrics.map(|metrics| metrics.num_copied_files), Some(2));
}

#[tokio::test]
async fn an_append_moves_the_new_file_only() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[info("WRITE"), add("c1")]).await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects(), ["p=c/c1.parquet"]);
    let commit = target.read(1).await;
    let (adds, removes) = file_actions(&commit);
    assert_eq!((adds.len(), removes.len()), (1, 0));
    assert!(!action_names(&commit).contains("metaData"));
    assert!(!action_names(&commit).contains("protocol"));
}

#[tokio::test]
async fn what_comes_and_goes_between_two_syncs_is_never_copied() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[add("c1")]).await;
    source.commit(&[remove("c1"), remove("a1"), add("d1")]).await;
    source.delete("p=c/c1.parquet").await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects(), ["p=d/d1.parquet"]);
    let (_, removes) = file_actions(&target.read(1).await);
    assert_eq!(removes.len(), 1);
    assert_eq!(removes[0].path, "p=a/a1.parquet");
    assert_eq!(removes[0].size, Some(12));
    assert_eq!(removes[0].partition_values.as_ref().map(|values| values.len()), Some(1));
    assert!(removes[0].deletion_timestamp >= Some(NOW_MS));
    assert!(removes[0].stats.is_some());
}

#[tokio::test]
async fn a_changed_deletion_vector_moves_its_object_once() {
    let mut source = Table::new("source");
    let target = Table::new("target");
    let both = ["deletionVectors"];
    let on = json!({"delta.enableDeletionVectors": "true"});
    source.commit(&[features(&both, &both), metadata("source-id", on), add("a1"), add("a2")]).await;
    sync_equal(&source, &target, &spec()).await;
    source
        .commit(&[
            info("DELETE"),
            remove("a1"),
            add_with("a1", json!({"deletionVector": vector(1)})),
            remove("a2"),
            add_with("a2", json!({"deletionVector": vector(40)})),
        ])
        .await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects(), [VECTOR_OBJECT]);
    let Did::Published { change_set, .. } = did else { unreachable!() };
    assert_eq!(change_set.objects.get(0).size, 40 + 30 + 8);
    assert!(change_set.objects.get(0).size_is_minimum);
    // Another vector of the same object moves nothing; its remove carries the old vector.
    source
        .commit(&[
            remove_with("a1", json!({"deletionVector": vector(1)})),
            add_with("a1", json!({"deletionVector": vector(60)})),
        ])
        .await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert!(did.objects().is_empty());
    let (_, removes) = file_actions(&target.read(2).await);
    assert_eq!(removes[0].deletion_vector.as_ref().and_then(|vector| vector.offset), Some(1));
    // RESTORE to no vector at all.
    source.commit(&[remove_with("a1", json!({"deletionVector": vector(60)})), add("a1")]).await;
    assert!(sync_equal(&source, &target, &spec()).await.objects().is_empty());
}

#[tokio::test]
async fn an_optimize_alone_changes_no_data_and_with_an_append_it_does() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let quiet = json!({"dataChange": false});
    source.commit(&[remove_with("a1", quiet.clone()), add_with("a9", quiet.clone())]).await;
    sync_equal(&source, &target, &spec()).await;
    let (adds, removes) = file_actions(&target.read(1).await);
    assert!(!adds[0].data_change && !removes[0].data_change);
    source.commit(&[remove_with("b1", quiet.clone()), add_with("b9", quiet)]).await;
    source.commit(&[add("c1")]).await;
    sync_equal(&source, &target, &spec()).await;
    let (adds, removes) = file_actions(&target.read(2).await);
    assert!(adds.iter().all(|add| add.data_change) && removes[0].data_change);
}

#[tokio::test]
async fn a_file_leaves_quietly_when_its_rows_were_gone_or_stay_in_another_form() {
    let quiet = |more: serde_json::Value| {
        let mut fields = json!({"dataChange": false});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let with_vector = add_with("a1", quiet(json!({"deletionVector": vector(1)})));
    for (actions, data_change) in [
        (vec![remove_with("a1", quiet(json!({})))], false),
        (vec![remove_with("a1", quiet(json!({}))), with_vector], false),
        (vec![remove("a1")], true),
    ] {
        let (mut source, target) = (Table::new("source"), Table::new("target"));
        let first = [features(&["deletionVectors"], &["deletionVectors"]), add("a1"), add("b1")];
        source.commit(&[&[metadata("source-id", json!({}))][..], &first].concat()).await;
        sync_equal(&source, &target, &spec()).await;
        source.commit(&actions).await;
        sync_equal(&source, &target, &spec()).await;
        let (_, removes) = file_actions(&target.read(1).await);
        // A stream on the replica stops at a `remove` that changes data.
        assert_eq!(removes[0].data_change, data_change, "{actions:?}");
    }
}

#[tokio::test]
async fn a_quiet_commit_of_the_source_changes_a_replica_that_was_not_in_the_state_before_it() {
    let quiet = remove_with("a1", json!({"dataChange": false}));
    // Another writer changed the replica.
    let (mut source, mut target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    target.commit(&[info("WRITE"), add("x1")]).await;
    source.commit(std::slice::from_ref(&quiet)).await;
    let did = sync_equal(&source, &target, &overwrite()).await;
    assert_changes_data(&target, did).await;
    // It has another part of the source.
    let (mut source, target) = (small_source().await, Table::new("target"));
    let only_a = CloneSpec { partition_filter: Some("p = 'a'".into()), ..spec() };
    sync(&source, &target, &only_a).await.unwrap();
    source.commit(std::slice::from_ref(&quiet)).await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert_changes_data(&target, did).await;
    // It has another source.
    let (source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    let mut other = Table::new("source");
    other.commit(&[protocol(1, 2), metadata("other-id", json!({})), add("a1"), add("c1")]).await;
    other.commit(&[quiet]).await;
    let reclone = CloneSpec { source_replaced_policy: SourceReplacedPolicy::Reclone, ..spec() };
    let did = sync_equal(&other, &target, &reclone).await;
    assert_changes_data(&target, did).await;
}

async fn assert_changes_data(target: &Table, did: Did) {
    let Did::Published { version, .. } = did else { panic!("{did:?}") };
    let (_, removes) = file_actions(&target.read(version).await);
    assert!(!removes.is_empty() && removes.iter().all(|remove| remove.data_change), "{removes:?}");
}

#[tokio::test]
async fn checkpoints_come_as_often_between_the_commits_of_a_vacuum() {
    let mut source = Table::new("source");
    let every_third = metadata("source-id", json!({"delta.checkpointInterval": "3"}));
    source.commit(&[protocol(1, 2), every_third, add("a1")]).await;
    let mut target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let mut checkpoints = Vec::new();
    for n in 0..4 {
        // With the sync three commits a round: ours are 1, 4, 7, 10.
        source.commit(&[add(&format!("c{n}"))]).await;
        sync_equal(&source, &target, &spec()).await;
        let version = target.head().await;
        let name = format!("_delta_log/{version:020}.checkpoint.parquet");
        checkpoints.extend(target.get(&name).await.map(|_| version));
        target.commit(&[info("VACUUM START")]).await;
        target.commit(&[info("VACUUM END")]).await;
    }
    assert_eq!(checkpoints, [4, 7, 10]);
}

#[tokio::test]
async fn new_statistics_of_a_live_file_are_a_quiet_re_add() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let better = json!({"stats":
        "{\"numRecords\":3,\"maxValues\":{\"id\":9007199254740993},\"minValues\":{\"id\":1}}",
        "baseRowId": 5, "dataChange": false});
    source.commit(&[add_with("a1", better)]).await;
    let did = sync_equal(&source, &target, &spec()).await;
    assert!(did.objects().is_empty());
    let (adds, removes) = file_actions(&target.read(1).await);
    assert_eq!((adds.len(), removes.len()), (1, 0));
    assert!(!adds[0].data_change);
    // The same statistics in another spelling are no change.
    let spelled = json!({"stats": "{ \"minValues\":{\"id\":1.0},\
        \"maxValues\":{\"id\":9007199254740993},\"numRecords\":3.0}",
        "baseRowId": 5});
    source.commit(&[add_with("a1", spelled)]).await;
    let Did::Published { version, .. } = sync(&source, &target, &spec()).await.unwrap() else {
        panic!("the source has a new version")
    };
    let (adds, removes) = file_actions(&target.read(version).await);
    assert_eq!((adds.len(), removes.len()), (0, 0));
    // The replica keeps the statistics that the source left out.
    source.commit(&[add_with("a1", json!({"stats": null, "tags": {"a": "b"}}))]).await;
    let did = sync(&source, &target, &spec()).await.unwrap();
    let Did::Published { version, .. } = did else { panic!("{did:?}") };
    let (adds, _) = file_actions(&target.read(version).await);
    assert!(adds[0].stats.as_ref().is_some_and(|stats| stats.contains("minValues")), "{adds:?}");
}

#[tokio::test]
async fn a_new_schema_partitioning_and_properties_are_carried() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let id = target.snapshot().await.metadata.id;
    let mut changed =
        metadata("source-id", json!({"a": "b", "delta.universalFormat.enabledFormats": "iceberg"}));
    changed["metaData"]["partitionColumns"] = json!([]);
    let plain = add_with("z1", json!({"path": "z1.parquet", "partitionValues": {}}));
    source.commit(&[changed, remove("a1"), remove("b1"), plain]).await;
    sync_equal(&source, &target, &spec()).await;
    let snapshot = target.snapshot().await;
    assert_eq!(snapshot.metadata.id, id);
    let configuration: Vec<&str> =
        snapshot.metadata.configuration.keys().map(String::as_str).collect();
    assert_eq!(configuration, ["a"]);
    let (_, removes) = file_actions(&target.read(1).await);
    assert_eq!(removes[0].partition_values.as_ref().unwrap().get("p"), Some(Some("a")));
}

#[tokio::test]
async fn replace_and_restore_are_the_same_table_whatever_its_id() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    source.commit(&[metadata("other-id", json!({})), remove("a1"), remove("b1"), add("c1")]).await;
    let did = sync_equal(&source, &target, &spec()).await;
    let Did::Published { change_set, .. } = did else { panic!("{did:?}") };
    assert_eq!(change_set.lineage(), "source-id");
    source.commit(&[metadata("source-id", json!({})), remove("c1"), add("a1"), add("b1")]).await;
    target.delete("p=a/a1.parquet").await;
    let did = sync_equal(&source, &target, &spec()).await;
    // Removed files may have been vacuumed: they are looked at again.
    assert_eq!(did.objects(), ["p=a/a1.parquet", "p=b/b1.parquet"]);
}

#[tokio::test]
async fn stream_progress_and_domains_are_carried_and_ours_are_not() {
    let mut source = Table::new("source");
    let target = Table::new("target");
    let txn = |app: &str, version: i64| json!({"txn": {"appId": app, "version": version}});
    let domain = |name: &str, configuration: &str, removed: bool| {
        json!({"domainMetadata": {"domain": name, "configuration": configuration,
            "removed": removed}})
    };
    source
        .commit(&[
            features(&[], &["domainMetadata", "rowTracking"]),
            metadata("source-id", json!({})),
            txn("stream", 4),
            txn("deepclone:x:y", 4),
            txn("deepclone.at:x:y", 4),
            domain("d", "{\"a\":1}", false),
            domain("delta.rowTracking", "{\"rowIdHighWaterMark\":9}", false),
        ])
        .await;
    sync_equal(&source, &target, &spec()).await;
    let snapshot = target.snapshot().await;
    assert_eq!(snapshot.txns["stream"].version, 4);
    assert!(!snapshot.txns.contains_key("deepclone:x:y"));
    assert_eq!(snapshot.domains.len(), 2);
    source.commit(&[domain("d", "{\"a\":1}", true)]).await;
    sync_equal(&source, &target, &spec()).await;
    assert_eq!(target.snapshot().await.domains.len(), 1);
    let text = String::from_utf8(target.read(1).await.bytes.to_vec()).unwrap();
    assert!(text.contains(r#"{"domain":"d","configuration":"{\"a\":1}","removed":true}"#));
    assert!(!text.contains("stream"), "unchanged progress is not written again");
}

#[tokio::test]
async fn in_commit_timestamps_are_the_replicas_own() {
    let mut source = Table::new("source");
    let target = Table::new("target");
    let ict = |on: &str| {
        // Any case counts, as for Spark.
        let on = if on == "true" { "TRUE" } else { on };
        metadata(
            "source-id",
            json!({"delta.enableInCommitTimestamps": on,
            "delta.inCommitTimestampEnablementVersion": "77",
            "delta.inCommitTimestampEnablementTimestamp": "78"}),
        )
    };
    let time = |ms: i64| json!({"commitInfo": {"operation": "X", "inCommitTimestamp": ms}});
    source.commit(&[features(&[], &["inCommitTimestamp"]), ict("false")]).await;
    sync_equal(&source, &target, &spec()).await;
    for (version, on) in [(1, "true"), (2, "true"), (3, "false"), (4, "true")] {
        source.commit(&[time(100 + version), ict(on), add(&format!("a{version}"))]).await;
        sync_equal(&source, &target, &spec()).await;
        let snapshot = target.snapshot().await;
        let enabled_at = snapshot
            .metadata
            .configuration
            .get("delta.inCommitTimestampEnablementVersion")
            .map(String::as_str);
        let expect = [Some("1"), Some("1"), None, Some("4")];
        assert_eq!(enabled_at, expect[usize::try_from(version).unwrap() - 1]);
        assert_eq!(snapshot.ict.is_some(), on == "true");
        if version == 4 {
            let enabled_ms =
                &snapshot.metadata.configuration["delta.inCommitTimestampEnablementTimestamp"];
            assert_eq!(enabled_ms.parse().ok(), snapshot.ict);
        }
    }
}

#[tokio::test]
async fn a_checkpoint_is_written_when_due_and_says_what_the_commits_say() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    for n in 1..=10 {
        source.commit(&[add(&format!("c{n}")), remove(if n == 1 { "a1" } else { "x0" })]).await;
        sync_equal(&source, &target, &spec()).await;
    }
    let hint = target.get("_delta_log/_last_checkpoint").await.unwrap();
    let hint: serde_json::Value = serde_json::from_slice(&hint).unwrap();
    assert_eq!(hint["version"], 10);
    assert_eq!(hint["numOfAddFiles"], 11);
    let before = target.snapshot().await;
    // Only the checkpoint can tell now.
    for version in 0..=9 {
        target.delete(&format!("_delta_log/{version:020}.json")).await;
    }
    let after = target.snapshot().await;
    assert_eq!(files(&after), files(&before));
    assert_eq!(after.metadata.configuration, before.metadata.configuration);
    assert_eq!(after.txns.len(), before.txns.len());
    // And the next sync goes on from it.
    source.commit(&[add("d1")]).await;
    let did = sync_after_cleanup(&source, &target).await;
    assert_eq!(did, ["p=d/d1.parquet"]);
}

/// The validator wants a log from version 0 on: here the files alone are compared.
async fn sync_after_cleanup(source: &Table, target: &Table) -> Vec<String> {
    use deepclone_delta::changes::{SyncPlan, plan_sync};
    let job = deepclone_core::ids::JobId(uuid::Uuid::new_v4());
    let plan = plan_sync(&source.store, &target.store, &spec(), job).await.unwrap();
    let SyncPlan::Change(change_set) = plan else { panic!("{plan:?}") };
    copy(source, target, &change_set).await;
    deepclone_delta::publish::publish(&target.store, &change_set, tick()).await.unwrap();
    assert_equal(source, target).await;
    change_set.objects.iter().map(|object| object.target_path.to_owned()).collect()
}

/// A column of type `leaf` in `depth` structs, beside the partition column.
fn deep_schema(depth: usize, leaf: &str) -> String {
    let open = r#"{"type":"struct","fields":[{"name":"s","nullable":true,"metadata":{},"type":"#;
    let nested = format!("{}\"{leaf}\"{}", open.repeat(depth), "}]}".repeat(depth));
    let field = r#"{"name":"p","type":"string","nullable":true,"metadata":{}}"#;
    let deep = format!(r#"{{"name":"d","type":{nested},"nullable":true,"metadata":{{}}}}"#);
    format!(r#"{{"type":"struct","fields":[{field},{deep}]}}"#)
}

#[tokio::test]
async fn a_schema_of_many_nested_structs_is_filtered_and_kept() {
    let only_a = CloneSpec { partition_filter: Some("p = 'a'".into()), ..spec() };
    for (depth, refused) in [(1, false), (45, false), (300, false), (50_000, true)] {
        let mut table = metadata("source-id", json!({}));
        table["metaData"]["schemaString"] = deep_schema(depth, "timestamp_ntz").into();
        let protocol = features(&["timestampNtz"], &["timestampNtz"]);
        let (mut source, target) = (Table::new("source"), Table::new("target"));
        source.commit(&[protocol, table, add("a1"), add("b1")]).await;
        let found = sync(&source, &target, &only_a).await;
        if refused {
            assert_eq!(found.unwrap_err(), Reason::DamagedLog);
            continue;
        }
        assert_eq!(found.unwrap().objects(), ["p=a/a1.parquet"], "{depth}");
        let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
        assert_eq!(report.differences, [], "{depth}");
    }
}

/// A table with an identity column whose last number was `mark`.
fn with_identity(mark: i64) -> serde_json::Value {
    let mut table = metadata("source-id", json!({}));
    let schema = format!(
        concat!(
            r#"{{"type":"struct","fields":[{{"name":"id","type":"long","nullable":true,"#,
            r#""metadata":{{"delta.identity.start":1,"delta.identity.step":1,"#,
            r#""delta.identity.highWaterMark":{},"delta.identity.allowExplicitInsert":false}}}},"#,
            r#"{{"name":"p","type":"string","nullable":true,"metadata":{{}}}}]}}"#
        ),
        mark
    );
    table["metaData"]["schemaString"] = schema.into();
    table
}

#[tokio::test]
async fn a_number_that_the_replica_handed_out_is_never_handed_out_again() {
    let (mut source, mut target) = (Table::new("source"), Table::new("target"));
    source.commit(&[protocol(1, 6), with_identity(10), add("a1")]).await;
    sync_equal(&source, &target, &spec()).await;
    let mut local = with_identity(50);
    local["metaData"]["id"] = target.snapshot().await.metadata.id.into();
    target.commit(&[info("WRITE"), local, add("x1")]).await;
    for (mark, kept) in [(20, 50), (30, 50), (60, 60), (55, 60)] {
        source.commit(&[with_identity(mark), add(&format!("b{mark}"))]).await;
        sync(&source, &target, &overwrite()).await.unwrap();
        let schema = target.snapshot().await.metadata.schema_string;
        let wanted = with_identity(kept);
        assert_eq!(Some(schema.as_str()), wanted["metaData"]["schemaString"].as_str(), "{mark}");
        let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
        assert_eq!(report.differences, [], "{mark}");
        assert!(matches!(sync(&source, &target, &spec()).await, Ok(Did::UpToDate)));
    }
}
