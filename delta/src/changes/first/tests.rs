//! Which sources are planned while they are read, and that it makes no difference.

use std::sync::Arc;

use bytes::Bytes;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::spec::{DivergencePolicy, Mode, SourceReplacedPolicy, TableRef};
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::{Value, json};

use super::*;
use crate::changes::plan_sync_within;
use crate::publish::{PublishResult, finish, publish};

fn table(uri: &str) -> TableStore {
    TableStore {
        store: Arc::new(InMemory::new()),
        root: Path::default(),
        uri: uri.to_owned(),
        large: None,
    }
}

fn spec(source: &TableStore, target: &TableStore, filter: Option<&str>) -> CloneSpec {
    let named = |table: &TableStore| TableRef { uri: table.uri.clone(), connection: None };
    CloneSpec {
        source: named(source),
        target: named(target),
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: filter.map(str::to_owned),
        properties: Default::default(),
        verification: Default::default(),
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    }
}

async fn commit(table: &TableStore, version: u64, actions: &[Value]) {
    let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
    let payload = Bytes::from(lines.join("\n")).into();
    io::put(table, &log::commit_path(version), payload).await.unwrap();
}

fn add(path: &str, more: Value) -> Value {
    let mut add = json!({"path": path, "partitionValues": {"p": &path[2..3]}, "size": 3,
        "modificationTime": 7, "dataChange": true});
    for (name, value) in more.as_object().unwrap() {
        add[name] = value.clone();
    }
    json!({ "add": add })
}

fn remove(path: &str) -> Value {
    json!({"remove": {"path": path, "deletionTimestamp": 1, "dataChange": true}})
}

/// A vector in the object of the protocol's own example.
fn vector(kind: &str) -> Value {
    json!({"deletionVector": {"storageType": kind, "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^",
        "offset": 4, "sizeInBytes": 40, "cardinality": 6}})
}

/// A table with a checkpoint: a replica of ours, whose source had these files at version 0 and then
/// those that `second` adds and removes. With `features` more than deletion vectors, the
/// checkpoint may have the V2 form, which it is asked for.
async fn with_checkpoint(features: &[&str], first: &[Value], second: &[Value]) -> TableStore {
    let column = json!({"name": "p", "type": "string", "nullable": true, "metadata": {}});
    let schema = json!({"type": "struct", "fields": [column]}).to_string();
    let mut configuration = json!({"delta.checkpointInterval": "1"});
    if features.len() > 1 {
        configuration["delta.checkpointPolicy"] = json!("v2");
    }
    let described = [
        json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": features, "writerFeatures": features}}),
        json!({"metaData": {"id": "a", "format": {"provider": "parquet", "options": {}},
            "schemaString": schema, "partitionColumns": ["p"],
            "configuration": configuration}}),
    ];
    let (origin, made) = (table("memory:///o"), table("memory:///s"));
    let commits = [[&described, first].concat(), second.to_vec()];
    for (version, actions) in (0..).zip(commits) {
        commit(&origin, version, &actions).await;
        let (spec, sync) = (spec(&origin, &made, None), JobId(uuid::Uuid::new_v4()));
        let within = Within::default();
        let plan = plan_sync_within(&origin, &made, &spec, sync, &within).await.unwrap();
        let SyncPlan::Change(change_set) = plan else { panic!("{plan:?}") };
        let published = publish(&made, &change_set, 1_700_000_000_000).await.unwrap();
        let PublishResult::Published(committed) = published else { panic!("{published:?}") };
        let report = finish(&made, &committed, Some(&change_set)).await.unwrap();
        assert_eq!(report.checkpoint, version == 1);
    }
    made
}

/// Plans a first sync of the source; `None` when that is left to the plan of whole tables. Where it
/// is not, both plans say the same.
async fn planned(source: &TableStore, filter: Option<&str>) -> Option<Vec<String>> {
    let target = table("memory:///t");
    let (spec, sync) = (spec(source, &target, filter), JobId(uuid::Uuid::nil()));
    let segment = log::list(source, None).await.unwrap();
    let tables = Tables { source, target: &target };
    let within = Within { reads_whole: true, ..Within::default() };
    let plan = plan(tables, &segment, &spec, sync, &within).await;
    // It is taken wherever it can be.
    let taken = plan_sync_within(source, &target, &spec, sync, &Within::default()).await;
    let is_spooled = |plan: &SyncPlan| match plan {
        SyncPlan::Change(set) => matches!(set.adds, CommitAdds::Spooled(_)),
        SyncPlan::UpToDate(_) | SyncPlan::Published(_) => false,
    };
    assert_eq!(taken.as_ref().is_ok_and(is_spooled), plan.is_some());
    let plan = plan?;
    let whole = plan_sync_within(source, &target, &spec, sync, &within).await.unwrap();
    let (SyncPlan::Change(plan), SyncPlan::Change(whole)) = (plan, whole) else {
        panic!("no change")
    };
    let said = |set: &crate::change_set::ChangeSet| {
        format!("{:?} {:?} {:?} {:?}", set.objects, set.adds, set.new_vectors, set.metrics)
    };
    assert_eq!(said(&plan), said(&whole));
    assert!(
        matches!(plan.adds, CommitAdds::Spooled(_)) && matches!(whole.adds, CommitAdds::Held(_))
    );
    let looked = Within { publishes: false, ..within };
    let looked = super::plan(tables, &segment, &spec, sync, &looked).await;
    let Some(SyncPlan::Change(looked)) = looked else { panic!("another plan") };
    assert!(matches!(looked.adds, CommitAdds::Counted(_)));
    let sums = |set: &crate::change_set::ChangeSet| {
        let (files, bytes) = (set.adds.len(), set.adds.bytes());
        format!("{:?} {:?} {:?} {files} {bytes}", set.objects, set.new_vectors, set.metrics)
    };
    assert_eq!(sums(&looked), sums(&whole));
    Some(plan.objects.iter().map(|object| object.target_path.to_owned()).collect())
}

#[tokio::test]
async fn a_source_is_planned_while_it_is_read_unless_it_is_unusual() {
    let (a, b) = (add("p=a/1", json!({})), add("p=b/1", vector("u")));
    let dv = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    let c = add("p=c/1", json!({"tags": {"t": "x"}, "stats": "{\"numRecords\":1}"}));
    let more = |path: &str| add(path, json!({}));
    for (after, filter, expected) in [
        (vec![], None, Some(vec![dv, "p=a/1", "p=b/1", "p=c/1"])),
        (vec![], Some("p = 'a'"), Some(vec!["p=a/1"])),
        (vec![remove("p=a/1"), more("p=d/1")], None, Some(vec![dv, "p=b/1", "p=c/1", "p=d/1"])),
        // The newest `add` of a file counts, and the checkpoint has a tombstone of this one.
        (vec![add("p=a/1", json!({"size": 9}))], None, Some(vec![dv, "p=a/1", "p=b/1", "p=c/1"])),
        (vec![more("p=z/1")], None, Some(vec![dv, "p=a/1", "p=b/1", "p=c/1", "p=z/1"])),
        (vec![more("p=d/a%20b")], None, Some(vec![dv, "p=a/1", "p=b/1", "p=c/1", "p=d/a b"])),
        // What the plan of whole tables must judge, carry or refuse.
        (vec![more("p=a/x/../2")], None, None),
        (vec![more("p=%61/1")], None, None),
        (vec![add("p=a/1", vector("u"))], None, None),
        (vec![more("memory:///s/p=e/1")], None, None),
        (vec![more("p=e//1")], None, None),
        (vec![remove("p=a/1"), more("p=a/1")], None, None),
        (vec![], Some("q = 'a'"), None),
        (vec![add("p=e/1", json!({"size": u64::MAX}))], None, None),
        (
            vec![json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": ["unheardOf"], "writerFeatures": ["unheardOf"]}})],
            None,
            None,
        ),
    ] {
        for features in [&["deletionVectors"][..], &["deletionVectors", "v2Checkpoint"]] {
            let first = [a.clone(), b.clone(), more("p=z/1")];
            let second = [c.clone(), remove("p=z/1")];
            let source = with_checkpoint(features, &first, &second).await;
            let log = io::list(&source, "_delta_log/_sidecars", None).await.unwrap();
            assert_eq!(log.len(), features.len() - 1);
            if !after.is_empty() {
                commit(&source, 2, &after).await;
            }
            let found = planned(&source, filter).await;
            let found = found.as_ref();
            let found = found.map(|keys| keys.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(found, expected, "{after:?} {filter:?} {features:?}");
        }
    }
    // Without a checkpoint the commits are all there is.
    let source = table("memory:///c");
    commit(&source, 0, &[a]).await;
    assert_eq!(planned(&source, None).await, None);
}
