//! `verify` finds nothing on a right replica, and each kind of damage by its name.

use deepclone_core::ids::JobId;
use deepclone_core::spec::CloneSpec;
use deepclone_delta::ledger::{LedgerEntry, LedgerWriter};
use deepclone_delta::verify::{Depth, DifferenceKind, SecondOpinion, verify};
use object_store::ObjectStoreExt;
use serde_json::json;

use crate::support::*;

async fn kinds(source: &Table, target: &Table) -> Vec<DifferenceKind> {
    let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
    report.differences.iter().map(|difference| difference.kind).collect()
}

#[tokio::test]
async fn a_right_replica_has_no_differences_and_delta_rs_agrees() {
    let mut source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    for n in 1..=11 {
        source.commit(&[add(&format!("c{n}"))]).await;
        sync_equal(&source, &target, &spec()).await;
    }
    // The source goes on: the replica is still what it claims to be.
    source.commit(&[add("d1")]).await;
    let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
    assert_eq!(report.differences, []);
    assert_eq!(report.second_opinion, SecondOpinion::Agrees);
    assert_eq!((report.source_version, report.replica_version), (11, 11));
    assert_eq!((report.files, report.objects), (13, 13));
}

#[tokio::test]
async fn each_damage_has_its_name() {
    let source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    target.delete("p=a/a1.parquet").await;
    target.object("p=b/b1.parquet", 3).await;
    assert_eq!(
        kinds(&source, &target).await,
        [DifferenceKind::ObjectMissing, DifferenceKind::ObjectSize]
    );
    let mut target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    target.commit(&[info("WRITE"), remove("a1"), add("x1")]).await;
    assert_eq!(
        kinds(&source, &target).await,
        [DifferenceKind::FileMissing, DifferenceKind::FileUnexpected, DifferenceKind::Diverged]
    );
}

#[tokio::test]
async fn each_difference_of_the_table_is_told_with_what_differs() {
    let (file, table) = (DifferenceKind::FileDiffers, DifferenceKind::Metadata);
    let schema = SCHEMA.replace("long", "integer");
    for (key, value, kind, subject) in [
        ("schemaString", json!(schema), table, "schemaString"),
        ("partitionColumns", json!([]), table, "partitionColumns"),
        ("name", json!("m"), table, "name"),
        ("description", json!(null), table, "description"),
        ("configuration", json!({"a": "c"}), table, "a"),
        ("configuration", json!({}), table, "a"),
        ("protocol", json!(null), DifferenceKind::Protocol, "domainMetadata"),
        ("add", json!({"tags": {"a": "b"}}), file, "p=a/a1.parquet"),
    ] {
        let mut source = Table::new("source");
        // The barrier for checkpoints is never carried.
        let first = features(&[], &["appendOnly", "domainMetadata", "checkpointProtection"]);
        source.commit(&[first, metadata("source-id", json!({"a": "b"})), add("a1")]).await;
        let mut target = Table::new("target");
        sync_equal(&source, &target, &spec()).await;
        assert_eq!(kinds(&source, &target).await, []);
        let id = target.snapshot().await.metadata.id;
        let mut changed = metadata(&id, json!({"a": "b"}));
        changed["metaData"][key] = value.clone();
        target
            .commit(&[match key {
                "protocol" => features(&[], &["appendOnly"]),
                "add" => add_with("a1", value),
                _ => changed,
            }])
            .await;
        let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
        let found: Vec<_> = report.differences.iter().map(|d| (d.kind, &*d.subject)).collect();
        assert_eq!(found[0], (kind, subject), "{key}");
        assert_eq!((found.len(), found[1].0), (2, DifferenceKind::Diverged), "{key}: {found:?}");
    }
}

#[tokio::test]
async fn the_object_of_a_deletion_vector_is_at_least_as_long_as_the_log_says() {
    let both = ["deletionVectors"];
    let (mut source, target) = (Table::new("source"), Table::new("target"));
    source.commit(&[features(&both, &both), metadata("source-id", json!({}))]).await;
    let with = |offset| json!({"deletionVector": vector(offset)});
    source.commit(&[add_with("a1", with(1)), add_with("b1", with(40))]).await;
    sync_equal(&source, &target, &spec()).await;
    let least = 40 + 30 + 8;
    for (length, found) in
        [(least + 1, None), (least, None), (least - 1, Some(DifferenceKind::ObjectSize))]
    {
        target.object(VECTOR_OBJECT, length).await;
        let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
        let kinds: Vec<_> = report.differences.iter().map(|found| found.kind).collect();
        assert_eq!(kinds, Vec::from_iter(found), "{length}");
        let bytes = if found.is_some() { 24 } else { 24 + length };
        assert_eq!((report.objects, report.bytes), (3, bytes), "{length}");
    }
}

/// A replica of twelve versions with a checkpoint of version 10, and its source.
async fn with_checkpoint() -> (Table, Table) {
    let (mut source, target) = (small_source().await, Table::new("target"));
    for n in 0..=11 {
        sync_equal(&source, &target, &spec()).await;
        source.commit(&[add(&format!("c{n}"))]).await;
    }
    (source, target)
}

#[tokio::test]
async fn a_checkpoint_that_keeps_readers_out_is_named_and_replaced() {
    const HINT: &str = "_delta_log/_last_checkpoint";
    const CHECKPOINT: &str = "_delta_log/00000000000000000010.checkpoint.parquet";
    for (damage, subject, heals) in [
        ("the hint is ahead of the log", HINT, true),
        ("the checkpoint is gone", HINT, true),
        ("the checkpoint is no Parquet", CHECKPOINT, false),
    ] {
        let (source, target) = with_checkpoint().await;
        match damage {
            "the hint is ahead of the log" => {
                target.put(HINT, br#"{"version":99,"size":1}"#.to_vec()).await;
            }
            "the checkpoint is gone" => target.delete(CHECKPOINT).await,
            _ => target.put(CHECKPOINT, b"PAR1 no PAR1".to_vec()).await,
        }
        let report = verify(&source.store, &target.store, Depth::Sizes).await.unwrap();
        let found: Vec<_> = report.differences.iter().map(|d| (d.kind, &*d.subject)).collect();
        assert_eq!(found, [(DifferenceKind::Checkpoint, subject)], "{damage}");

        sync_equal(&source, &target, &spec()).await;
        let hint = String::from_utf8(target.get(HINT).await.unwrap()).unwrap();
        assert_eq!(hint.contains("\"version\":12,"), heals, "{damage}: {hint}");
        assert_eq!(kinds(&source, &target).await.is_empty(), heals, "{damage}");
    }
}

#[tokio::test]
async fn a_filtered_replica_is_compared_with_its_part() {
    let mut source = small_source().await;
    let target = Table::new("target");
    let only_a = CloneSpec { partition_filter: Some("p = 'a'".into()), ..spec() };
    let did = sync(&source, &target, &only_a).await.unwrap();
    assert_eq!(did.objects(), ["p=a/a1.parquet"]);
    assert_eq!(kinds(&source, &target).await, []);
    let spelled = CloneSpec { partition_filter: Some("(p  =  'a')".into()), ..spec() };
    for same in [&only_a, &spelled] {
        assert!(matches!(sync(&source, &target, same).await, Ok(Did::UpToDate)), "{same:?}");
    }
    // Another scope on the same replica: the rest is copied, and only one marker lives.
    let did = sync_equal(&source, &target, &spec()).await;
    assert_eq!(did.objects(), ["p=b/b1.parquet"]);
    let live = target.snapshot().await.txns.values().filter(|txn| txn.version >= 0).count();
    assert_eq!(live, 2);
    source.commit(&[add("a2"), add("c1")]).await;
    let did = sync(&source, &target, &only_a).await.unwrap();
    assert_eq!(did.objects(), ["p=a/a2.parquet"]);
    assert_eq!(target.snapshot().await.files.len(), 2);
}

/// The kinds of difference, and the bytes that were read at the source and at the target.
async fn deep(source: &Table, target: &Table) -> (Vec<DifferenceKind>, u64, u64) {
    let report = verify(&source.store, &target.store, Depth::Bytes).await.unwrap();
    let kinds = report.differences.iter().map(|difference| difference.kind).collect();
    let deep = report.deep.unwrap();
    assert_eq!(deep.objects, 2);
    (kinds, deep.source_bytes_read, deep.target_bytes_read)
}

/// Writes what a sync records of these keys.
async fn record(source: &Table, target: &Table, keys: &[&str]) {
    let mut ledger = LedgerWriter::new(&target.store, JobId(uuid::Uuid::new_v4()));
    for key in keys {
        let bytes = source.get(key).await.unwrap();
        let meta = source.store.store.head(&source.path(key)).await.unwrap();
        let entry = LedgerEntry {
            key: (*key).to_owned(),
            size: meta.size,
            crc64nvme: crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes),
            source_etag: meta.e_tag.unwrap(),
            worker: "w".to_owned(),
            seen_ms: NOW_MS,
        };
        ledger.append([entry]).await.unwrap();
    }
    ledger.finish().await.unwrap();
}

#[tokio::test]
async fn bytes_are_compared_and_the_ledger_spares_the_source() {
    let source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    let (a1, b1) = ("p=a/a1.parquet", "p=b/b1.parquet");
    // These stores keep no checksum: without a ledger both sides are read.
    assert_eq!(deep(&source, &target).await, (vec![], 24, 24));
    record(&source, &target, &[a1]).await;
    assert_eq!(deep(&source, &target).await, (vec![], 12, 24));
    record(&source, &target, &[b1]).await;
    assert_eq!(deep(&source, &target).await, (vec![], 0, 24));

    // Other bytes of the same length, at the target.
    target.put(a1, vec![9; 12]).await;
    assert_eq!(deep(&source, &target).await, (vec![DifferenceKind::ObjectBytes], 0, 24));
    target.object(a1, 12).await;
    // The source was replaced in place: its tag is not the recorded one.
    source.put(b1, vec![9; 12]).await;
    assert_eq!(deep(&source, &target).await, (vec![DifferenceKind::ObjectBytes], 12, 24));
    source.put(b1, vec![9; 13]).await;
    assert_eq!(deep(&source, &target).await, (vec![DifferenceKind::ObjectBytes], 0, 12));
}

#[tokio::test]
async fn a_source_object_that_is_gone_is_proved_by_the_ledger_or_not_at_all() {
    let source = small_source().await;
    let target = Table::new("target");
    sync_equal(&source, &target, &spec()).await;
    record(&source, &target, &["p=a/a1.parquet"]).await;
    source.delete("p=a/a1.parquet").await;
    source.delete("p=b/b1.parquet").await;
    assert_eq!(deep(&source, &target).await, (vec![DifferenceKind::ObjectUnproven], 0, 12));
    // A missing object is one difference, not two.
    target.delete("p=a/a1.parquet").await;
    let (kinds, ..) = deep(&source, &target).await;
    assert_eq!(kinds, [DifferenceKind::ObjectMissing, DifferenceKind::ObjectUnproven]);
}
