//! Which syncs are planned by the newer commits alone, and what leaves one to both whole tables.
//! The two plans are equal; that the cheap one is taken is seen by its requests.

use std::sync::Arc;

use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use serde_json::{Value, json};

use crate::beside_the_log::{put_checkpoint, rows_of};
use crate::faults::Watched;
use crate::support::*;

const SYNCED: &str = "_deepclone/synced.json";
const OLDEST: &str = "GET source/_delta_log/00000000000000000000.json";

fn only_a() -> CloneSpec {
    CloneSpec { partition_filter: Some("p = 'a'".to_owned()), ..spec() }
}

/// A source at version 1 with four files, and its replica at `uri`.
async fn synced_to(uri: &str, spec: &CloneSpec) -> (Arc<Watched>, Table, Table) {
    let watched = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(watched.clone(), "source");
    let first = [protocol(1, 2), metadata("source-id", json!({})), add("a1"), add("b1")];
    source.commit(&first).await;
    source.commit(&[add("a2"), add("b2")]).await;
    let mut target = Table::new("target");
    target.store.uri = uri.to_owned();
    sync(&source, &target, spec).await.unwrap();
    (watched, source, target)
}

async fn synced(spec: &CloneSpec) -> (Arc<Watched>, Table, Table) {
    synced_to("s3://target/target", spec).await
}

/// Returns whether one listing of the source is enough, and its oldest commit is not read. What is
/// refused was read whole.
async fn is_by_newer(
    watched: &Watched,
    (source, target): (&Table, &Table),
    spec: &CloneSpec,
) -> bool {
    watched.take();
    let plan = plan_once(source, target, spec).await;
    let requests = watched.take();
    let listing = format!("LIST {}/_delta_log", source.store.root);
    let listings = requests.iter().filter(|request| request.starts_with(&listing)).count();
    plan.is_ok() && listings == 1 && !requests.iter().any(|request| request == OLDEST)
}

/// What a partition of files that no newer commit names means is told by the schema, the mapping
/// of columns and the properties.
#[tokio::test]
async fn a_part_is_planned_whole_where_its_partitions_may_mean_something_else() {
    let described = |name: &str, value: Value| {
        let mut action = metadata("source-id", json!({}));
        action["metaData"][name] = value;
        action
    };
    let wider = SCHEMA.replace(
        r#""fields":["#,
        r#""fields":[{"name":"z","type":"long",
        "nullable":true,"metadata":{}},"#,
    );
    for (case, action, is_same) in [
        ("a file", add("a3"), true),
        ("another name", described("name", json!("other")), true),
        ("a property", metadata("source-id", json!({"user.x": "1"})), false),
        ("a column", described("schemaString", json!(wider)), false),
        ("partitions", described("partitionColumns", json!(["p", "id"])), false),
    ] {
        for (spec, is_whole) in [(spec(), false), (only_a(), !is_same)] {
            let (watched, mut source, target) = synced(&spec).await;
            source.commit(&[action.clone(), add("b3")]).await;
            let is_by_newer = is_by_newer(&watched, (&source, &target), &spec).await;
            assert_eq!(is_by_newer, !is_whole, "{case}, {:?}", spec.partition_filter);
            plan(&source, &target, &spec).await.unwrap();
        }
    }
}

/// A protocol alone can turn the mapping of columns on.
#[tokio::test]
async fn a_part_is_planned_whole_where_its_columns_are_mapped_anew() {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (at, name) in ["id", "p"].iter().enumerate() {
        schema["fields"][at]["metadata"] = json!({"delta.columnMapping.id": at + 1,
            "delta.columnMapping.physicalName": name});
    }
    let mut named = metadata("source-id", json!({"delta.columnMapping.mode": "name"}));
    named["metaData"]["schemaString"] = json!(schema.to_string());
    let mapped = features(&["columnMapping"], &["columnMapping"]);
    for (spec, is_by_newer_expected) in [(spec(), true), (only_a(), false)] {
        let watched = Watched::new(Arc::new(InMemory::new()));
        let mut source = Table::on(watched.clone(), "source");
        let target = Table::new("target");
        source.commit(&[protocol(1, 2), named.clone(), add("a1"), add("b1")]).await;
        source.commit(&[add("a2")]).await;
        sync(&source, &target, &spec).await.unwrap();
        source.commit(&[mapped.clone(), add("a3")]).await;
        let is_by_newer = is_by_newer(&watched, (&source, &target), &spec).await;
        assert_eq!(is_by_newer, is_by_newer_expected, "{:?}", spec.partition_filter);
        plan(&source, &target, &spec).await.unwrap();
    }
}

/// A replica with a checkpoint each sync, whose own replica was synced before the newest two.
async fn chain(spec: &CloneSpec) -> (Arc<Watched>, Table, Table) {
    let watched = Watched::new(Arc::new(InMemory::new()));
    let properties = [("delta.checkpointInterval".to_owned(), "1".to_owned())].into();
    let checkpointed = CloneSpec { properties, ..crate::support::spec() };
    let mut source = small_source().await;
    let (middle, target) = (Table::on(watched.clone(), "middle"), Table::new("target"));
    source.commit(&[add("a2")]).await;
    sync_equal(&source, &middle, &checkpointed).await;
    sync(&middle, &target, spec).await.unwrap();
    let newer = [vec![add("a3"), add("b3")], vec![add("a4"), add("c4"), remove("b1")]];
    for actions in newer {
        source.commit(&actions).await;
        sync_equal(&source, &middle, &checkpointed).await;
    }
    (watched, middle, target)
}

#[tokio::test]
async fn a_checkpoint_of_the_source_has_as_many_files_as_its_commits() {
    const NEWEST: &str = "_delta_log/00000000000000000002.checkpoint.parquet";
    for (spec, rows_kept, expect) in [
        (spec(), None, true),
        (spec(), Some(0), true),
        // One row fewer is one file fewer.
        (spec(), Some(1), false),
        // A part cannot be counted.
        (only_a(), None, false),
    ] {
        let (watched, middle, target) = chain(&spec).await;
        if let Some(fewer) = rows_kept {
            let rows = rows_of(&middle, NEWEST).await;
            let add = rows.schema().index_of("add").unwrap();
            let first = (0..rows.num_rows()).find(|row| rows.column(add).is_valid(*row)).unwrap();
            let last = rows.slice(first + fewer, rows.num_rows() - first - fewer);
            let rows = [rows.slice(0, first), last];
            let rows = arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap();
            put_checkpoint(&middle, NEWEST, &rows, 100).await;
        }
        let is_by_newer = is_by_newer(&watched, (&middle, &target), &spec).await;
        assert_eq!(is_by_newer, expect, "{rows_kept:?} {:?}", spec.partition_filter);
        let plan = plan(&middle, &target, &spec).await;
        assert_eq!(plan.is_ok(), rows_kept != Some(1), "{plan:?}");
    }
}

#[tokio::test]
async fn a_checksum_of_the_source_has_its_figures() {
    // Three files of 12 bytes, and one of these that is new.
    for (text, spec, expect) in [
        (r#"{"tableSizeBytes":60,"numFiles":5}"#, spec(), true),
        (r#"{"tableSizeBytes":61,"numFiles":5}"#, spec(), false),
        (r#"{"tableSizeBytes":60,"numFiles":6}"#, spec(), false),
        // It says nothing, or nothing of a part.
        (r#"{"tableSizeBytes":60}"#, spec(), true),
        (r#"{"tableSizeBytes":61,"numFiles":5}"#, only_a(), true),
    ] {
        let (watched, mut source, target) = synced(&spec).await;
        source.commit(&[add("a3")]).await;
        source.put("_delta_log/00000000000000000002.crc", text.into()).await;
        let is_by_newer = is_by_newer(&watched, (&source, &target), &spec).await;
        assert_eq!(is_by_newer, expect, "{text} {:?}", spec.partition_filter);
        plan(&source, &target, &spec).await.unwrap();
    }
}

/// What a sync knew of the source is the whole table, however often it was planned by the newer
/// commits.
#[tokio::test]
async fn transactions_and_domains_stay_known_over_commits_without_them() {
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    let stands = [
        json!({"txn": {"appId": "stream", "version": 7}}),
        json!({"domainMetadata": {"domain": "d", "configuration": "{}", "removed": false}}),
    ];
    let first = [features(&[], &["domainMetadata"]), metadata("source-id", json!({})), add("a1")];
    source.commit(&[&first[..], &stands].concat()).await;
    for name in ["a2", "a3", "a4"] {
        sync_equal(&source, &target, &spec()).await;
        let known: Value = serde_json::from_slice(&target.get(SYNCED).await.unwrap()).unwrap();
        let actions = known["source"].as_array().unwrap();
        assert!(stands.iter().all(|action| actions.contains(action)), "{name}: {actions:?}");
        source.commit(&[add(name)]).await;
    }
}

/// Writes the commit 1 of the source again as `text`, such that listings tell no difference.
async fn replace_unseen(source: &Table, target: &Table, text: &str) {
    source.raw_commit(1, text).await;
    let path = source.path("_delta_log/00000000000000000001.json");
    let meta = source.store.store.head(&path).await.unwrap();
    let mut known: Value = serde_json::from_slice(&target.get(SYNCED).await.unwrap()).unwrap();
    known["sourceCommit"] = json!({"etag": meta.e_tag.unwrap(), "size": meta.size,
        "modifiedMs": meta.last_modified.timestamp_millis()});
    target.put(SYNCED, known.to_string().into_bytes()).await;
}

/// A commit of up to 1 MiB is read again; of a larger one the listing tells enough.
#[tokio::test]
async fn the_synced_commit_of_the_source_has_its_content() {
    for (length, is_read) in [(1 << 10, true), (1 << 20, true), ((1 << 20) + 1, false)] {
        for is_changed in [false, true] {
            let watched = Watched::new(Arc::new(InMemory::new()));
            let mut source = Table::on(watched.clone(), "source");
            let target = Table::new("target");
            let first = [protocol(1, 2), metadata("source-id", json!({})), add("b1")];
            source.commit(&first).await;
            source.object("p=a/a1.parquet", 12).await;
            let mut text = add("a1").to_string();
            text.push_str(&" ".repeat(length - text.len()));
            source.raw_commit(1, &text).await;
            sync_equal(&source, &target, &spec()).await;
            let text = if is_changed { text.replace(":7", ":8") } else { text };
            replace_unseen(&source, &target, &text).await;
            source.commit(&[add("c1")]).await;
            let is_by_newer = is_by_newer(&watched, (&source, &target), &spec()).await;
            assert_eq!(is_by_newer, !(is_changed && is_read), "{length} {is_changed}");
        }
    }
}

#[tokio::test]
async fn a_path_that_is_no_plain_key_is_left_to_the_whole_tables() {
    for (path, expect) in [
        ("p=b/b3.parquet", true),
        ("p=b/b%33.parquet", true),
        ("s3://source/source/p=b/b3.parquet", false),
        ("p=b/./b3.parquet", false),
    ] {
        let (watched, mut source, target) = synced(&spec()).await;
        source.commit(&[add("a3"), add_with("b3", json!({"path": path})), remove("a1")]).await;
        let is_by_newer = is_by_newer(&watched, (&source, &target), &spec()).await;
        assert_eq!(is_by_newer, expect, "{path}");
        plan(&source, &target, &spec()).await.unwrap();
    }
}

/// A disk may take two names for one, so that all names of the replica must be compared. Anywhere
/// else they are just names.
#[tokio::test]
async fn a_new_name_that_may_meet_another_on_a_disk_is_left_to_the_whole_tables() {
    for (case, new, at_target, expect) in [
        ("new files", "p=a/a3.parquet", None, true),
        ("a letter with two forms", "p=a/é.parquet", None, false),
        ("a folder at the file's place", "p=a/a3.parquet", Some("p=a/a3.parquet/x"), false),
        ("a disk that folds case", "p=a/a3.parquet", Some("_DELTA_LOG/x"), false),
    ] {
        for (uri, expect) in [("file:///lake/target", expect), ("s3://target/target", true)] {
            let (watched, mut source, target) = synced_to(uri, &spec()).await;
            let file = |path| add_with("a3", json!({"path": path}));
            source.commit(&[file(new), file("p=a/sub/a4.parquet")]).await;
            if let Some(key) = at_target {
                target.object(key, 1).await;
            }
            let is_by_newer = is_by_newer(&watched, (&source, &target), &spec()).await;
            assert_eq!(is_by_newer, expect, "{case}: {uri}");
            plan(&source, &target, &spec()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn up_to_ten_thousand_names_are_looked_for_on_a_disk() {
    for (count, expect) in [(10_000, true), (10_001, false)] {
        let (watched, source, target) = synced_to("file:///lake/target", &spec()).await;
        let adds: Vec<String> = (0..count).map(|n| add(&format!("c{n}")).to_string()).collect();
        source.raw_commit(2, &adds.join("\n")).await;
        let is_by_newer = is_by_newer(&watched, (&source, &target), &spec()).await;
        assert_eq!(is_by_newer, expect, "{count}");
    }
}

/// A replica with a checkpoint each sync; the newest one is of its own writer, or of another.
#[tokio::test]
async fn a_checkpoint_of_the_replica_is_believed_from_its_own_writer() {
    const NEWEST: &str = "_delta_log/00000000000000000001.checkpoint.parquet";
    let properties = [("delta.checkpointInterval".to_owned(), "1".to_owned())].into();
    let checkpointed = CloneSpec { properties, ..spec() };
    for (is_ours, expect) in [(true, true), (false, false)] {
        let (watched, mut source, target) = synced(&checkpointed).await;
        source.commit(&[add("a3"), remove("b1")]).await;
        sync_equal(&source, &target, &checkpointed).await;
        if !is_ours {
            let rows = rows_of(&target, NEWEST).await;
            put_checkpoint(&target, NEWEST, &rows, 2).await;
        }
        source.commit(&[add("b1"), add("a4"), remove("a1")]).await;
        let is_by_newer = is_by_newer(&watched, (&source, &target), &checkpointed).await;
        assert_eq!(is_by_newer, expect, "{is_ours}");
        plan(&source, &target, &checkpointed).await.unwrap();
    }
}

/// No plan goes on over a gap in the source's log.
#[tokio::test]
async fn a_newer_commit_that_is_missing_is_noticed() {
    let (_, mut source, target) = synced(&spec()).await;
    for name in ["a3", "a4", "a5"] {
        source.commit(&[add(name)]).await;
    }
    source.delete("_delta_log/00000000000000000003.json").await;
    let failure = failure(&source, &target, &spec()).await;
    assert_eq!(failure.reason, Reason::DamagedLog);
    assert!(failure.message.contains("00000000000000000003.json"), "{failure}");
    // A checkpoint above the newest commit that is left.
    let (watched, mut source, target) = synced(&spec()).await;
    let live = ["a1", "b1", "a2", "b2", "a3"].map(add);
    source.commit(&live[4..]).await;
    source.commit(&[add("a4")]).await;
    let state = [&[protocol(1, 2), metadata("source-id", json!({}))][..], &live].concat();
    source.checkpoint(3, &state).await;
    source.delete("_delta_log/00000000000000000003.json").await;
    let by_newer = is_by_newer(&watched, (&source, &target), &spec()).await;
    assert!(!by_newer);
    plan(&source, &target, &spec()).await.unwrap();
}

#[tokio::test]
async fn a_synced_commit_that_may_not_be_read_is_not_taken_for_another_one() {
    let (watched, middle, target) = chain(&spec()).await;
    let commit = "middle/_delta_log/00000000000000000000.json".to_owned();
    watched.denied.lock().unwrap().push(commit);
    let failure = failure(&middle, &target, &spec()).await;
    assert_eq!(failure.reason, Reason::PermissionDenied, "{failure}");
}
