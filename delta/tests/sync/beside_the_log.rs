//! Plans by the newer commits where something beside them is not as the last sync left it: a
//! checkpoint of another engine at the replica, what the user allows, the times of commits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use bytes::Bytes;
use deepclone_core::reason::Reason;
use deepclone_core::spec::CloneSpec;
use object_store::memory::InMemory;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use crate::faults::Watched;
use crate::support::*;

const HINT: &str = "_delta_log/_last_checkpoint";
const FIRST: &str = "_delta_log/00000000000000000001.checkpoint.parquet";
const SECOND: &str = "_delta_log/00000000000000000002.checkpoint.parquet";
const THIRD: &str = "_delta_log/00000000000000000003.checkpoint.parquet";

/// A replica with a checkpoint each sync.
fn checkpointed() -> CloneSpec {
    let properties = [("delta.checkpointInterval".to_owned(), "1".to_owned())].into();
    CloneSpec { properties, ..spec() }
}

/// A source at version 3, where a1 was removed, and its replica.
async fn synced() -> (Arc<Watched>, Table, Table) {
    let watched = Watched::new(Arc::new(InMemory::new()));
    let mut source = Table::on(watched.clone(), "source");
    let tagged = add_with("c1", json!({"tags": {"t": "1"}}));
    source.commit(&[protocol(1, 2), metadata("source-id", json!({})), add("b1")]).await;
    let target = Table::new("target");
    for actions in [[info("WRITE"), info("WRITE")], [add("a1"), tagged], [add("d1"), remove("a1")]]
    {
        source.commit(&actions).await;
        sync_equal(&source, &target, &checkpointed()).await;
    }
    (watched, source, target)
}

pub(crate) async fn rows_of(table: &Table, checkpoint: &str) -> RecordBatch {
    let bytes = Bytes::from(table.get(checkpoint).await.unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// Writes the rows, from the last to the first, as another engine's checkpoint.
pub(crate) async fn put_checkpoint(
    table: &Table,
    name: &str,
    rows: &RecordBatch,
    rows_per_group: usize,
) {
    let count = rows.num_rows() as u64;
    let rows = take_record_batch(rows, &UInt64Array::from_iter_values((0..count).rev())).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_per_group))
        .set_offset_index_disabled(true)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    table.put(name, writer.into_inner().unwrap()).await;
}

fn kept(rows: &RecordBatch, keeps: impl Fn(usize) -> bool) -> RecordBatch {
    let kept = (0..rows.num_rows()).filter(|row| keeps(*row)).map(|row| row as u64);
    take_record_batch(rows, &UInt64Array::from_iter_values(kept)).unwrap()
}

/// Returns the path of the row's `add`.
fn path_at(rows: &RecordBatch, row: usize) -> Option<&str> {
    let add = rows.column_by_name("add").unwrap().as_struct();
    let paths = add.column_by_name("path").unwrap().as_string::<i32>();
    add.is_valid(row).then(|| paths.value(row))
}

fn without_tags(rows: &RecordBatch) -> RecordBatch {
    let without = |add: &StructArray| -> ArrayRef {
        let (fields, columns, valid) = add.clone().into_parts();
        let kept = fields.iter().cloned().zip(columns).filter(|(field, _)| field.name() != "tags");
        let (fields, columns): (Vec<_>, Vec<_>) = kept.unzip();
        Arc::new(StructArray::new(fields.into(), columns, valid))
    };
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let is_add = field.name() == "add";
        let column = if is_add { without(column.as_struct()) } else { Arc::clone(column) };
        (field.name().clone(), column)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Plans the next sync, whose source brings a1 back and removes c1, both ways.
async fn goes_on(case: &str, source: &mut Table, target: &Table) {
    source.commit(&[add("a1"), remove("c1"), add("f1")]).await;
    let did = sync_equal(source, target, &checkpointed()).await;
    assert!(did.objects().contains(&"p=a/a1.parquet"), "{case}");
}

/// One at the head is no part of what the last sync knew; an older one was read by it, or came late
/// and is counted.
#[tokio::test]
async fn a_checkpoint_of_another_engine_at_the_replica_changes_no_plan() {
    for (case, is_at_head) in [
        ("in another order", true),
        ("without tags", true),
        ("without a live file", true),
        ("without rows", true),
        ("with a removed file", true),
        ("in another order", false),
        ("without a live file", false),
        ("without rows", false),
        ("with a removed file", false),
    ] {
        let (watched, mut source, target) = synced().await;
        let (old, rows) = (rows_of(&target, FIRST).await, rows_of(&target, SECOND).await);
        if !is_at_head {
            source.commit(&[add("e1")]).await;
            sync_equal(&source, &target, &checkpointed()).await;
            target.delete(THIRD).await;
            target.put(HINT, br#"{"version":2,"size":1}"#.to_vec()).await;
        }
        let rows = match case {
            "without tags" => without_tags(&rows),
            "without a live file" => {
                kept(&rows, |row| path_at(&rows, row) != Some("p=b/b1.parquet"))
            }
            "without rows" => kept(&rows, |_| false),
            "with a removed file" => {
                let removed = kept(&old, |row| path_at(&old, row) == Some("p=a/a1.parquet"));
                concat_batches(&rows.schema(), [&rows, &removed]).unwrap()
            }
            _ => rows,
        };
        put_checkpoint(&target, SECOND, &rows, 2).await;
        goes_on(case, &mut source, &target).await;
        // Of one that changes nothing the names are read.
        if case == "in another order" && !is_at_head {
            target.delete("_delta_log/00000000000000000004.checkpoint.parquet").await;
            target.put(HINT, br#"{"version":2,"size":1}"#.to_vec()).await;
            source.commit(&[add("g1")]).await;
            watched.take();
            plan_once(&source, &target, &checkpointed()).await.unwrap();
            let first = "GET source/_delta_log/00000000000000000000.json".to_owned();
            assert!(!watched.take().contains(&first));
        }
    }
}

#[tokio::test]
async fn of_many_checkpoints_of_the_source_the_newest_is_counted() {
    let (watched, mut source, _) = synced().await;
    let middle = Table::on(watched.clone(), "middle");
    sync_equal(&source, &middle, &checkpointed()).await;
    let target = Table::new("target");
    sync_equal(&middle, &target, &spec()).await;
    for name in ["e1", "f1", "g1"] {
        source.commit(&[add(name), remove("b1")]).await;
        sync_equal(&source, &middle, &checkpointed()).await;
    }
    watched.take();
    plan_once(&middle, &target, &spec()).await.unwrap();
    let mut read = watched.take();
    read.retain(|request| request.starts_with("GET middle") && request.contains("checkpoint."));
    read.dedup();
    assert_eq!(read, ["GET middle/_delta_log/00000000000000000003.checkpoint.parquet"]);
    sync_equal(&middle, &target, &spec()).await;
}

#[tokio::test]
async fn a_feature_of_the_replica_that_is_not_allowed_any_more_is_refused() {
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    let both = ["strange"];
    let first = [features(&both, &both), metadata("source-id", json!({})), add("a1")];
    source.commit(&first).await;
    let allowing = CloneSpec { allowed_features: vec!["strange".to_owned()], ..spec() };
    sync_equal(&source, &target, &allowing).await;
    source.commit(&[features(&[], &[]), add("b1")]).await;
    sync_equal(&source, &target, &allowing).await;
    source.commit(&[add("c1")]).await;
    assert_eq!(failure(&source, &target, &spec()).await.reason, Reason::UnsupportedFeature);
    sync_equal(&source, &target, &allowing).await;
}

#[tokio::test]
async fn a_table_that_lost_its_schema_is_refused() {
    let (mut source, target) = (small_source().await, Table::new("target"));
    sync_equal(&source, &target, &spec()).await;
    let mut described = metadata("source-id", json!({}));
    described["metaData"]["schemaString"] = json!("");
    source.commit(&[described, add("c1")]).await;
    assert_eq!(failure(&source, &target, &spec()).await.reason, Reason::DamagedLog);
}

/// The source's own times are far ahead of those of its files.
#[tokio::test]
async fn in_commit_times_that_end_count_no_more() {
    let described =
        |enabled| metadata("source-id", json!({"delta.enableInCommitTimestamps": enabled}));
    let timed = |at: i64| json!({"commitInfo": {"inCommitTimestamp": 2 * NOW_MS + at}});
    let lists = features(&[], &["inCommitTimestamp"]);
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    for actions in [
        [timed(0), lists, described("true"), add("a1")],
        [timed(1), info("WRITE"), remove("a1"), add("b1")],
        [info("WRITE"), described("false"), remove("b1"), add("a1")],
        [timed(2), described("true"), remove("a1"), add("b1")],
        // One that lacks its time.
        [info("WRITE"), described("true"), remove("b1"), add("c1")],
    ] {
        source.commit(&actions).await;
        sync_equal(&source, &target, &spec()).await;
    }
}
