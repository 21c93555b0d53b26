//! What a checkpoint keeps, drops and refuses, in both forms, and what is read of a part of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use deepclone_common::store::counted::{StoreCounts, counted};
use deepclone_common::store::table::TableStore;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::actions::{Add, LogAction, Metadata, Remove, Txn};
use crate::log::checkpoint_part::{count_files, read_named, sidecars_of};
use crate::log::{self, CheckpointFiles, Names};
use crate::publish::last_checkpoint::TopFile;

/// The sync of these tests.
const OF: CheckpointOf = CheckpointOf { version: 3, sync: Uuid::from_u128(7), at_ms: 9 };
/// More rows than any table of these tests has.
const ONE: usize = 1 << 20;

fn parsed(action: serde_json::Value) -> LogAction {
    LogAction::from_json(&action.to_string()).unwrap()
}

fn metadata(configuration: serde_json::Value) -> Metadata {
    let action = parsed(json!({"metaData": {"id": "i", "schemaString": "{}",
        "format": {"provider": "parquet", "options": {}}, "partitionColumns": ["p"],
        "configuration": configuration}}));
    let LogAction::Metadata(metadata) = action else { unreachable!() };
    metadata
}

fn add(more: serde_json::Value) -> Add {
    let mut fields = json!({"path": "p=1/a", "partitionValues": {"p": "1", "q": null}, "size": 9,
        "modificationTime": 1, "dataChange": true, "stats": "{\"numRecords\":1}"});
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    let LogAction::Add(add) = parsed(json!({ "add": fields })) else { unreachable!() };
    add
}

fn state(adds: Vec<Add>) -> CheckpointState<'static> {
    let protocol = parsed(json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": [], "writerFeatures": ["appendOnly"]}}));
    let LogAction::Protocol(protocol) = protocol else { unreachable!() };
    let metadata = metadata(json!({}));
    CheckpointState {
        protocol,
        metadata,
        txns: vec![],
        domains: vec![],
        removes: vec![],
        adds: Cow::Owned(adds.into()),
    }
}

/// As [`state`], of a table that may have V2 checkpoints.
fn state_v2(adds: Vec<Add>) -> CheckpointState<'static> {
    let mut state = state(adds);
    let names = || Some(vec!["v2Checkpoint".to_owned()]);
    (state.protocol.reader_features, state.protocol.writer_features) = (names(), names());
    state
}

fn empty_table() -> TableStore {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    TableStore { store, root: Path::from("t"), uri: "memory:///t".to_owned(), large: None }
}

/// The objects of a table by key, relative to its folder, and their lengths.
async fn objects(table: &TableStore) -> Vec<(String, u64)> {
    let listed = table.store.list(Some(&table.root)).try_collect::<Vec<_>>().await.unwrap();
    let named = |key: &str| key.trim_start_matches("t/").to_owned();
    let mut all: Vec<_> =
        listed.iter().map(|meta| (named(meta.location.as_ref()), meta.size)).collect();
    all.sort();
    all
}

async fn get(table: &TableStore, key: &str) -> Bytes {
    let key = Path::from(format!("t/{key}"));
    table.store.get(&key).await.unwrap().bytes().await.unwrap()
}

fn remove(path: &str) -> Remove {
    let remove = json!({"path": path, "deletionTimestamp": 1, "dataChange": true});
    let LogAction::Remove(remove) = parsed(json!({ "remove": remove })) else { unreachable!() };
    remove
}

fn txn(app: &str) -> Txn {
    let action = parsed(json!({"txn": {"appId": app, "version": 1}}));
    let LogAction::Txn(txn) = action else { unreachable!() };
    txn
}

#[tokio::test]
async fn a_field_that_has_no_column_forbids_the_checkpoint() {
    let vector = json!({"storageType": "i", "pathOrInlineDv": "x", "sizeInBytes": 1,
        "cardinality": 1, "future": 1});
    let carried = state(vec![add(json!({}))]);
    let mut refused = Vec::new();
    for more in [json!({"future": {"a": 1}}), json!({"deletionVector": vector})] {
        refused.push(state(vec![add(more.clone())]));
        refused.push(state_v2(vec![add(more)]));
    }
    for mut odd in [state(vec![]), state_v2(vec![])] {
        odd.metadata.format =
            serde_json::value::RawValue::from_string(r#"{"provider":"p","x":1}"#.into()).unwrap();
        refused.push(odd);
    }
    for state in refused {
        let table = empty_table();
        assert!(write_divided(&table, OF, &state, 1).await.unwrap().is_none());
        assert_eq!(objects(&table).await, [], "{state:?}");
    }
    let table = empty_table();
    let last = write(&table, OF, &carried).await.unwrap().unwrap();
    assert_eq!((last.size, last.num_of_add_files), (3, Some(1)));
    let name = "_delta_log/00000000000000000003.checkpoint.parquet";
    assert_eq!(objects(&table).await, [(name.to_owned(), last.size_in_bytes.unwrap())]);
    assert_eq!(&get(&table, name).await[..4], b"PAR1");
}

/// A table with three transactions, five domains, seven tombstones and one file.
fn of_all_kinds(mut state: CheckpointState<'static>) -> CheckpointState<'static> {
    let domain = json!({"domain": "d", "configuration": "{}", "removed": false});
    let LogAction::DomainMetadata(domain) = parsed(json!({ "domainMetadata": domain })) else {
        unreachable!()
    };
    state.txns = vec![txn("a"); 3];
    state.domains = vec![domain; 5];
    state.removes = vec![remove("b"); 7];
    state
}

#[tokio::test]
async fn the_hint_counts_every_row() {
    let table = empty_table();
    let state = of_all_kinds(state(vec![add(json!({}))]));
    let last = write(&table, OF, &state).await.unwrap().unwrap();
    let name = "_delta_log/00000000000000000003.checkpoint.parquet";
    let written = ParquetRecordBatchReaderBuilder::try_new(get(&table, name).await).unwrap();
    assert_eq!((last.size, last.num_of_add_files), (18, Some(1)));
    assert_eq!(written.metadata().file_metadata().num_rows(), 18);
    assert_eq!(last.v2_checkpoint, None);
}

#[tokio::test]
async fn the_form_follows_from_the_protocol_the_policy_and_the_size() {
    let legacy = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
    let v2 = || Some(vec!["v2Checkpoint".to_owned()]);
    // In both lists, in one, in none; a list beside a version that does not allow it says nothing.
    for (versions, readers, writers, supports) in [
        ((3, 7), v2(), v2(), true),
        ((3, 7), Some(vec![]), v2(), true),
        ((3, 7), v2(), Some(vec![]), true),
        ((3, 7), Some(vec![]), Some(vec!["v2Checkpoint-preview".to_owned()]), false),
        ((3, 7), Some(vec![]), Some(vec![]), false),
        ((1, 2), v2(), v2(), false),
        ((1, 2), None, None, false),
    ] {
        for (policy, files, wanted) in [
            (None, 2, false),
            (None, 3, true),
            (Some("classic"), 2, false),
            (Some("classic"), 3, true),
            (Some("v2"), 0, true),
            (Some("V2"), 2, true),
            (Some("v3"), 2, false),
        ] {
            let LogAction::Protocol(protocol) = parsed(legacy.clone()) else { unreachable!() };
            let mut state = state(numbered(files, |n| format!("p=1/{n}")));
            state.protocol = protocol;
            (state.protocol.min_reader_version, state.protocol.min_writer_version) = versions;
            state.protocol.reader_features = readers.clone();
            state.protocol.writer_features = writers.clone();
            let policy = policy.map(|policy| json!({"delta.checkpointPolicy": policy}));
            state.metadata = metadata(policy.clone().unwrap_or(json!({})));
            let table = empty_table();
            let last = write_divided(&table, OF, &state, 2).await.unwrap().unwrap();
            let case = format!("{:?} {policy:?} {files}", state.protocol);
            assert_eq!(last.v2_checkpoint.is_some(), supports && wanted, "{case}");
            let written = objects(&table).await;
            let sidecars = written.iter().filter(|(key, _)| key.contains("/_sidecars/")).count();
            let expect = if supports && wanted { files.div_ceil(2) as usize } else { 0 };
            assert_eq!((sidecars, written.len()), (expect, expect + 1), "{case}");
        }
    }
}

#[tokio::test]
async fn a_v2_checkpoint_has_its_files_in_sidecars_and_all_else_above() {
    let mut state = of_all_kinds(state_v2(numbered(5, |n| format!("p=1/{n}"))));
    state.metadata = metadata(json!({"delta.checkpointPolicy": "v2"}));
    let table = empty_table();
    let last = write_divided(&table, OF, &state, 4).await.unwrap().unwrap();
    let written = objects(&table).await;
    let TopFile { path, size_in_bytes, modification_time } = last.v2_checkpoint.clone().unwrap();
    assert_eq!(written[0], (format!("_delta_log/{path}"), size_in_bytes));
    assert_eq!(modification_time, OF.at_ms);
    let all: u64 = written.iter().map(|(_, size)| size).sum();
    assert_eq!((last.size_in_bytes, last.num_of_add_files), (Some(all), Some(5)));
    let top = get(&table, &written[0].0).await;
    let lines: Vec<serde_json::Value> = std::str::from_utf8(&top)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names = |line: &serde_json::Value| line.as_object().unwrap().keys().next().unwrap().clone();
    let [sidecars, txns, domains] =
        [("sidecar", 3), ("txn", 3), ("domainMetadata", 5)].map(|(name, n)| vec![name; n]);
    let above =
        [&["checkpointMetadata"][..], &sidecars, &["protocol", "metaData"], &txns, &domains];
    assert_eq!(lines.iter().map(names).collect::<Vec<_>>(), above.concat());
    let sidecar_bytes: u64 = written[1..].iter().map(|(_, size)| size).sum();
    let tags = json!({"deepclone.paths": "plain", "numOfAddFiles": "5", "sidecarNumActions": "12",
        "sidecarSizeInBytes": sidecar_bytes.to_string()});
    assert_eq!(lines[0], json!({"checkpointMetadata": {"version": 3, "tags": tags}}));
    let mut rows = Vec::new();
    for line in &lines[1..4] {
        let sidecar = &line["sidecar"];
        assert_eq!(sidecar["modificationTime"], OF.at_ms);
        let key = format!("_delta_log/_sidecars/{}", sidecar["path"].as_str().unwrap());
        let bytes = get(&table, &key).await;
        assert_eq!(sidecar["sizeInBytes"], bytes.len());
        let file = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let columns = file.schema().fields().iter().map(|field| field.name().clone());
        assert_eq!(columns.collect::<Vec<_>>(), ["add", "remove"]);
        rows.push(file.metadata().file_metadata().num_rows());
    }
    assert_eq!((rows, last.size), (vec![4, 4, 4], 12 + above.concat().len() as u64));
    // What is written again after a crash has the same names.
    write_divided(&table, OF, &state, 4).await.unwrap().unwrap();
    assert_eq!(objects(&table).await, written);
    // Neither the next version, another sync, nor another content shares a file with it.
    let other = CheckpointState { removes: vec![remove("c"); 7], ..state_v2(vec![]) };
    let keys = |objects: &[(String, u64)]| -> BTreeSet<String> {
        objects.iter().map(|(key, _)| key.clone()).collect()
    };
    for (of, state) in [
        (CheckpointOf { version: 4, ..OF }, &state),
        (CheckpointOf { sync: Uuid::from_u128(8), ..OF }, &state),
        (OF, &other),
    ] {
        let table = empty_table();
        write_divided(&table, of, state, 4).await.unwrap().unwrap();
        assert!(keys(&objects(&table).await).is_disjoint(&keys(&written)), "{of:?}");
    }
}

/// Files of the partition `p=1` with the numbers `0..count`, in the order of their keys.
fn numbered(count: u32, path: impl Fn(u32) -> String) -> Vec<Add> {
    let unlike = |n: u32| format!("{:016x}", u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let file = |n| add(json!({"path": path(n), "stats": unlike(n)}));
    (0..count).map(file).collect()
}

/// A table with a checkpoint of this state, and what was read of its store.
async fn stored(
    state: &CheckpointState<'_>,
    sidecar_rows: usize,
) -> (TableStore, CheckpointFiles, Arc<StoreCounts>) {
    let table = empty_table();
    write_divided(&table, OF, state, sidecar_rows).await.unwrap().unwrap();
    let counts = Arc::new(StoreCounts::default());
    let segment = log::list_whole(&table, None).await.unwrap();
    let checkpoint = segment.checkpoints.into_iter().next().unwrap();
    (counted(table, Arc::clone(&counts)), checkpoint, counts)
}

#[tokio::test]
async fn files_are_found_by_their_objects_without_reading_the_others() {
    let few: fn(u32) -> String = |n| format!("p=1/{n:06}.parquet");
    let encoded: fn(u32) -> String = |n| format!("p%3D1/{n:06}.parquet");
    // Classic; one sidecar; the tombstones and some files in the first of four.
    for (path, is_sought, sidecar_rows) in
        [(few, true, ONE), (encoded, false, ONE), (few, true, 20_000)]
    {
        let mut state = state_v2(numbered(70_000, path));
        state.removes = (0..5_000).map(|n| remove(&format!("p=0/{n}"))).collect();
        let (table, checkpoint, counts) = stored(&state, sidecar_rows).await;
        let is_v2 = sidecar_rows < ONE;
        assert_eq!(checkpoint.files[0].name.ends_with(".json"), is_v2);
        assert_eq!(sidecars_of(&table, &checkpoint).await.unwrap().len(), 4 * usize::from(is_v2));
        // What is fetched with the footer of each file.
        let footers = if is_v2 { 4 * (64 << 10) } else { 0 };
        let size: u64 = objects(&table).await.into_iter().map(|(_, size)| size).sum();
        let before = counts.bytes_read();
        assert_eq!(count_files(&table, &checkpoint).await.unwrap(), Some(70_000));
        let counted = counts.bytes_read();
        assert!(counted - before < footers + size / 20, "{counted} of {size}");
        let key = |n: u32| format!("p=1/{n:06}.parquet");
        let absent = ["p=1/1234567.parquet", "p=0/a", "p=2/a"].map(str::to_owned);
        let data = [7, 30_000, 69_999].map(key).into_iter().chain(absent).collect();
        let names = Arc::new(Names { data, ..Names::default() });
        let (mut found, known) = read_named(&table, &checkpoint, &names).await.unwrap();
        assert_eq!((known.files, known.is_ours), (Some(70_000), true));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let expected = numbered(70_000, path);
        let line = |add: &Add| LogAction::Add(Add { data_change: false, ..add.clone() }).to_json();
        let expected = [7, 30_000, 69_999].map(|n: usize| line(&expected[n]));
        assert_eq!(found.iter().map(line).collect::<Vec<_>>(), expected);
        let read = counts.bytes_read() - counted;
        assert_eq!(read < footers + size / 5, is_sought, "{read} of {size}");
    }
}

#[tokio::test]
async fn files_are_found_by_the_object_of_their_deletion_vector() {
    let id = "ab^-aqEH.-t@S}K{vb[*k^";
    let vector = |offset: u32| {
        json!({"storageType": "u", "pathOrInlineDv": id, "offset": offset, "sizeInBytes": 30,
            "cardinality": 2})
    };
    let mut adds = numbered(10, |n| format!("p=1/{n}"));
    for (n, offset) in [(2_usize, 1), (5, 40)] {
        let path = adds[n].path.clone();
        adds[n] = add(json!({"path": path, "deletionVector": vector(offset)}));
    }
    for sidecar_rows in [ONE, 4] {
        let (table, checkpoint, _) = stored(&state_v2(adds.clone()), sidecar_rows).await;
        let object = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
        let (data, vectors) = (["p=1/7".to_owned()].into(), [object.to_owned()].into());
        let names = Arc::new(Names { data, vectors });
        let (found, _) = read_named(&table, &checkpoint, &names).await.unwrap();
        let mut paths: Vec<_> = found.iter().map(|add| add.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["p=1/2", "p=1/5", "p=1/7"]);
    }
}

/// What another engine leaves of a checkpoint of ours, and what is still known of it.
#[tokio::test]
async fn a_v2_checkpoint_of_another_engine_is_read_and_is_not_ours() {
    let (table, checkpoint, _) = stored(&state_v2(numbered(5, |n| format!("p=1/{n}"))), 2).await;
    let key = format!("_delta_log/{}", checkpoint.files[0].name);
    let top = String::from_utf8(get(&table, &key).await.to_vec()).unwrap();
    let names = Arc::new(Names { data: ["p=1/3".to_owned()].into(), ..Names::default() });
    let own = LogAction::Add(add(json!({"path": "p=1/3"}))).to_json();
    let own_removed = LogAction::Remove(remove("p=1/3"));
    let size = |text: &str| -> String {
        let (before, after) = text.split_once("\"sizeInBytes\":").unwrap();
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap();
        format!("{before}\"sizeInBytes\":{}{}", "99999999", &after[digits..])
    };
    for (changed, expect) in [
        (top.clone(), Ok((Some(5), 1, true))),
        (top.replace("deepclone.paths", "theirs.paths"), Ok((Some(5), 1, false))),
        (top.replace("\"tags\"", "\"others\""), Ok((Some(5), 1, false))),
        // It holds a live file itself.
        (format!("{top}{own}\n"), Ok((Some(6), 2, true))),
        // And removes it.
        (format!("{top}{own}\n{}\n", own_removed.to_json()), Ok((None, 2, true))),
        (top.replace("\"version\":3", "\"version\":4"), Err("version 4")),
        (top.replacen("sizeInBytes", "bytes", 2), Err("does not tell its length")),
        (size(&top), Err("its checkpoint says 99999999")),
        (top.replacen(".parquet", "x.parquet", 1), Err("it is missing")),
    ] {
        table.store.put(&Path::from(format!("t/{key}")), changed.clone().into()).await.unwrap();
        let counted = count_files(&table, &checkpoint).await;
        match (read_named(&table, &checkpoint, &names).await, expect) {
            (Ok((adds, known)), Ok((files, found, is_ours))) => {
                assert_eq!((known.files, adds.len()), (files, found), "{changed}");
                assert_eq!((known.is_ours, counted.unwrap()), (is_ours, files), "{changed}");
            }
            (Err(error), Err(piece)) => {
                assert!(matches!(error, DeltaError::Damaged { .. }), "{error}");
                assert!(error.to_string().contains(piece), "{error}");
                assert!(counted.unwrap_err().to_string().contains(piece), "{changed}");
            }
            (found, expect) => panic!("{found:?}, not {expect:?}: {changed}"),
        }
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_damaged_or_gone_is_named() {
    let state = state(numbered(10, |n| format!("p=1/{n}")));
    let (table, mut checkpoint, _) = stored(&state, ONE).await;
    let names = Arc::new(Names { data: ["p=1/7".to_owned()].into(), ..Names::default() });
    checkpoint.files[0].size -= 1;
    let error = read_named(&table, &checkpoint, &names).await.unwrap_err().to_string();
    assert!(error.contains("00000000000000000003.checkpoint.parquet"), "{error}");
    checkpoint.files[0].name = "00000000000000000004.checkpoint.parquet".to_owned();
    let error = count_files(&table, &checkpoint).await.unwrap_err().to_string();
    assert!(error.contains("00000000000000000004.checkpoint.parquet"), "{error}");
    assert!(error.contains("it is missing"), "{error}");
}
